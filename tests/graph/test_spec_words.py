"""What a spec's text asks for, in words."""

import pytest

from spackmon.graph.spec_syntax import SpecSyntaxError
from spackmon.graph.spec_words import in_words


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("/abc", ["any package, whose hash begins with abc"]),
        ("builtin.hdf5@1.12:+mpi~hl", ["builtin.hdf5, version 1.12 and later, with mpi, without hl"]),
        ("@:1.2,=1.4,1:2,3", ["any package, version up to 1.2 or 1.4 exactly or 1 to 2 or 3 or 3.x"]),
        ("@git.main", ["any package, version git.main"]),
        (
            "x ^y@2 %gcc@11 ^z",
            [
                "x",
                "depends, at any depth, on y, version 2 or 2.x",
                "y depends directly on gcc, version 11 or 11.x",
                "depends, at any depth, on z",
            ],
        ),
        ("hdf5 %cmake", ["hdf5", "depends directly on cmake"]),
        ("^blas,lapack=openblas", ["depends, at any depth, on openblas, as blas and lapack"]),
        (
            "x %[when='+mpi' deptypes=link,run virtuals=mpi] mpich",
            ["x", "depends directly on mpich, where +mpi holds, to link, run, as any of mpi"],
        ),
        (
            "x os=rhel9 target=zen2: a=b,c d:=e f=* ++g h==i cflags='-O3 -g'",
            [
                "x, for the operating system rhel9, for the target zen2:, with a b and c, with d e only,"
                " that has the variant f, with g wherever in its graph there is such a variant,"
                " with h i wherever in its graph there is such a variant, with -O3 -g among its cflags"
            ],
        ),
    ],
)  # fmt: skip
def test_a_spec_is_told_in_words(text: str, lines: list[str]) -> None:
    assert in_words(text) == lines


def test_what_is_no_spec_is_told_as_one() -> None:
    with pytest.raises(SpecSyntaxError):
        in_words("hdf5@")
