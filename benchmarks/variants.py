"""Parameter sets as real specs have them: made up from the variants of the corpora in tests/data/corpus.

Most packages of a site's graphs are in the corpora: they have the variants that they have there. They and
the others get more of them, drawn as often as the corpora have them, with the values that they have there.
A package has at most 40 sets, of which its specs take some far more often than others.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from spackmon.graph.spec_text import FLAG_NAMES

CORPUS = Path(__file__).parent.parent / "tests" / "data" / "corpus"
RANKS = 20
"""A package has so many sets with `+pic` and as many with `~pic`; 0 is its default."""

# What every set here has: questions ask for them.
_EVERYWHERE = ("build_system", "build_type", "pic", "shared")
_UNUSED = frozenset((*_EVERYWHERE, *FLAG_NAMES, "patches", "commit"))
_FEWEST, _MOST = 11, 21
_CHANGED = 5
_BUILD_TYPES = ('"Release"', '"RelWithDebInfo"')
_SHARED_SHARE = 0.85

Values = Mapping[str, Counter[str]]
"""The values of each variant, as JSON, with their numbers."""


def corpus_nodes() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The name and the fields of each node of each document of the corpora."""
    for path in sorted(CORPUS.glob("*/*.gz")):
        for line in gzip.decompress(path.read_bytes()).decode().splitlines():
            document = json.loads(line)
            while isinstance(document, dict) and "spec" in document:
                document = document["spec"]
            if isinstance(document, dict):
                yield from ((node["name"], node) for node in document["nodes"])
            else:
                yield from (next(iter(node.items())) for node in document)


class Variants:
    """The parameter sets of every package; the same seed gives the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._values: dict[str, Counter[str]] = {}
        self._of_package: dict[str, dict[str, Counter[str]]] = {}
        for package, node in corpus_nodes():
            own = self._of_package.setdefault(package, {})
            for name, value in node["parameters"].items():
                for values in (self._values, own):
                    values.setdefault(name, Counter())[json.dumps(value)] += 1
        self._weights = {
            name: values.total() for name, values in sorted(self._values.items()) if name not in _UNUSED
        }
        self._defaults: dict[str, dict[str, Any]] = {}
        self._made: dict[tuple[str, bool, int], dict[str, Any]] = {}

    def of(self, package: str, *, pic: bool, rank: int) -> dict[str, Any]:
        """The parameters of one of the package's sets."""
        if package not in self._defaults:
            self._defaults[package] = self._default(package, Random(f"{self._seed}:{package}"))
        default, key = self._defaults[package], (package, pic, rank)
        if key not in self._made:
            random = Random(f"{self._seed}:{key}")
            self._made[key] = self._varied(default, random, pic=pic) if rank else {**default, "pic": pic}
        return self._made[key]

    def _default(self, package: str, random: Random) -> dict[str, Any]:
        own = {
            name: values
            for name, values in self._of_package.get(package, {}).items()
            if name in self._weights
        }
        names = list(own)
        wanted = max(len(names), random.randint(_FEWEST, _MOST))
        while len(names) < wanted:
            (name,) = random.choices(list(self._weights), list(self._weights.values()))
            if name not in names:
                names.append(name)
        default = {name: _one_of(own.get(name, self._values[name]), random) for name in sorted(names)}
        default |= {
            "build_system": _one_of(self._values["build_system"], random),
            "build_type": "RelWithDebInfo",
            "pic": True,
            "shared": True,
        }
        return {**default, **{flag: [] for flag in sorted(FLAG_NAMES)}}

    def _varied(self, default: Mapping[str, Any], random: Random, *, pic: bool) -> dict[str, Any]:
        """The default with some of its variants otherwise."""
        changeable = [name for name in default if name in self._weights]
        changed = random.sample(changeable, random.randint(1, min(_CHANGED, len(changeable))))
        return {
            **default,
            **{name: self._otherwise(name, default[name], random) for name in changed},
            **{flags: _one_of(self._values[flags], random) for flags in ("cflags", "cppflags")},
            "build_type": json.loads(random.choice(_BUILD_TYPES)),
            "pic": pic,
            "shared": random.random() < _SHARED_SHARE,
        }

    def _otherwise(self, name: str, value: Any, random: Random) -> Any:
        """Another value; few corpora of a few hundred specs have both of a boolean."""
        return not value if isinstance(value, bool) else _one_of(self._values[name], random)


def _one_of(values: Counter[str], random: Random) -> Any:
    return json.loads(random.choices(list(values), list(values.values()))[0])


def provided_virtuals() -> dict[str, tuple[str, ...]]:
    """The virtuals that packages provide, but those of compilers and of the C library."""
    found: dict[str, set[str]] = {}
    for _, node in corpus_nodes():
        dependencies = node.get("dependencies")
        for edge in dependencies if isinstance(dependencies, list) else ():
            virtuals = edge.get("parameters", {}).get("virtuals", ())
            found.setdefault(edge["name"], set()).update(virtuals)
    toolchain = ("gcc", "llvm", "gcc-runtime", "glibc")
    return {
        name: tuple(sorted(virtuals))
        for name, virtuals in sorted(found.items())
        if virtuals and name not in toolchain
    }
