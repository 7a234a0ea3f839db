"""The compilers of a spec, from Spack 0.16 to today, each with the language that it compiles.

Before spec format v5 a document names one compiler, which stands for all languages (so does the annotation
that a later Spack leaves when it reads such a document). From v5 on a compiler is a dependency, and the
edge's virtuals say the languages.
"""

from collections.abc import Iterable, Sequence

LANGUAGES = ("c", "cxx", "fortran")
"""The first one that a spec has says which of its compilers is *the* compiler (`main_compiler`)."""

LANGUAGE_BITS = {language: 1 << place for place, language in enumerate(LANGUAGES)}
"""Languages as the bits of a number."""

Compiler = tuple[str, str]
"""Name and version."""


def compilers_of(
    named: Compiler | None, edges: Iterable[tuple[Iterable[str], Compiler]]
) -> list[tuple[str, Compiler]]:
    """The languages with their compilers, in the order of LANGUAGES.

    `named` is what its document names, `edges` are the virtuals and the package of each dependency.
    """
    compilers = {(language, named) for language in LANGUAGES} if named is not None else set()
    compilers |= {
        (virtual, provider) for virtuals, provider in edges for virtual in virtuals if virtual in LANGUAGES
    }
    return sorted(compilers, key=lambda one: (LANGUAGES.index(one[0]), one[1]))


def main_compiler(named: Compiler | None, compilers: Sequence[tuple[str, Compiler]]) -> Compiler | None:
    """The one that the document names, otherwise that of the first language of `compilers_of`."""
    if named is not None:
        return named
    return compilers[0][1] if compilers else None


def languages_of(compiler: Compiler | None, compilers: Iterable[tuple[str, Compiler]]) -> int:
    """The sum of LANGUAGE_BITS of what one of the compilers of a spec compiles for it."""
    return sum(LANGUAGE_BITS[language] for language, one in compilers if one == compiler)
