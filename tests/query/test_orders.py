"""Rows come in the order that is asked for; pages joined are that order, whatever is written meanwhile."""

import operator
import re
from collections.abc import Callable, Mapping
from functools import cmp_to_key
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type, is_required_argument
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from spackmon.query.rows import ranges, tags
from spackmon.schema import schema
from tests.ingest.reports import spec
from tests.query.conftest import AskedSite
from tests.reference import related
from tests.reference.connections import Sorting, read_order
from tests.reference.rows import Rows
from tests.reference.site import fill

TYPES = schema._schema.type_map
QUERY = TYPES["Query"]
assert isinstance(QUERY, GraphQLObjectType)
Order = list[dict[str, str]]

# Root connections that ask for nothing, by the type of their order.
ROOTS = {
    get_named_type(field.args["orderBy"].type).name: name
    for name, field in QUERY.fields.items()
    if "orderBy" in field.args
    and get_named_type(field.type).name.endswith("Connection")
    and not any(is_required_argument(argument) for argument in field.args.values())
}
PAGE = """
query($orderBy: [%s!], $first: Int, $after: String, $last: Int, $before: String) {
  it: %s(orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    nodes { %s } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }
"""


def _keys(order_name: str) -> list[str]:
    type_ = TYPES[order_name]
    assert isinstance(type_, GraphQLInputObjectType)
    return list(type_.fields)


def ordered(rows: Rows, noun: str, order: Order) -> list[Any]:
    """What identifies each row, sorted as asked; rows without a value last, the newest first among equals."""
    sorting = Sorting(rows, noun, read_order(order))
    by_place = cmp_to_key(sorting.compare)
    every = sorted(rows.all(related.MODELS[noun]), key=lambda row: by_place(sorting.place(row)))
    return [_identity(rows, noun, row) for row in every]


def _identity(rows: Rows, noun: str, row: Any) -> Any:
    if noun != "Dependency":
        return row.id
    return tuple(related.TO_ONE["Dependency", name](rows, row).hash for name in ("parent", "child"))


class Pages:
    """Walks through a list page by page."""

    def __init__(self, site: AskedSite, order_name: str, order: Order, size: int) -> None:
        self._site, self._order, self._size = site, order, size
        self._is_edge = order_name == "DependencyOrder"
        shown = "parent { hash } child { hash }" if self._is_edge else "id"
        self._query = PAGE % (order_name, ROOTS[order_name], shown)

    def page(self, after: str | None = None, *, backward: bool = False) -> Mapping[str, Any]:
        """One page."""
        size, place = ("last", "before") if backward else ("first", "after")
        answer: Mapping[str, Any] = self._site.ask(
            self._query, orderBy=self._order, **{size: self._size, place: after}
        )["it"]
        return answer

    def identities(self, page: Mapping[str, Any]) -> list[Any]:
        """What identifies each row of a page."""
        if self._is_edge:
            return [(node["parent"]["hash"], node["child"]["hash"]) for node in page["nodes"]]
        return [int(node["id"].rpartition(":")[2]) for node in page["nodes"]]

    def forward(self, meanwhile: Any = lambda: None) -> list[Any]:
        """The whole list from its start; `meanwhile` is called after each page."""
        seen, after = [], None
        while True:
            page = self.page(after)
            seen += self.identities(page)
            if not page["pageInfo"]["hasNextPage"]:
                return seen
            after = page["pageInfo"]["endCursor"]
            meanwhile()

    def backward(self, meanwhile: Any = lambda: None) -> list[Any]:
        """The whole list from its end, in its own order."""
        seen, before = [], None
        while True:
            page = self.page(before, backward=True)
            seen = self.identities(page) + seen
            if not page["pageInfo"]["hasPreviousPage"]:
                return seen
            before = page["pageInfo"]["startCursor"]
            meanwhile()


@st.composite
def orders(draw: st.DrawFn, order_name: str) -> Order:
    """Up to three keys with their directions."""
    keys = draw(st.lists(st.sampled_from(_keys(order_name)), max_size=3))
    return [{key: draw(st.sampled_from(["ASC", "DESC"]))} for key in keys]


