"""Which lines around the head of a diagnostic belong to it, by the form its tool gives them.

Each function gets the head's line and the lines below it, and says how many of these belong to it, and
what of them completes the message. The lines above are looked at the same way.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

_MOST_HEADINGS = 12
_SAID_BY_R = 3
MOST_LINES = 120
"""No event is longer: what follows is looked at for events of its own."""


@dataclass(frozen=True, slots=True)
class Block:
    """`lines` below the head belong to it; the event's own line is `head` lines below that of the pattern.

    `message`, `file`, `line` and `column` replace what the pattern read where they are given.
    """

    lines: int = 0
    head: int = 0
    message: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None


_Reader = Callable[[str, Iterator[str]], Block]

_SOURCE = re.compile(r"^\s*\d* ?\|")
_JAVAC = re.compile(
    r"^  (?:symbol|location|required|found|reason|where|missing type|[A-Z]\w* extends|If this|See the)"
)
_PLACE = re.compile(r"^\S+:\d+")
_CARET = re.compile(r"^\s*[~^][\s~^|]*$")
_NOTE = re.compile(
    r"^(?:\S+?(?::\d+){1,2}|\S+\(\d+\)):\s+(?:note|Anmerkung|замечание|備考|附注|remark|required|recursively|nota)"
    r"|^\s+(?:from|inlined from) |^In file included from|^\S+: In (?:instantiation|substitution) of"
)


def _excerpt(head: str, following: Iterator[str]) -> Block:
    """gcc's and clang's source lines, carets, hints and notes."""
    lines = _Ahead(following)
    count = 0
    while (line := lines[count]) is not None:
        if _SOURCE.match(line) or _CARET.match(line) or _is_note(lines, count) or _JAVAC.match(line):
            count += 1
        elif _CARET.match(lines[count + 1] or "") and not _PLACE.match(line):
            count += 2
        elif count and _CARET.match(lines[count - 1] or "") and line.startswith("  ") and line.strip():
            count += 1  # what clang would have written instead
        else:
            break
    return Block(count)


class _Ahead:
    """Lines that are read when somebody looks at them; None after the last."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._read: list[str] = []

    def __getitem__(self, position: int) -> str | None:
        while len(self._read) <= position:
            line = next(self._lines, None)
            if line is None:
                return None
            self._read.append(line)
        return self._read[position]


def _is_note(lines: _Ahead, position: int) -> bool:
    """Whether a note begins there: headings of includes and templates belong to the note or error below."""
    for ahead in range(position, position + _MOST_HEADINGS):
        line = lines[ahead]
        if line is None or not _NOTE.match(line):
            return False
        if ": note:" in line or "Anmerkung:" in line:
            return True
    return False


def _indented(head: str, following: Iterator[str]) -> Block:
    count = blank = 0
    for number, line in enumerate(following, start=1):
        if not line.strip():
            blank += 1
            if blank > 1:
                break
        elif line[0] in " \t":
            count, blank = number, 0
        else:
            break
        if number > 40:
            break
    return Block(count)


def _indented_one(head: str, following: Iterator[str]) -> Block:
    first = next(following, "")
    return Block(1 if first.startswith("  ") and first.strip() else 0)


def _all_that(belongs: Callable[[str], object]) -> _Reader:
    """The lines up to the first that does not belong to the head."""

    def block(head: str, following: Iterator[str]) -> Block:
        return Block(sum(1 for _ in takewhile(belongs, following)))

    return block


_SAID_BY_CMAKE = 400


def _cmake(head: str, following: Iterator[str]) -> Block:
    """CMake indents a message by two columns and closes it with two empty lines; its first paragraphs
    say what is wrong."""
    count = 0
    said: list[str] = []
    is_said = False
    for number, line in enumerate(following, start=1):
        if line.strip() and not line.startswith("  ") and not line.startswith("Call Stack"):
            break
        if line.strip():
            count = number
        if line.startswith("Call Stack"):
            is_said = True
        elif line.strip() and not is_said and sum(map(len, said)) < _SAID_BY_CMAKE:
            said.append(line.strip())
    return Block(count, message=f"{head.strip()} {' '.join(said)}".strip())


_PYTHON_END = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?::|$)")
_CHAIN = re.compile(r"^(?:During handling of the above exception|The above exception was the direct cause)")
_PYTHON_FILE = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')


