"""Which errors are the same failure: on other machines, under other prefixes, with other hashes.

The normal form of an error is its tool's family, its class, the name of its source, and its message without
what changes from build to build; the fingerprint is a short hash of it. The normal form, and what was blanked
to make it, explain a group.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from spackmon.logs import fingerprint as rest
from spackmon.logs.event import Event
from spackmon.logs.fingerprint import Step, has_digit

VERSION = 1
"""Fingerprints of different versions are not to be compared; `spackmon log regroup` makes them new."""

_FAMILIES = {
    "g++": "gcc", "cc1": "gcc", "cc1plus": "gcc", "c++": "gcc", "cc": "gcc", "collect2": "ld", "ld.bfd": "ld",
    "ld.gold": "ld", "gmake": "make", "clang++": "clang", "ginstall": "install", "python3": "python",
}  # fmt: skip
_READ = 2000  # characters of a message
_STEPS = (
    Step(
        "STAGE",
        lambda text: "spack-stage-" in text,
        re.compile(r"spack-stage-(?P<name>[\w.+-]+?)-[a-z2-7]{32}\b"),
        r"\g<name>",
    ),
    Step(
        "TEMPORARY_NAME",
        re.compile("cc|tmp|pip-|build-via-sdist-").search,
        re.compile(
            r"(?:/tmp/|/var/tmp/|\b)(?:cc[A-Za-z0-9]{6}|tmp[\w.]{6,}|pip-[\w-]+|build-via-sdist-\w+)"
            r"(?=[./:'\"\s]|$)(?:\.[a-z]+)?"
        ),
        "temporary",
    ),
    Step(
        "TIME",
        re.compile(r"\d:\d\d").search,
        re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?|\b\d\d:\d\d:\d\d\b"),
        "#",
    ),
    Step(
        "URL",
        lambda text: "://" in text,
        re.compile(r"\b(?:https?|ftp|ssh|git)://[^/\s'\"]+"),
        "#",
    ),
    Step(
        "HOST",
        lambda text: text.count(".") > 1,
        re.compile(
            r"(?<![\w/.-])(?:[a-z0-9-]+\.){2,}[a-z]{2,}(?::\d+)?(?![\w/.-])"
            r"|(?<![\w/.-])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
        ),
        "#",
    ),
    Step(
        "PLACE",
        has_digit,
        re.compile(r":\d+(?::\d+)?(?=[:)\s,]|$)|\(\.[a-z]+[\w.]*(?:\[\w+\])*\+0x[0-9a-f]+\)"),
        "",
    ),
    Step(
        "AMOUNT",
        has_digit,
        re.compile(r"\b\d+(?:\.\d+)?(?= ?(?:ms|s|sec|seconds|milliseconds|bytes|kB|MB|GB)\b)"),
        "#",
    ),
)


@dataclass(frozen=True, slots=True)
class Blanked:
    """A piece of an error's text that its fingerprint leaves out; `kind` says why."""

    kind: str
    text: str


def normal_form(event: Event) -> str:
    """What all errors of one group have in common, readable."""
    tool = _FAMILIES.get(event.tool, event.tool)
    source = normal_text(PurePosixPath(event.source_file).name) if event.source_file else ""
    return f"v{VERSION} | {tool} | {event.class_name} | {source} | {normal_text(event.message)}"


def group(event: Event) -> str:
    """The fingerprint: 16 hexadecimal digits."""
    return digest(normal_form(event))


def digest(form: str) -> str:
    """The fingerprint of a normal form."""
    return hashlib.sha256(form.encode("utf-8", "replace")).hexdigest()[:16]


def blanked(event: Event) -> tuple[Blanked, ...]:
    """What the normal form leaves out of the message and the source, in the order in which it goes."""
    found = list(_blanked(event.message))
    directory, slash, _ = event.source_file.rpartition("/")
    if slash:
        found.insert(0, Blanked("DIRECTORY", directory + slash))
    if event.source_line is not None:
        found.append(Blanked("SOURCE_LINE", str(event.source_line)))
    return tuple(found)


def normal_text(text: str) -> str:
    """A line without what changes from build to build."""
    text = text[:_READ]
    for step in _STEPS:
        text = step.of(text)
    return rest.fingerprint(text)


def _blanked(text: str) -> Iterator[Blanked]:
    text = text[:_READ]
    for step in _STEPS:
        yield from (Blanked(step.kind, match[0]) for match in step.pattern.finditer(text))
        text = step.of(text)
    yield from (Blanked(kind, piece) for kind, piece in rest.blanked(text))
