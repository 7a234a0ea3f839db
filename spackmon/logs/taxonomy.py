"""Classes of failures and whom they concern, as data: taxonomy.toml, and a site's own rules before it."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from spackmon.logs.event import Event

BLAMES = ("package", "environment", "infrastructure")
_of_site: list["Taxonomy"] = []
_VERSION = re.compile(r"-[\d.]+$")


class NotATaxonomy(ValueError):  # noqa: N818 -- what the file is not
    """A file of classes is not one; the text says where."""


@dataclass(frozen=True, slots=True)
class _Rule:
    class_name: str
    pattern: re.Pattern[str]
    tools: Collection[str]
    not_tools: Collection[str]
    not_classes: Collection[str]
    example: str


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Of each class whom it concerns and what it means; tools whose errors are compile errors; rules."""

    blames: Mapping[str, str]
    descriptions: Mapping[str, str]
    compilers: frozenset[str]
    rules: tuple[_Rule, ...]

    def class_of(self, event: Event, suggested: str) -> str:
        """The class of an error whose form suggests `suggested` (empty where it suggests none)."""
        for rule in self.rules:
            if rule.tools and event.tool not in rule.tools:
                continue
            if event.tool in rule.not_tools or suggested in rule.not_classes:
                continue
            if rule.pattern.search(event.message):
                return rule.class_name
        return suggested or ("compile" if _without_version(event.tool) in self.compilers else "other")

    def blame(self, class_name: str) -> str:
        """package, environment or infrastructure."""
        return self.blames[class_name]


@cache
def shipped() -> Taxonomy:
    """The classes and rules that come with spackmon."""
    return _taxonomy(
        tomllib.loads((files("spackmon.logs") / "taxonomy.toml").read_text(encoding="utf-8")), None
    )


def with_rules_of(text: str) -> Taxonomy:
    """The shipped taxonomy with a site's classes and rules, in TOML, before it.

    Raises NotATaxonomy where the text is no TOML, or a rule names a class that is not there.
    """
    try:
        return _taxonomy(tomllib.loads(text), shipped())
    except tomllib.TOMLDecodeError as error:
        raise NotATaxonomy(f"the rules are no TOML: {error}") from None


def of_site() -> Taxonomy:
    """The taxonomy by which this process classifies what it stores: the shipped one, or the site's."""
    return _of_site[0] if _of_site else shipped()


def use_for_site(taxonomy: Taxonomy) -> None:
    """Classify what is stored by this taxonomy.

    Logs are read in threads, far below whoever knows the settings: it is of the process, as those are.
    """
    _of_site[:] = [taxonomy]


def _without_version(tool: str) -> str:
    return _VERSION.sub("", tool)


def _taxonomy(document: Mapping[str, Any], base: Taxonomy | None) -> Taxonomy:
    blames = dict(base.blames) if base else {}
    descriptions = dict(base.descriptions) if base else {}
    for name, entry in _table(document, "classes").items():
        if not isinstance(entry, dict) or entry.get("blame") not in BLAMES:
            raise NotATaxonomy(f"classes.{name}.blame is one of {', '.join(BLAMES)}")
        blames[name] = entry["blame"]
        descriptions[name] = str(entry.get("description", ""))
    rules = document.get("rule", [])
    if not isinstance(rules, list):
        raise NotATaxonomy("rule is a list of tables: [[rule]]")
    own = tuple(_rule(rule, position, blames) for position, rule in enumerate(rules, start=1))
    compilers = _names(document, "compilers") | (base.compilers if base else frozenset())
    return Taxonomy(blames, descriptions, compilers, own + (base.rules if base else ()))


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise NotATaxonomy(f"{name} is a table")
    return table


def _rule(rule: Any, position: int, classes: Collection[str]) -> _Rule:
    where = f"rule {position}"
    if not isinstance(rule, dict) or not isinstance(rule.get("pattern"), str):
        raise NotATaxonomy(f"{where} has a pattern: a regular expression")
    if rule.get("class") not in classes:
        raise NotATaxonomy(f"{where} names the class {rule.get('class')!r}, which [classes] does not have")
    try:
        pattern = re.compile(rule["pattern"], re.IGNORECASE)
    except re.error as error:
        raise NotATaxonomy(f"the pattern of {where} is no regular expression: {error}") from None
    return _Rule(
        rule["class"], pattern, _names(rule, "tool"), _names(rule, "not_tool"), _names(rule, "not_class"),
        str(rule.get("example", "")),
    )  # fmt: skip


def _names(rule: Mapping[str, Any], key: str) -> frozenset[str]:
    value = rule.get(key, [])
    return frozenset([value] if isinstance(value, str) else value)
