"""Which package a CDash document is about, and its hash: found where Spack happens to write them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spackmon.graph.spec_syntax import parse_spec
from spackmon.graph.spec_tokens import SpecSyntaxError

# No package has so long a name that an index could not hold it: that is something else.
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,199}"
_HASH = r"[a-z2-7]{32}"
# A version that begins otherwise would make `py-foo-bar-1.0` a `py-foo` of version `bar-1.0`.
_VERSION = r"(?:[0-9][\w.+-]{0,80}?|develop|main|master|head|trunk|stable)"
_LOG_HEAD = re.compile(rf"^(?:configure|build|test) output for ({_NAME}):$", re.MULTILINE)
_AFTER_DASH = re.compile(rf".* - ({_NAME})", re.DOTALL)
_TESTED = re.compile(rf"({_NAME})-({_HASH})")
_CHARACTERS_AT_ONCE = 64 << 10
# `spack ci rebuild`: "zlib@1.3%gcc@12 hash=… arch=linux-debian12-zen2 (stack)".
_OF_PIPELINE = re.compile(rf"({_NAME})@\S+(?: hash=({_HASH}))? arch=\S+ \(.*\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Built:
    """What a document is about, as far as its names say."""

    package_name: str | None
    spec_hash: str | None


def built_by(build_name: str, command: str, text: str) -> Built:
    """What a document of this build name is about: `text` is all it quotes of a log.

    `command` is what was to be installed, where what it names is what was built. Of two packages or two
    hashes there is neither.
    """
    name, spec_hash = _from_build_name(build_name)
    heads = {head for lines in _some_lines(text) for head in _LOG_HEAD.findall(lines)}
    if heads and name not in heads:
        name, spec_hash = (heads.pop() if len(heads) == 1 else None), None
    elif name is None:
        name = package_asked_for(command)
    if name is not None and spec_hash is None:
        spec_hash = _hash_in_paths(name, text)
    return Built(name, spec_hash)


def _some_lines(text: str) -> Iterator[str]:
    """The text in windows of whole lines: nobody else goes on until an expression has looked through one."""
    start = 0
    while start < len(text):
        end = text.find("\n", start + _CHARACTERS_AT_ONCE) + 1 or len(text)
        yield text[start:end]
        start = end


def _from_build_name(build_name: str) -> tuple[str | None, str | None]:
    for pattern in (_OF_PIPELINE, _TESTED):
        if named := pattern.fullmatch(build_name):
            return named[1], named[2]
    named = _AFTER_DASH.fullmatch(build_name)
    return (named[1] if named else None), None


def package_asked_for(spec: str) -> str | None:
    """The package that a spec names as its user typed it; None where that is no single one."""
    try:
        name = parse_spec(spec).name
    except SpecSyntaxError:
        return None
    return name if name is not None and re.fullmatch(_NAME, name) else None


def _hash_in_paths(package: str, text: str) -> str | None:
    """Of a package that builds itself both are in the paths: its own stage tells them apart."""
    for before in ("spack-stage-", r"(?<![\w.+-])"):
        path = rf"{before}{re.escape(package)}-{_VERSION}-({_HASH})(?![\w-])"
        hashes = {found for lines in _some_lines(text) for found in re.findall(path, lines)}
        if hashes:
            return hashes.pop() if len(hashes) == 1 else None
    return None