def test_pages_in_any_order_joined_are_the_sorted_list(furnished: AskedSite) -> None:
    rows = Rows(furnished.database)
    used = set()

    @settings(max_examples=80, suppress_health_check=list(HealthCheck))
    @given(data=st.data(), order_name=st.sampled_from(sorted(ROOTS)), size=st.sampled_from([3, 7, 100]))
    def check(data: st.DataObject, order_name: str, size: int) -> None:
        order = data.draw(orders(order_name))
        used.update(f"{order_name}.{key}" for one in order for key in one)
        expected = ordered(rows, order_name.removesuffix("Order"), order)
        pages = Pages(furnished, order_name, order, size)
        assert pages.forward() == expected
        assert pages.backward() == expected

    check()
    # Keys that chance left out, one by one.
    for order_name in sorted(ROOTS):
        for key in _keys(order_name):
            if f"{order_name}.{key}" in used:
                continue
            expected = ordered(rows, order_name.removesuffix("Order"), [{key: "DESC"}])
            assert Pages(furnished, order_name, [{key: "DESC"}], 100).forward() == expected, key


def test_rows_that_are_there_are_seen_once_while_others_are_written(site: AskedSite) -> None:
    fill(site)
    versions = iter(range(1000))

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(order=orders("BuildOrder"), size=st.integers(1, 4), backward=st.booleans())
    def check(order: Order, size: int, backward: bool) -> None:
        before = ordered(Rows(site.database), "Build", order)
        hosts = iter(["a-first", "node-1", "zz-last"])

        def meanwhile() -> None:
            host = next(hosts, None)
            if host is not None:
                site.build(spec("made", str(next(versions))), host=host, person=site.bob)

        pages = Pages(site, "BuildOrder", order, size)
        seen = pages.backward(meanwhile) if backward else pages.forward(meanwhile)
        assert [build for build in seen if build in set(before)] == before
        assert len(set(seen)) == len(seen)

    check()


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ([{"name": "ASC", "version": "ASC"}], "ORDER_INVALID"),
        ([{}], "ORDER_INVALID"),
        ([{"name": None}], "ORDER_INVALID"),
        ([{"name": "UP"}], "VARIABLES_INVALID"),
        ([{"nme": "ASC"}], "VARIABLES_INVALID"),
    ],
)
def test_an_order_that_cannot_be_meant_is_a_coded_error(furnished: AskedSite, order: Any, code: str) -> None:
    error = furnished.error("query($o: [BuildOrder!]) { builds(orderBy: $o) { totalCount } }", o=order)
    assert error["extensions"]["code"] == code


def test_a_cursor_is_for_the_order_that_it_was_made_in(furnished: AskedSite) -> None:
    cursor = Pages(furnished, "BuildOrder", [{"name": "ASC"}], 1).page()["pageInfo"]["endCursor"]
    query = "query($a: String) { builds(after: $a, orderBy: [{createdAt: ASC}]) { totalCount nodes { id } } }"
    assert furnished.error(query, a=cursor)["extensions"]["code"] == "CURSOR_INVALID"


def test_what_began_in_a_time_is_listed_page_by_page_wherever_in_the_list_it_is(furnished: AskedSite) -> None:
    query = """query($from: DateTime!, $to: DateTime!, $after: String) {
      builds(first: 2, after: $after, where: {startedAt: {ge: $from, lt: $to}}) {
        nodes { id } pageInfo { hasNextPage endCursor } } }"""
    every = furnished.ask("{ builds(first: 500) { nodes { id startedAt } } }")["builds"]["nodes"]
    times = sorted({one["startedAt"] for one in every if one["startedAt"] is not None})
    assert len(times) > 4
    for first, end in [(times[0], times[-1]), (times[1], times[3]), (times[-1], times[-1])]:
        listed: list[str] = []
        page: dict[str, Any] = {"hasNextPage": True, "endCursor": None}
        while page["hasNextPage"]:
            found = furnished.ask(query, **{"from": first, "to": end, "after": page["endCursor"]})["builds"]
            listed += [one["id"] for one in found["nodes"]]
            page = found["pageInfo"]
        assert listed == [one["id"] for one in every if first <= (one["startedAt"] or "") < end]


def test_conditions_in_a_list_lead_to_rows_as_those_of_one_filter_do(furnished: AskedSite) -> None:
    query = "query ($where: BuildFilter) { builds(where: $where) { totalCount nodes { id } } }"
    status = {"status": {"ne": "FAILED"}}
    year = {"startedAt": {"ge": "2026-01-01T00:00:00Z", "lt": "2027-01-01T00:00:00Z"}}
    contained = {"dependency": {"name": "zlib"}}
    furnished.ask(query, where={**status, **year, **contained})
    together = furnished.reader.statements[-1]
    furnished.ask(query, where={"and": [status, {"and": [year, contained]}]})
    assert furnished.reader.statements[-1] == together


COMPARED: dict[str, Callable[[int, int], bool]] = {"ge": operator.ge, "lt": operator.lt, "eq": operator.eq}


