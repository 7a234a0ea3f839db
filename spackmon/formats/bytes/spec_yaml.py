"""`spec.yaml` of Spack before 0.17, and what `spack spec --yaml` prints: spec JSON's content as YAML.

The parser's events are put together here. A loader would expand what a few lines of anchors refer to, and
read an unquoted version 1.10 as the number 1.1; Spack writes neither anchors nor tags.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from spackmon.errors import Code, Refused

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MAXIMUM_DEPTH = 100  # a spec has 7 levels
# A parser of YAML reads 2 MB in a second; the largest spec has less than one.
_MAXIMUM_BYTES = 16 << 20
_CONSTANTS = {"null": None, "~": None, "": None, "true": True, "false": False}
_LONGEST_INTEGER_DIGITS = 18


class _Open:
    """A list or an object that is not complete yet."""

    def __init__(self, value: dict[str, Any] | list[Any]) -> None:
        self.value = value
        self.key: str | None = None

    def take(self, item: Any) -> None:
        if isinstance(self.value, list):
            self.value.append(item)
        elif self.key is None:
            if not isinstance(item, str):
                raise _damaged("a key of it is no string")
            if item in self.value:
                raise _damaged(f"it has the key {item[:100]!r} twice")
            self.key = item
        else:
            self.value[self.key] = item
            self.key = None


def read_yaml(data: bytes) -> Iterator[Any]:
    """The values of a stream of YAML documents. Raises Refused DOCUMENT_DAMAGED, DOCUMENT_TOO_LARGE."""
    if len(data) > _MAXIMUM_BYTES:
        sentence = f"it must be at most {_MAXIMUM_BYTES >> 20} MiB, as YAML"
        raise Refused(Code.DOCUMENT_TOO_LARGE, sentence)
    try:
        yield from _values(data)
    except yaml.YAMLError as problem:
        raise _damaged(_sentence(problem)) from None
    except UnicodeDecodeError as problem:
        raise _damaged(f"byte {problem.start} is not UTF-8") from None


def _values(data: bytes) -> Iterator[Any]:
    root = _Open([])
    path = [root]
    for event in yaml.parse(data, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _damaged("it has an anchor or an alias")
        if getattr(event, "tag", None) is not None:
            raise _damaged("it has a tag")
        if isinstance(event, yaml.ScalarEvent):
            path[-1].take(_scalar(event, is_key=_awaits_key(path[-1])))
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(path) > _MAXIMUM_DEPTH:
                raise _damaged("it is nested too deeply")
            path.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else []))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            finished = path.pop()
            path[-1].take(finished.value)
        elif isinstance(event, yaml.DocumentEndEvent) and isinstance(root.value, list):
            yield root.value.pop()


def _awaits_key(owner: _Open) -> bool:
    return isinstance(owner.value, dict) and owner.key is None


def _scalar(event: yaml.ScalarEvent, *, is_key: bool) -> Any:
    """Of plain scalars, only what JSON has other values for and Spack writes unquoted."""
    text: str = event.value
    if is_key or not event.implicit[0]:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    digits = text.removeprefix("-")
    is_integer = digits.isascii() and digits.isdecimal() and (digits == "0" or digits[0] != "0")
    return int(text) if is_integer and len(digits) <= _LONGEST_INTEGER_DIGITS else text


def _sentence(problem: yaml.YAMLError) -> str:
    mark = getattr(problem, "problem_mark", None)
    place = "" if mark is None else f" in line {mark.line + 1}"
    reason = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "it is malformed"
    return f"it is neither JSON nor YAML: {reason}{place}"


def _damaged(problem: str) -> Refused:
    return Refused(Code.DOCUMENT_DAMAGED, problem)
