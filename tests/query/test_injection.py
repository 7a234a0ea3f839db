"""No text of a question becomes SQL: tried with every argument and every filter that the schema has."""

import json
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLNonNull, get_named_type
from hypothesis import settings

from spackmon.errors import Code
from spackmon.schema import schema
from tests.ingest.reports import spec
from tests.query.conftest import AskedSite

FUZZ = settings.get_current_profile_name() == "fuzz"
HOSTILE = "x' OR '1'='1' --\"; DROP TABLE build; \\ %s :a ${1} {{7*7}} $$"
_TEXT = json.dumps(HOSTILE)
_TEXTS = ("String", "ID")
_QUERIES = schema._schema.query_type.fields  # type: ignore[union-attr]
# Those that a text which is in no row makes false.
_FALSE = (
    "eq", "in", "contains", "startsWith", "endsWith", "containsInsensitive", "startsWithInsensitive",
    "endsWithInsensitive",
)  # fmt: skip
_AT_ONCE = 40


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database is enough: in the statements of both, values are parameters alike."""
    return sqlite_url


def _is_text(type_: Any) -> bool:
    return get_named_type(type_).name in _TEXTS


def _operators(type_: GraphQLInputObjectType) -> list[str]:
    return [name for name in _FALSE if name in type_.fields and _is_text(type_.fields[name].type)]


def _conditions() -> Iterator[tuple[str, bool, str]]:
    """Every filter of a text: the field of Query that has it, whether it is of ids, and the condition.

    All operators in turn, and all of each in `make fuzz`.
    """
    waiting = deque(
        (name, get_named_type(field.args["where"].type), "{}")
        for name, field in _QUERIES.items()
        if "where" in field.args
    )
    seen: set[str] = set()
    place = 0
    while waiting:
        root, type_, around = waiting.popleft()
        if type_.name in seen:
            continue
        seen.add(type_.name)
        for name, field in type_.fields.items():
            inner = get_named_type(field.type)
            within = around.replace("{}", f"{{{name}: {{}}}}", 1)
            if not isinstance(inner, GraphQLInputObjectType):
                continue
            if not (operators := _operators(inner)):
                waiting.append((root, inner, within))
                continue
            place += 1
            for operator in operators if FUZZ else [operators[place % len(operators)]]:
                value = f"[{_TEXT}]" if operator == "in" else _TEXT
                yield root, inner.name == "IDFilter", within.replace("{}", f"{{{operator}: {value}}}", 1)


def _answer(site: AskedSite, query: str) -> dict[str, Any]:
    site.reader.statements.clear()
    answer: dict[str, Any] = json.loads(site.answer(query).body)
    assert not [one for one in site.reader.statements if "DROP" in one], query
    return answer


def test_no_filter_of_a_text_is_more_than_a_value(site: AskedSite) -> None:
    site.build(spec("zlib", "1.3"))
    by_root: dict[tuple[str, bool], list[str]] = {}
    for root, is_id, condition in _conditions():
        by_root.setdefault((root, is_id), []).append(condition)
    assert sum(map(len, by_root.values())) > 130
    for (root, is_id), conditions in by_root.items():
        for begin in range(0, len(conditions), _AT_ONCE):
            among = ", ".join(conditions[begin : begin + _AT_ONCE])
            answer = _answer(
                site, f"{{ {root}(first: 1, where: {{or: [{among}]}}) {{ edges {{ cursor }} }} }}"
            )
            if is_id:
                assert answer["errors"][0]["extensions"]["code"] == Code.ID_INVALID, answer
            else:
                assert answer.get("data") == {root: {"edges": []}}, answer


def test_no_argument_is_more_than_a_value(site: AskedSite) -> None:
    site.build(spec("zlib", "1.3"))
    tried = 0
    for root, field in _QUERIES.items():
        needed = [name for name, one in field.args.items() if isinstance(one.type, GraphQLNonNull)]
        for name, one in field.args.items():
            inner = get_named_type(one.type)
            is_word = isinstance(inner, GraphQLEnumType) or name == "orderBy"
            if not (_is_text(one.type) or is_word) or set(needed) - {name}:
                continue
            tried += 1
            value = f"[{_TEXT}]" if "[" in str(one.type) else _TEXT
            answer = _answer(site, f"{{ {root}({name}: {value}) {{ __typename }} }}")
            codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
            assert codes <= set(Code) - {Code.INTERNAL, Code.DATABASE_ERROR}, (root, name, answer)
            assert codes or not is_word, (root, name)
    assert tried > 100
