"""The builds that an address asks for: its query string as arguments of the GraphQL field `builds`."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.graph.spec_text import quoted
from spackmon.graph.spec_tokens import DependencySign, SpecSyntaxError, tokens

Condition = Mapping[str, Any]

_CONDITIONS: Mapping[str, Callable[[str], Condition]] = {
    "package": lambda value: {"package": {"name": {"eq": value}}},
    "status": lambda value: {"status": {"eq": value.upper()}},
    "compiler": lambda value: {"spec": {"compiler": _compiler(value)}},
    "tag": lambda value: {"tags": {"some": {"name": {"eq": value}}}},
    "owner": lambda value: {"owner": {"name": {"eq": value}}},
    "host": lambda value: {"environment": {"hostname": {"eq": value}}},
    "os": lambda value: {"environment": {"operatingSystem": {"eq": value}}},
    "target": lambda value: {"environment": {"target": {"eq": value}}},
    "from": lambda value: {"installedFrom": {"eq": value.upper()}},
    "class": lambda value: {"rootFailure": {"rootEvent": {"errorClass": {"eq": value}}}},
}
# Of one range the newest build is found by an index, and the walk begins there.
_TIMES = {"since": "ge", "until": "lt"}
WORDS = ("name", "version", *_CONDITIONS, *_TIMES, "satisfying", "where")
"""The words of a query string that say which builds are asked for."""


def asked_words(query: Mapping[str, str]) -> dict[str, str]:
    """Those of WORDS that a query string has a value for, without the blanks around it."""
    return {word: value for word in WORDS if (value := query.get(word, "").strip())}


def asked_builds(words: Mapping[str, str]) -> dict[str, Any]:
    """The arguments `where` and `satisfying` of the field `builds`, as far as words ask for them.

    `name` and `version` are of a package that a build contains, `where` is a BuildFilter as JSON. Raises
    Refused where `version` stands alone, `since` or `until` is no time, and `where` no JSON object.
    """
    conditions = [make(words[word]) for word, make in _CONDITIONS.items() if word in words]
    began = {operator: moment(word, words[word]) for word, operator in _TIMES.items() if word in words}
    if began:
        conditions.append({"startedAt": began})
    contained = {word: words[word] for word in ("name", "version") if word in words}
    if contained and "name" not in contained:
        raise Refused(Code.ARGUMENT_INVALID, "`version` needs the `name` of a package beside it")
    if contained:
        conditions.append({"dependency": contained})
    if "where" in words:
        conditions.append(filter_object("where", words["where"], "a BuildFilter"))
    arguments: dict[str, Any] = {}
    if conditions:
        arguments["where"] = conditions[0] if len(conditions) == 1 else {"and": conditions}
    if "satisfying" in words:
        arguments["satisfying"] = words["satisfying"]
    return arguments


def _compiler(text: str) -> Condition:
    name, _, version = text.partition("@")
    return {"name": {"eq": name}, **({"version": {"eq": version}} if version else {})}


def moment(word: str, text: str) -> str:
    """A day or a time that a word of an address holds, in UTC if it says no zone. Raises Refused."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        sentence = f"`{word}` must be a day or a time, as 2026-03-01 or 2026-03-01T06:00:00Z"
        raise Refused(Code.ARGUMENT_INVALID, sentence) from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


def filter_object(word: str, text: str, kind: str) -> Condition:
    """A filter that a word of an address holds as JSON. Raises Refused where it is no JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Refused(Code.ARGUMENT_INVALID, f"`{word}` must be a JSON object, the value of {kind}")
    return value


def narrowed(spec: str, key: str, value: str) -> str:
    """A spec that asks the same and that its root has this value, too."""
    part = f"{key}={quoted(value)}"
    try:
        signs = [token.start for token in tokens(spec) if isinstance(token, DependencySign)]
    except SpecSyntaxError:
        return part
    end = signs[0] if signs else len(spec)
    return " ".join(filter(None, (spec[:end].strip(), part, spec[end:].strip())))
