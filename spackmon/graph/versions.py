"""Version strings as bytes that sort as Spack sorts versions, so that a range of versions is an index range.

The rules are those of `spack.version` in Spack 1.2: components are runs of digits or of letters, separators
never matter; words sort below numbers, except the branch names that mean "newest"; a trailing alpha, beta or
rc makes a prerelease. A key is self-delimiting (no version's key is the beginning of another's), and a git
version `git.<ref>=<version>` is the key of its version with the ref behind it: just after that version,
before everything else.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

KeyRange: TypeAlias = tuple[bytes, bytes]
"""The keys from the first on and below the second."""

_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PLAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_GIT_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")

_NEWEST = ("stable", "nightly", "trunk", "head", "master", "main", "develop")
_ALPHA, _BETA, _RELEASE_CANDIDATE, _FINAL = 1, 2, 3, 4
_PRERELEASES = {"alpha": _ALPHA, "beta": _BETA, "rc": _RELEASE_CANDIDATE, "final": _FINAL}

# What begins each part of a key, in the order in which the parts sort: a release that ends is older than
# one that goes on, and a ref whose version is unknown is older than every version.
_UNKNOWN, _END, _WORD, _NUMBER, _BRANCH, _AFTER_ALL = (bytes([order]) for order in range(6))


class BadVersionRange(ValueError):  # noqa: N818 -- named for what it says about the text
    """A text that Spack does not read as a list of versions and ranges; the message says which part."""


class _Version(NamedTuple):
    """Components as texts: digits without leading zeros ("" is 0) or letters; `number` of rc1 is "1"."""

    release: list[str]
    stage: int
    number: str | None


def version_key(version: str) -> bytes:
    """The key of a version; equal versions (`1.2-3`, `1.2.3`) have equal keys. Takes any string.

    Characters that Spack allows in no version count as separators. A git ref without a version (`git.main`,
    a commit) sorts below all versions: only the package's repository could tell where it belongs.
    """
    ref, equals, assigned = version.strip().partition("=")
    if equals and ref:
        return _key(_parse(assigned)) + _END + _ref_name(ref)
    if ref.startswith("git.") or _COMMIT.fullmatch(ref):
        return _UNKNOWN + _ref_name(ref)
    return _key(_parse(version))


def version_ranges(text: str) -> tuple[KeyRange, ...]:
    """The keys that satisfy a constraint such as `@1.2:1.4,=1.6`, as ascending ranges with gaps between.

    None where nothing can satisfy it (`@develop:main`). The leading `@` may be missing. Raises
    BadVersionRange.
    """
    parts = "".join(text.split()).removeprefix("@").split(",")
    ranges = sorted(map(_range, parts))
    return tuple(_merged((low, high) for low, high in ranges if low < high))


def _range(part: str) -> KeyRange:
    if part == ":":
        # Every version, the refs that nobody can place among them.
        return b"", _AFTER_ALL
    if ":" in part:
        first, _, last = part.partition(":")
        low = _key(_parse(_plain(first, part))) if first else _END
        high = _key_above(_parse(_plain(last, part))) if last else _AFTER_ALL
        if low > high:
            raise BadVersionRange(f"the range {part!r} holds no version")
        return low, high
    exact = part.removeprefix("=")
    ref, equals, assigned = exact.partition("=")
    if equals:
        _plain(assigned, part)
    if equals or ref.startswith("git.") or _COMMIT.fullmatch(ref):
        if not _GIT_REF.fullmatch(ref.removeprefix("git.")):
            raise BadVersionRange(f"{ref!r} in {part!r} is no git ref")
        return _only(exact)
    if exact != part:
        return _only(_plain(exact, part))
    version = _parse(_plain(part, part))
    return _key(version), _key_above(version)


def _only(version: str) -> KeyRange:
    key = version_key(version)
    return key, key + b"\x00"


def _plain(version: str, part: str) -> str:
    if not _PLAIN.fullmatch(version):
        raise BadVersionRange(f"{version!r} in {part!r} is no version")
    return version


def _merged(ranges: Iterable[KeyRange]) -> Iterator[KeyRange]:
    """Overlapping and touching neighbours as one: nothing is found twice, and `@3.31:,4:` is one search."""
    pending: KeyRange | None = None
    for low, high in ranges:
        if pending is None or low > pending[1]:
            if pending is not None:
                yield pending
            pending = low, high
        else:
            pending = pending[0], max(pending[1], high)
    if pending is not None:
        yield pending


def _parse(version: str) -> _Version:
    # lstrip leaves nothing of a zero, which so is shorter than every other number; letters have no zeros.
    release = [segment.lstrip("0") for segment in _SEGMENT.findall(version)]
    if len(release) >= 3 and release[-2] in _PRERELEASES and not release[-1].isalpha():
        return _Version(release[:-2], _PRERELEASES[release[-2]], release[-1])
    if len(release) >= 2 and release[-1] in _PRERELEASES:
        return _Version(release[:-1], _PRERELEASES[release[-1]], None)
    return _Version(release, _FINAL, None)


def _key(version: _Version) -> bytes:
    return _joined(map(_component, version.release), version)


def _key_above(version: _Version) -> bytes:
    """The end of the range of all that begins as `version` does: Spack bumps the last component.

    So 3.6-beta1, older than 3.6, is still in `@:3.5`; a prerelease bumps its own number.
    """
    if version.stage != _FINAL:
        return _key(version._replace(number="" if version.number is None else _plus_one(version.number)))
    if not version.release:
        return _key(version._replace(release=["A"]))
    *leading, last = version.release
    return _joined([*map(_component, leading), _component_above(last)], version)


def _joined(components: Iterable[bytes], version: _Version) -> bytes:
    number = b"" if version.number is None else _number(version.number)
    return b"".join((*components, _END, bytes([version.stage]), number, _END))


def _component(component: str) -> bytes:
    if not component.isalpha():
        return _number(component)
    if component in _NEWEST:
        return _BRANCH + bytes([_NEWEST.index(component)])
    return _WORD + component.encode("ascii") + b"\x00"


def _component_above(component: str) -> bytes:
    if not component.isalpha():
        return _number(_plus_one(component))
    if component in _NEWEST:
        return _BRANCH + bytes([_NEWEST.index(component) + 1])
    above = _next_word(component)
    return _component(_next_word(above) if above in _NEWEST else above)


def _next_word(word: str) -> str:
    if word.endswith("z"):
        return word + "A"
    return word[:-1] + ("a" if word.endswith("Z") else chr(ord(word[-1]) + 1))


def _plus_one(digits: str) -> str:
    """Decimal text plus one; Python's int reads at most 4,300 digits."""
    kept = digits.rstrip("9")
    carried = "0" * (len(digits) - len(kept))
    return kept[:-1] + str(int(kept[-1]) + 1) + carried if kept else "1" + carried


def _number(digits: str) -> bytes:
    """The count of digits before them: a longer number is larger, whatever its length."""
    full, rest = divmod(len(digits), 255)
    return _NUMBER + b"\xff" * full + bytes([rest]) + digits.encode("ascii")


def _ref_name(ref: str) -> bytes:
    return ref.removeprefix("git.").encode("utf-8", "surrogatepass")
