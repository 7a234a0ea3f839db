"""What is kept of a body that could not be applied: as it came, but for its secrets.

What is masked in a JSON document is what is masked of its reports when they are stored, so that the body can
still be applied as it would have been. One that is no JSON, or is damaged, cannot, and is masked as a text.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from spackmon.large_bytes import AnyBytes, LargeBytes
from spackmon.masking.rules import Rules
from spackmon.masking.texts import (
    MASK,
    masked_json,
    masked_named,
    masked_shapes,
    masked_text,
    masked_value,
    masked_variables,
)

_VARIABLES = "environment_variables"
_TEXTS = frozenset({"config_args", "configure_arguments", "abstract_spec", "message"})
_FINDINGS = frozenset({"value", "binary_value"})
# Larger ones hold a log or a list of files: of these only the parts that name variables are parsed.
_DOCUMENT_BYTES = 4 << 20
_PART_CHARACTERS = 1 << 20
_PART = re.compile(rb'"(?:environment_variables|config_args|configure_arguments)"\s*:\s*')
_PAIR = re.compile(r'"(?P<name>[A-Za-z_][\w.-]{0,127})"\s*:\s*"(?P<value>(?:[^"\\]|\\.)*+)')


def masked_body(body: AnyBytes, rules: Rules) -> AnyBytes:
    """`body` as it is kept; the same object where it holds no secret."""
    start = bytes(body[:64]).lstrip()
    if len(body) > _DOCUMENT_BYTES:
        return _with_masked_parts(body, rules) if start.startswith(b"{") else body
    try:
        text = bytes(body).decode()
    except UnicodeDecodeError:
        return body
    masked = masked_shapes(text, rules) if start.startswith(b"<") else _masked_document(text, rules)
    return body if masked == text else masked.encode()


def _masked_document(text: str, rules: Rules) -> str:
    try:
        document = json.loads(text)
        masked = _walked(document, rules)
        return text if masked == document else json.dumps(masked, allow_nan=False)
    except (ValueError, RecursionError):
        return _PAIR.sub(lambda pair: _masked_pair(pair, rules), masked_text(text, rules))


def _masked_pair(pair: re.Match[str], rules: Rules) -> str:
    if not rules.is_secret(pair["name"], pair["value"], by_itself=False):
        return pair[0]
    return pair[0][: pair.start("value") - pair.start()] + MASK


def _walked(value: Any, rules: Rules) -> Any:
    if isinstance(value, list):
        return [_walked(item, rules) for item in value]
    if not isinstance(value, dict):
        return value
    of = value.get("name")
    return {
        name: _member(name, item, of if isinstance(of, str) else "", rules) for name, item in value.items()
    }


def _member(name: str, item: Any, of: str, rules: Rules) -> Any:
    """A member of an object whose own `name` is `of`."""
    if name == _VARIABLES and isinstance(item, dict):
        texts = {variable: value for variable, value in item.items() if isinstance(value, str)}
        return {**item, **masked_variables(texts, rules)}
    if name == "json_value":
        return masked_json(item, rules) if isinstance(item, str) else masked_value(item, rules)
    if isinstance(item, str):
        if name in _TEXTS:
            return masked_text(item, rules)
        return masked_named(of, item, rules) if name in _FINDINGS and of else item
    return _walked(item, rules)


def _with_masked_parts(body: AnyBytes, rules: Rules) -> AnyBytes:
    done, parts = 0, []
    for start in _starts(body):
        part = bytes(body[start : start + _PART_CHARACTERS]).decode("utf-8", "replace")
        try:
            value, length = json.JSONDecoder().raw_decode(part)
        except (ValueError, RecursionError):
            continue
        name = _VARIABLES if isinstance(value, dict) else "configure_arguments"
        masked = _member(name, value, "", rules)
        if masked != value and start >= done:
            parts += [bytes(body[done:start]), json.dumps(masked).encode()]
            done = start + len(part[:length].encode())
    return b"".join([*parts, bytes(body[done:])]) if parts else body


def _starts(body: AnyBytes) -> Iterable[int]:
    starts = [found.end() for found in _PART.finditer(body)]
    if isinstance(body, LargeBytes):
        body.give_back(0, len(body))
    return starts
