"""What symbolator's corpora say of a splice: names of symbols alone, as the server of before compared them.

Versions, bindings and who needs whom play no role: a name is missing if no corpus defines it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_UNDEFINED = "UND"


class NotCorpora(ValueError):  # noqa: N818 -- an answer about a value
    """A value that is no result of symbolator."""


@dataclass(frozen=True)
class Corpus:
    """One file: `is_defined` by the names of its symbols. `name` is the file's, `path` where it was read."""

    path: str
    name: str
    is_defined: dict[str, bool]

    @property
    def library(self) -> str:
        """The name up to the first dot, under which libraries replace each other."""
        return self.name.partition(".")[0]

    @property
    def consumer(self) -> str:
        """The name of the file up to the first dot, as findings have it."""
        return self.path.rpartition("/")[2].partition(".")[0]


def read_corpora(value: Any) -> list[Corpus]:
    """The corpora of a result, given as JSON or as its text. Raises NotCorpora for anything else."""
    try:
        if isinstance(value, str):
            value = json.loads(value)
        found: dict[str, Corpus] = {}
        for entry in value:
            corpus = _corpus(entry["corpus"])
            # A file that is read a second time was read before.
            found.setdefault(corpus.path, corpus)
        return list(found.values())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotCorpora("no result of symbolator") from error


def replaced_names(before: Iterable[Corpus], replacing: Iterable[Corpus]) -> list[tuple[str, str]]:
    """The names of libraries that take another's place, each before that of the other, sorted."""
    by_library = {corpus.library: corpus.name for corpus in {one.name: one for one in before}.values()}
    replaced = {one.library: one.name for one in replacing if one.library in by_library}
    return sorted((name, by_library[library]) for library, name in replaced.items())


def missing_names(before: Iterable[Corpus], replacing: Iterable[Corpus]) -> list[tuple[str, str]] | None:
    """The (consumer, symbol) that are missing once libraries replace those of the same name, and not before.

    None if no library has the name of one of the others.
    """
    by_name = {corpus.name: corpus for corpus in before}
    by_library = {corpus.library: corpus for corpus in by_name.values()}
    replaced = {corpus.library: corpus for corpus in replacing if corpus.library in by_library}
    if not replaced:
        return None
    after = by_library | replaced
    return sorted(_missing(after.values()) - _missing(by_name.values()))


def _corpus(stored: Any) -> Corpus:
    metadata = stored["metadata"]
    names = {}
    for symbol, facts in stored["symbols"].items():
        name = symbol.partition("@")[0]
        if name:
            names[name] = facts["defined"] != _UNDEFINED
    return Corpus(str(metadata["path"]), str(metadata["corpus_name"]), names)


def _missing(corpora: Iterable[Corpus]) -> set[tuple[str, str]]:
    every = list(corpora)
    defined = {name for corpus in every for name, is_there in corpus.is_defined.items() if is_there}
    return {
        (corpus.consumer, name)
        for corpus in every
        for name, is_there in corpus.is_defined.items()
        if not is_there and name not in defined
    }