@pytest.mark.parametrize("few", [0, 1, ranges.FEW])
@pytest.mark.parametrize("noun", ["builds", "attempts"])
@pytest.mark.parametrize("name", ["errorCount", "warningCount"])
def test_rows_are_listed_by_a_count_alike_whether_they_are_few_or_many(
    furnished: AskedSite, monkeypatch: pytest.MonkeyPatch, few: int, noun: str, name: str
) -> None:
    monkeypatch.setattr(ranges, "FEW", few)
    every = furnished.ask(f"{{ {noun}(first: 500) {{ nodes {{ id {name} }} }} }}")[noun]["nodes"]
    counts = sorted({one[name] for one in every})
    assert len(counts) > 2
    for word, compare in COMPARED.items():
        # The name is another one for each form of the statement, as what is compiled is kept.
        query = f"""query few_{few}($count: Int!) {{
          {noun}(first: 500, where: {{{name}: {{{word}: $count}}}}) {{ totalCount nodes {{ id }} }} }}"""
        for count in (*counts, counts[-1] + 1):
            listed = [one["id"] for one in every if compare(one[name], count)]
            found = furnished.ask(query, count=count)[noun]
            assert [one["id"] for one in found["nodes"]] == listed
            assert found["totalCount"] == len(listed)


@pytest.mark.parametrize(("common", "most"), [(0, 0), (1, 0), (500, 0), (500, 60_000)])
@pytest.mark.parametrize("noun", ["builds", "attempts"])
def test_rows_are_listed_by_their_tags_alike_whether_the_newest_have_them_or_not(
    furnished: AskedSite, monkeypatch: pytest.MonkeyPatch, common: int, most: int, noun: str
) -> None:
    monkeypatch.setattr(tags, "_COMMON", common)
    monkeypatch.setattr(tags, "_MOST", most)
    listed = f"{noun}(first: 500) {{ nodes {{ id tags {{ nodes {{ name }} }} }} }}"
    every = furnished.ask(f"query all_{common}_{most} {{ {listed} }}")[noun]["nodes"]
    named = {one["id"]: {tag["name"] for tag in one["tags"]["nodes"]} for one in every}
    # The name is another one for each form of the statement, as what is compiled is kept.
    query = f"""query tagged_{common}_{most}($tag: String!) {{
      {noun}(first: 500, where: {{tags: {{some: {{name: {{eq: $tag}}}}}}}}) {{ totalCount nodes {{ id }} }}
    }}"""
    words = set().union(*named.values())
    assert words
    for word in (*words, "of nobody"):
        found = furnished.ask(query, tag=word)[noun]
        assert [one["id"] for one in found["nodes"]] == [
            one for one, of_row in named.items() if word in of_row
        ]
        assert found["totalCount"] == len(found["nodes"])
    if noun == "builds":
        of_tag = "name builds(first: 100) { nodes { id } }"
        document = f"query of_tags_{common}_{most} {{ tags(first: 20) {{ nodes {{ {of_tag} }} }} }}"
        of_tags = {tag["name"]: tag["builds"]["nodes"] for tag in furnished.ask(document)["tags"]["nodes"]}
        assert words <= of_tags.keys()
        for word, builds in of_tags.items():
            assert [one["id"] for one in builds] == [one for one, tags_ in named.items() if word in tags_]


@pytest.mark.parametrize(
    ("order", "index"),
    [
        ("{updatedAt: DESC}", "ix_build_updated_at"),
        ("{startedAt: DESC}", "ix_build_started_at"),
        ("{startedAt: ASC}", "ix_build_started_at"),
        ("{createdAt: DESC}", "ix_build_created_at"),
        ("{finishedAt: DESC}", "ix_build_finished_at"),
        ("{durationSeconds: DESC}", "ix_build_duration_seconds_id"),
    ],
)
@pytest.mark.parametrize("place", ["first", "last"])
def test_the_last_builds_are_read_in_the_order_of_an_index(
    furnished: AskedSite, order: str, index: str, place: str
) -> None:
    document = f"{{ builds({place}: 3, orderBy: [{order}]) {{ nodes {{ id }} }} }}"
    is_sqlite = furnished.database.dialect_name == "sqlite"
    furnished.ask(document)
    reader = furnished.reader
    explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"

    def plan(connection: Connection) -> str:
        if not is_sqlite:
            # On a small site it costs less to sort.
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
        statement = f"{explain} {reader.statements[-1]}"
        return str(connection.exec_driver_sql(statement, dict(reader.parameters)).all())

    found = furnished.database.read_once(plan)
    assert re.search(rf"\b{index}\b", found), found
    if index in ("ix_build_started_at", "ix_build_finished_at") and not is_sqlite:
        # Those without that moment, of which there may be many, are not sorted.
        assert index.replace("ix_build_", "ix_build_no_") in found