def _traceback(head: str, following: Iterator[str]) -> Block:
    """Python's traceback ends in the exception, which is the event; of a chain the last counts."""
    indent = len(head) - len(head.lstrip(" |"))
    ended, message, file, place = 0, "", "", None
    in_frames = True
    for number, raw in enumerate(following, start=1):
        line = raw[indent:] if not raw[:indent].strip(" |") else raw
        if in_frames:
            if frame := _PYTHON_FILE.match(line):
                file, place = frame["file"], int(frame["line"])
            elif line[:1].strip() and not line.startswith("+"):
                if not _PYTHON_END.match(line):
                    break
                ended, message, in_frames = number, line.strip(), False
        elif line.startswith("Traceback (most recent call last):"):
            in_frames = True
        elif line.strip() and not _CHAIN.match(line):
            break
    return Block(ended, ended, message, file, place)


def _pytest(head: str, following: Iterator[str]) -> Block:
    """To the next test's heading: all that a failed test printed is its own."""
    count, file, place = 0, "", None
    for number, line in enumerate(following, start=1):
        if line.startswith(("____", "====", "FAILED ")):
            break
        count = number
        if not file and (spot := re.match(r"^(?P<file>[^\s:]+\.py):(?P<line>\d+): \w+", line)):
            file, place = spot["file"], int(spot["line"])
            if _is_last_of_test(line):
                break
    return Block(count, file=file, line=place)


def _is_last_of_test(line: str) -> bool:
    return bool(re.search(r"(?:Error|Exception|Failed)\b", line))


def _rust(head: str, following: Iterator[str]) -> Block:
    file, place, column = "", None, None
    count = 0
    for line in following:
        if not line.strip() or re.match(r"^(?:error|warning)(?:\[|:)", line):
            break
        count += 1
        if not file and (spot := re.match(r"^\s*--> (?P<file>.+?):(?P<line>\d+):(?P<column>\d+)", line)):
            file, place, column = spot["file"], int(spot["line"]), int(spot["column"])
    return Block(count, file=file, line=place, column=column)


_LACKS = re.compile(
    r"(?:could not find|The) system library ['`][^'`]+['`](?: required by (?:the |crate )?['`][^'`]+['`])?"
    r"(?: crate| was not found)?|No package '[^']+' found"
    r"|Package '?[^\s',]+'?(?:, required by '[^']+',)? (?:was )?not found(?: in the pkg-config search path)?"
    r"|Could not find directory of \S+ installation"
    r"|(?i:unable|failed|could not|couldn't|cannot) (?:to )?(?:find|locate|link) (?:[\w'`.+/-]+ ){0,4}?"
    r"['`]?(?i:librar(?:y|ies)|lib\w[\w+.-]*|headers?)\b['`]?"
)


def _cargo(head: str, following: Iterator[str]) -> Block:
    """cargo's `Caused by:` paragraphs, and what a build script printed where it lacks a library."""
    count = 0
    causes: list[str] = []
    for number, line in enumerate(following, start=1):
        if "--- std" in line:
            if lacks := _lacking(following, number):
                return lacks
            break
        if line.startswith((" ", "\t", "Caused by", "note:", "help:")):
            if line.startswith("  ") and count and number == count + 1:
                causes.append(line.strip())
            count = number
        elif line.strip():
            break
    return Block(count, message="; ".join([head.partition(": ")[2], *causes[-1:]]))


def _lacking(following: Iterator[str], number: int) -> Block | None:
    """The first line of a build script's output, which is indented, that names a library it lacks."""
    last, found = number, None
    for at, line in enumerate(following, start=number + 1):
        if line.strip() and not line.startswith(" "):
            break
        if found is None and (match := _LACKS.search(line)):
            found = Block(at, at, match[0])
        last = at if line.strip() else last
    return None if found is None else replace(found, lines=last)


def _panic(head: str, following: Iterator[str]) -> Block:
    """The message of a panic stands below its place, and the backtrace below that."""
    lines: list[str] = []
    for line in following:
        if not line.strip() or (lines and line.strip().startswith("note: run with")):
            break
        lines.append(line)
    if "panicked at '" in head or not lines:
        return Block(len(lines))
    return Block(len(lines), 1, lines[0].strip())


def _is_of_failed_check(line: str) -> bool:
    return line.lstrip().startswith("#") and "Looks like" not in line and "Failed test" not in line


def _cray(head: str, following: Iterator[str]) -> Block:
    """Cray's compilers say below the head, indented by two columns, what is wrong."""
    said: list[str] = []
    for line in following:
        if not re.match(r"^ {2}\S", line):
            break
        said.append(line.strip())
    return Block(len(said), message=" ".join(said))


def _boxed(head: str, following: Iterator[str]) -> Block:
    """What stands below the head between a line of dashes and one of asterisks."""
    said: list[str] = []
    count = 0
    for line in following:
        if line.startswith("****") or (not line.strip() and said):
            break
        count += 1
        if line.strip(" -="):
            said.append(line.strip())
    return Block(count, message=" ".join([head.strip(), *said[:4]]))


