"""Which errors are the same failure: on other machines, under other prefixes, with other hashes.

The normal form of an error is its tool's family, its class, the name of its source, and its message without
what changes from build to build; the group is a short hash of it. The normal form is what explains a group.
"""

import hashlib
import re
from pathlib import PurePosixPath

from spackmon.logs.event import Event
from spackmon.logs.fingerprint import fingerprint

VERSION = 1
"""Groups of different versions are not to be compared."""

_FAMILIES = {
    "g++": "gcc", "cc1": "gcc", "cc1plus": "gcc", "c++": "gcc", "cc": "gcc", "collect2": "ld", "ld.bfd": "ld",
    "ld.gold": "ld", "gmake": "make", "clang++": "clang", "ginstall": "install", "python3": "python",
}  # fmt: skip
_STAGE = re.compile(r"spack-stage-(?P<name>[\w.+-]+?)-[a-z2-7]{32}\b")
_TEMPORARY = re.compile(
    r"(?:/tmp/|/var/tmp/|\b)(?:cc[A-Za-z0-9]{6}|tmp[\w.]{6,}|pip-[\w-]+|build-via-sdist-\w+)(?=[./:'\"\s]|$)(?:\.[a-z]+)?"
)
_HOST = re.compile(
    r"(?<![\w/.-])(?:[a-z0-9-]+\.){2,}[a-z]{2,}(?::\d+)?(?![\w/.-])|(?<![\w/.-])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
)
_URL = re.compile(r"\b(?:https?|ftp|ssh|git)://[^/\s'\"]+")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?|\b\d\d:\d\d:\d\d\b")
_PLACE = re.compile(r":\d+(?::\d+)?(?=[:)\s,]|$)|\(\.[a-z]+[\w.]*(?:\[\w+\])*\+0x[0-9a-f]+\)")
_DURATION = re.compile(r"\b\d+(?:\.\d+)?(?= ?(?:ms|s|sec|seconds|milliseconds|bytes|kB|MB|GB)\b)")


def normal_form(event: Event) -> str:
    """What all errors of one group have in common, readable."""
    tool = _FAMILIES.get(event.tool, event.tool)
    source = _normal(PurePosixPath(event.source_file).name) if event.source_file else ""
    return f"v{VERSION} | {tool} | {event.class_name} | {source} | {_normal(event.message)}"


def group(event: Event) -> str:
    """16 hexadecimal digits."""
    return hashlib.sha256(normal_form(event).encode("utf-8", "replace")).hexdigest()[:16]


def _normal(text: str) -> str:
    text = _STAGE.sub(r"\g<name>", text[:2000])
    text = _TEMPORARY.sub("temporary", text)
    text = _TIME.sub("#", text)
    text = _URL.sub("#", text)
    text = _HOST.sub("#", text)
    text = _PLACE.sub("", text)
    return fingerprint(_DURATION.sub("#", text))
