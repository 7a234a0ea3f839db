"""What the tools of a build print, as data: patterns/*.toml, each with examples that are its tests.

A rule has a `name`, a `tool`, a `pattern` that matches from the start of a line, and `anchors`, words of
which the line has one (see prefilter). `kind` is error, warning or mark; `role` says what an error is:

- primary: the diagnostic itself (the default);
- consequence: what follows from one, such as `make: *** [x.o] Error 1`; with `hint`, one that stands for
  the diagnostic where no other is there (`FAIL: t-mesh.sh`);
- ignored and context: no event; marks: phase, excerpt, passed, forgives.

`loose` marks what programs also print when nothing is wrong: such an error counts if the build stops soon
after. `probe` marks what configure's and CMake's checks print on purpose. `block` and `context` name what
belongs to the event below and above its line (blocks.py, surroundings.py), and `needs` what must. `join`
makes a message of several groups, `strip` takes from it, `unless` excepts lines, `target` finds what make
could not build, `follow_up` messages that only follow from an error, `after` the classes of another tool's
error from which one follows that stands shortly below it. In a pattern `{place}` is
`file:line:column`, `{paren}` is `file(line,column)`; `{error}` and `{warning}` are the words in the languages
of gcc.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

ERROR_WORDS = (
    "error", "Error", "ERROR", "Fehler", "erreur", "ошибка", "エラー", "错误", "錯誤", "erro", "errore",
    "błąd", "fel", "hata", "помилка", "오류", "fout", "chyba", "virhe", "fejl", "lỗi", "galat", "σφάλμα",
    "грешка", "greška",
)  # fmt: skip
WARNING_WORDS = (
    "warning", "Warning", "Warnung", "attention", "avertissement", "aviso", "avís", "предупреждение", "警告",
    "attenzione", "avviso", "ostrzeżenie", "varning", "uyarı", "попередження", "경고", "waarschuwing",
    "varování", "varoitus", "advarsel", "cảnh báo", "peringatan",
    "προειδοποίηση", "упозорење", "upozorenje",
)  # fmt: skip

_FILE = r"(?P<file>(?:[A-Za-z]:)?[^\s:()'\"|<>,=\[\]][^\s:()'\"|<>,]*)"
_MACROS = {
    "{place}": _FILE + r":(?P<line>\d+)(?:[:.](?P<column>\d+))?(?:-\d+(?:[.:]\d+)?)?",
    "{paren}": r"(?P<file>(?:[A-Za-z]:)?[^\s:()'\"|<>,=][^:()'\"|<>]*)\((?P<line>\d+)(?:,(?P<column>\d+))?\)",
    "{error}": "|".join(ERROR_WORDS),
    "{warning}": "|".join(WARNING_WORDS),
}
# The order in which rules are tried: what a tool says of itself comes before what any program may say.
_ORDER = ("spack", "builders", "linkers", "tests", "languages", "compilers", "commands", "generic")


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One form of a line; see the module's text for the fields."""

    name: str
    pattern: re.Pattern[str]
    anchors: tuple[str, ...]
    tool: str
    kind: str
    role: str
    class_name: str
    block: str
    context: str
    needs: str
    loose: bool
    probe: bool
    hint: bool
    unless: re.Pattern[str] | None
    target: re.Pattern[str] | None
    follow_up: re.Pattern[str] | None
    after: tuple[str, ...]
    join: str
    strip: re.Pattern[str] | None
    examples: tuple[str, ...] = field(repr=False)
    inside: tuple[str, ...] = field(repr=False)


@cache
def shipped() -> tuple[Rule, ...]:
    """The rules that come with spackmon, in the order in which they are tried."""
    folder = files("spackmon.logs") / "patterns"
    return tuple(
        rule
        for name in _ORDER
        for rule in read(tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))["rule"])
    )


def read(documents: Iterable[Mapping[str, Any]]) -> Sequence[Rule]:
    """Rules as TOML has them. Raises KeyError, TypeError or re.error where one is not a rule."""
    return [_rule(document) for document in documents]


def _rule(document: Mapping[str, Any]) -> Rule:
    anchors = tuple(word for anchor in document["anchors"] for word in _expanded(anchor))
    return Rule(
        name=document["name"],
        pattern=_compiled(document["pattern"]),
        anchors=anchors,
        tool=document.get("tool", ""),
        kind=document.get("kind", "error"),
        role=document.get("role", "primary"),
        class_name=document.get("class", ""),
        block=document.get("block", ""),
        context=document.get("context", ""),
        needs=document.get("needs", ""),
        loose=document.get("loose", False),
        probe=document.get("probe", False),
        hint=document.get("hint", False),
        unless=_compiled(document["unless"]) if "unless" in document else None,
        target=_compiled(document["target"]) if "target" in document else None,
        follow_up=_compiled(document["follow_up"]) if "follow_up" in document else None,
        after=tuple(document.get("after", ())),
        join=document.get("join", ""),
        strip=_compiled(document["strip"]) if "strip" in document else None,
        examples=tuple(document["examples"]),
        inside=tuple({word.strip("\n").removeprefix("*") for word in anchors}),
    )


def _expanded(anchor: str) -> Iterable[str]:
    if anchor in ("@error", "@warning"):
        for word in ERROR_WORDS if anchor == "@error" else WARNING_WORDS:
            yield from (f"{word}:", f"{word} :", f"{word}：")
    else:
        yield anchor


def _compiled(pattern: str) -> re.Pattern[str]:
    for macro, meaning in _MACROS.items():
        pattern = pattern.replace(macro, meaning)
    return re.compile(pattern)