def _npm(head: str, following: Iterator[str]) -> Block:
    """All of npm's lines are one event; its code and its first sentence say what is wrong."""
    said = [head.partition("npm ")[2].partition(" ")[2]]
    count = 0
    for line in following:
        if not line.startswith("npm ") or line.startswith(("npm WARN", "npm warn")):
            break
        count += 1
        if line.rstrip().endswith(".log"):
            break
        words = line.split(" ", 2)[2] if line.count(" ") > 1 else ""
        if (
            len(said) < 3
            and words
            and not re.match(r"(?:errno|syscall|path|command|A complete log)\b", words)
        ):
            said.append(words.strip())
    return Block(count, message=" ".join(said))


def _patch(head: str, following: Iterator[str]) -> Block:
    """To the line in which patch gives up; the file it sought tells two such failures apart."""
    count, sought = 0, ""
    for number, line in enumerate(following, start=1):
        if match := re.match(r"^\|(?:---|\+\+\+) (?P<file>\S+)", line):
            sought = sought or match["file"]
        if re.match(r"^\d+ out of|^patching file|^Hunk ", line) or number > 30:
            break
        count = number
        if line.startswith(("No file to patch", "File to patch")):
            break
    return Block(count, message=f"{head}: {sought}" if sought else "")


def _gtest(head: str, following: Iterator[str]) -> Block:
    said: list[str] = []
    for line in following:
        if not line.strip() or "[ " in line[:14] or re.match(r"^\S+:\d+: Failure", line):
            break
        said.append(line.strip())
    return Block(len(said), message=" ".join(said[:4]))


def _catch2(head: str, following: Iterator[str]) -> Block:
    said: list[str] = []
    for line in following:
        if not line.startswith("  ") and line.strip() not in (
            "with expansion:",
            "due to unexpected exception with message:",
        ):
            break
        said.append(line.strip())
    return Block(len(said), message=" ".join(said))


def _r(head: str, following: Iterator[str]) -> Block:
    """R breaks a message after the call that failed: what is wrong stands below, indented."""
    said = [line.strip() for line in takewhile(lambda line: line[:1] == " " and line.strip(), following)]
    head = re.sub(r"^(?:Error|ERROR): ", "", head.strip())
    return Block(len(said), message=" ".join([head, *said[:_SAID_BY_R]])) if said else Block()


def _what(head: str, following: Iterator[str]) -> Block:
    first = next(following, "").strip()
    return Block(1, message=f"{head.strip()} {first}") if first.startswith("what():") else Block()


def _configure(head: str, following: Iterator[str]) -> Block:
    """What follows an empty `configure: error:` is its message."""
    said: list[str] = []
    for line in following:
        if not re.match(r"^See [`'].*config\.log'|^If you|^ {2,}\S", line):
            break
        said.append(line.strip(" *"))
    return Block(len(said), message=" ".join(said) if head.rstrip().endswith("error:") else "")


def _spack_reasons(head: str, following: Iterator[str]) -> Block:
    """The numbered reasons of the concretizer; the first distinguishes one failure from another."""
    lines = []
    for line in following:
        if not line.startswith(" ") or not line.strip():
            break
        lines.append(line)
    return Block(
        len(lines),
        message=" ".join([head.removeprefix("==> Error: "), *(line.strip() for line in lines[:2])]),
    )


def _nothing(head: str, following: Iterator[str]) -> Block:
    return Block()


READERS: dict[str, _Reader] = {
    "": _nothing,
    "none": _nothing,
    "boxed": _boxed,
    "r": _r,
    "cargo": _cargo,
    "catch2": _catch2,
    "cmake": _cmake,
    "configure": _configure,
    "cray": _cray,
    "excerpt": _excerpt,
    "fortran": _nothing,
    "gtest": _gtest,
    "hashes": _all_that(_is_of_failed_check),
    "indented": _indented,
    "indented-numbers": _all_that(re.compile(r"\d+\.\t| ?#\d+ |Stack dump|\s+").match),
    "indented-one": _indented_one,
    "java-stack": _all_that(re.compile(r"\s+(?:at |\.\.\.)|Caused by: |\s+Suppressed").match),
    "maven": _all_that(re.compile(r"(?:\[ERROR\])?\s{2,}(?:symbol|location|required|found|reason)").match),
    "node": _all_that(lambda line: line.startswith(("    at ", "  ", "- ", "}", "Require stack"))),
    "npm": _npm,
    "panic": _panic,
    "patch": _patch,
    "pytest": _pytest,
    "referenced": _all_that(lambda line: line.startswith((">>> ", "          ", "  >>> "))),
    "rust": _rust,
    "spack-reasons": _spack_reasons,
    "tabbed": _all_that(lambda line: line.startswith("\t")),
    "traceback": _traceback,
    "what": _what,
}
