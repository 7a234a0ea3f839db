"""What stands above a diagnostic: where it happened, and whether a check of configure or CMake printed it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_INCLUDED = re.compile(
    r"^In file included from |^ +from \S+|^\S+: (?:In |At global|Dans la|В функции|関数|在函数)"
    r"|^\S+?(?::\d+){1,2}:\s+(?:recursively )?required (?:from|by)|^\S+?(?::\d+){1,2}:\s+instantiated from"
)
_IN_FUNCTION = re.compile(
    r".*: (?:[Ii]n function|[Ii]n Funktion|dans la fonction|в функции) .*:$|.*関数 .*:$"
)
_FORTRAN = re.compile(r"^\s*(?P<file>\S.*?):(?P<line>\d+)(?:[:.](?P<column>\d+))?(?:-\d+)?:\s*$")
_CHECK_OPEN = re.compile(r"^checking (?:(?!\.\.\. ).)*(?:\.\.\. ?)?$")
_CONFIG_LOG = re.compile(r"^configure:\d+: |^\| (?:#|/\*|int |char )|^configure: failed program was")
_PROBE_FILE = re.compile(
    r"(?:^|/)(?:conftest|_configtest|configtest|testfile|cmTC_|tryrun|sanitycheck|CheckSymbolExists|check_\w+_src)[\w.]*"
    r"|/CMake(?:Tmp|Scratch)|/TryCompile|/meson-private/|\bconftest\b"
)


@dataclass(frozen=True, slots=True)
class Above:
    """`lines` above the head belong to the event; of these `first` says where it begins for its tool."""

    lines: int = 0
    file: str = ""
    line: int | None = None
    column: int | None = None


def above(kind: str, lines: Iterable[str]) -> Above | None:
    """What the lines above (the nearest first) say, by the form `kind`; None where they say nothing."""
    if kind == "fortran":
        return _fortran(lines)
    if kind == "in-function":
        return _directly(lines, _IN_FUNCTION)
    if kind == "configure-in":
        return _directly(lines, re.compile(r"^\S*configure: error: in [`'].*':$"))
    if kind == "patching-file":
        return _named_above(lines, re.compile(r"^patching file '?(?P<file>[^'\s]+)'?"))
    if kind == "python-file":
        return _named_above(lines, re.compile(r'^\s*(?:E\s+)?File "(?P<file>[^"]+)", line (?P<line>\d+)'))
    return _included(lines)


def _fortran(lines: Iterable[str]) -> Above | None:
    for count, line in enumerate(lines, start=1):
        if place := _FORTRAN.match(line):
            column = int(place["column"]) if place["column"] else None
            return Above(count, place["file"], int(place["line"]), column)
        if count > 6:
            return None
    return None


def _directly(lines: Iterable[str], form: re.Pattern[str]) -> Above | None:
    for line in lines:
        return Above(1) if form.match(line) else None
    return None


def _named_above(lines: Iterable[str], form: re.Pattern[str]) -> Above | None:
    for count, line in enumerate(lines, start=1):
        if named := form.match(line):
            found = named.groupdict()
            return Above(count, found["file"], int(found["line"]) if found.get("line") else None)
        if count > 8:
            return None
    return None


def _included(lines: Iterable[str]) -> Above | None:
    count = 0
    for line in lines:
        if not _INCLUDED.match(line):
            break
        count += 1
    return Above(count) if count else None


def is_probe(head: str, lines: Iterable[str]) -> bool:
    """Whether a check printed this head; `lines` are those above, the nearest first.

    It names a file that only checks compile, or stands below a check's question or in a copy of config.log.
    """
    if _PROBE_FILE.search(head):
        return True
    for count, line in enumerate(lines):
        if _CONFIG_LOG.match(line):
            return True
        if line.startswith("checking ") and _CHECK_OPEN.match(line):
            return count < 4
        if count >= 6 or line.startswith("==> "):
            return False
    return False
