"""What is stored of a text that holds secrets: MASK stands where one stood.

Masking twice is masking once: what is sent again, imported again or masked later is the same.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from spackmon.masking.rules import Rules

MASK = "[masked]"

# A document of settings is small; a larger one lists symbols or files.
_DOCUMENT_CHARACTERS = 1 << 20

# `://:x@` is the shortest text that a shape takes.
_SHORTEST = 6

# What a value follows: `NAME=`, `--name=`, `-DNAME:STRING=`, `?name=` and `--name `, perhaps in quotes.
_NAMED = re.compile(
    r"(?P<quote>[\"'])?(?:(?<![\w.-])(?P<option>-D|--?)?|(?P<query>[?&]))(?P<name>[A-Za-z_][\w.-]{0,127})"
    r"(?P<sign>(?::[A-Za-z]{1,20})?=|[ \t]{1,4}(?=[^\s-]))"
)
_VALUE = re.compile(r"\"(?:[^\"\\]|\\.)*+\"|'[^']*+'|(?:[^\s'\"\\&;,]|\\.)*+", re.DOTALL)
_TO_QUOTE = {quote: re.compile(rf"[^{quote}]*+") for quote in ("'", '"')}


def masked_variables(variables: Mapping[str, str], rules: Rules) -> dict[str, str]:
    """Variables of an environment, by name."""
    return {
        name: MASK if rules.is_secret(name, value) else masked_text(value, rules)
        for name, value in variables.items()
    }


def masked_text(text: str, rules: Rules) -> str:
    """A text: arguments of a command, a message, a value."""
    text = masked_shapes(text, rules)
    # What no option and no sign of equality stands in assigns nothing.
    if ("=" in text or "--" in text) and rules.hint.search(text):
        return _masked_assignments(text, rules)
    return text


def masked_shapes(text: str, rules: Rules) -> str:
    """A text in which only what looks like a secret is one."""
    if len(text) < _SHORTEST:
        return text
    for shape in rules.shapes:
        if any(anchor in text for anchor in shape.anchors):
            text = shape.pattern.sub(_replaced, text)
    return text


def masked_json(document: str, rules: Rules) -> str:
    """A JSON document; where nothing is masked it stays as it is written."""
    shaped = masked_shapes(document, rules)
    if len(shaped) > _DOCUMENT_CHARACTERS or rules.hint.search(shaped) is None:
        return shaped
    try:
        value = json.loads(shaped)
        masked = masked_value(value, rules)
        return shaped if masked == value else json.dumps(masked, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        return shaped


def masked_value(value: Any, rules: Rules) -> Any:
    """What a JSON document says. Raises RecursionError."""
    if isinstance(value, str):
        return masked_text(value, rules)
    if isinstance(value, list):
        return [masked_value(item, rules) for item in value]
    if isinstance(value, dict):
        return {name: _member(name, item, rules) for name, item in value.items()}
    return value


def masked_named(name: str, value: str, rules: Rules) -> str:
    """The text that a document or an analyzer has under this name."""
    return MASK if rules.is_secret(name, value, by_itself=False) else masked_text(value, rules)


def _member(name: str, item: Any, rules: Rules) -> Any:
    return masked_named(name, item, rules) if isinstance(item, str) else masked_value(item, rules)


def _masked_assignments(text: str, rules: Rules) -> str:
    parts, done = [], 0
    for found in _NAMED.finditer(text):
        # Of `--name value` only the option says that the next word is its value.
        is_named = "=" in found["sign"] or (found["option"] or "").startswith("--")
        if found.end() < done or not is_named or rules.hint.search(found["name"]) is None:
            continue
        start, end = _value_after(text, found)
        by_itself = bool(found["option"] or found["query"])
        if rules.is_secret(found["name"], text[start:end], by_itself=by_itself):
            parts += [text[done:start], MASK]
            done = end
    return "".join([*parts, text[done:]])


def _value_after(text: str, named: re.Match[str]) -> tuple[int, int]:
    """Where the value of a name begins and ends, without quotes around it."""
    pattern = _TO_QUOTE[named["quote"]] if named["quote"] else _VALUE
    found = pattern.match(text, named.end())
    start, end = (named.end(), named.end()) if found is None else found.span()
    if end - start > 1 and text[start] in "'\"" and text[start] == text[end - 1]:
        return start + 1, end - 1
    return start, end


def _replaced(found: re.Match[str]) -> str:
    start, end = _secret_in(found)
    return found[0][: start - found.start()] + MASK + found[0][end - found.start() :]


def _secret_in(found: re.Match[Any]) -> tuple[int, int]:
    return found.span("secret") if "secret" in found.re.groupindex else found.span()
