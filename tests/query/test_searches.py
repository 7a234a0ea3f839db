"""Both databases find events by their words, and find the same."""

import random

import pytest
from sqlalchemy import BigInteger, Connection, literal_column, text

from spackmon.errors import Refused
from spackmon.ingest.tables.events import add_events, create_contexts, create_groups, readings
from spackmon.query.meanings import connections
from spackmon.query.rows import searches
from spackmon.query.serve.service import QueryService
from spackmon.schema import schema
from spackmon.status import EventKind
from spackmon.submission import Event
from tests.ingest.reports import spec
from tests.query.conftest import AskedSite
from tests.reference.searches import searched

_PIECES = [
    "error", "Error:", "undefined", "reference", "to", "MPI_Init", "`MPI_Init'", "-lfoo", "-lfoobar", "::",
    "foo::bar<baz>", "__atomic_load_16", "/usr/lib/libz.so.1.2", "libz.so", "--", "'", "é", "ÉTÉ", "straße",
    "‘x’", "\\", "%", "x*y", "a.c:1:2:", "\x1b[31mred\x1b[0m", "٣", "日本", "e\u0301", "1.2", "_", "AND",
    "OR", "NOT", "NEAR", "&", "|", "!", ":*", "(", ")",
]  # fmt: skip
_EVENTS = (
    "query ($search: String!) { events(first: 500, where: {search: $search}) { nodes { text } totalCount } }"
)


def _with_events(site: AskedSite, texts: list[str], file: str | None = None) -> None:
    site.status(site.build(spec("zlib", "1.2")), "FAILED")
    events = [Event(EventKind.ERROR, one, None, file, None, None, None) for one in texts]

    def write(connection: Connection) -> None:
        read = readings(events)
        create_groups(connection, read)
        add_events(connection, 1, events, read, create_contexts(connection, events))
        connection.execute(text("UPDATE build_event SET attempt_id = 1"))

    site.database.write_once(write)


def test_whatever_is_sought_is_found_where_it_is_and_nowhere_else(site: AskedSite) -> None:
    dice = random.Random(3)

    def some(most: int) -> str:
        return "".join(
            dice.choice(_PIECES) + dice.choice([" ", " ", "", "\n"]) for _ in range(1 + dice.randrange(most))
        )

    texts = sorted({some(8) for _ in range(150)})
    _with_events(site, texts, "src/main.f90")
    events = [Event(EventKind.ERROR, one, None, "src/main.f90", None, None, None) for one in texts]
    answered = refused = 0
    for _ in range(150):
        sought = some(dice.choice([1, 2, 4]))
        sought = dice.choice(
            [sought, sought, f'"{sought}"', sought.strip() + "*", f"main.f90 {sought}", sought + '"']
        )
        try:
            wanted = [event.text for event in events if searched(event, sought)]
        except Refused:
            assert site.error(_EVENTS, search=sought)["extensions"]["code"] == "SEARCH_INVALID"
            refused += 1
            continue
        found = site.ask(_EVENTS, search=sought)["events"]
        assert sorted(one["text"] for one in found["nodes"]) == sorted(wanted), sought
        assert found["totalCount"] == len(wanted)
        answered += bool(wanted)
    assert answered > 50
    assert refused > 10


@pytest.mark.parametrize(("most_read", "common"), [(2, 1), (10_000, 10)])
def test_builds_are_found_by_words_that_few_or_many_of_their_errors_have(
    site: AskedSite, monkeypatch: pytest.MonkeyPatch, most_read: int, common: int
) -> None:
    for name, number in (("_MOST_READ", most_read), ("_COMMON", common)):
        monkeypatch.setattr(searches, name, literal_column(str(number), BigInteger()))
    logs = ["one -lpng16 two", "two", "one", "two", "-lpng16", "four"]
    builds = [site.build(spec(name, "1")) for name in "abcdef"]
    for build, words in zip(builds, logs, strict=True):
        site.phase(build, "build", "ERROR", f"/usr/bin/ld: cannot find {words}\n".encode())
    query = """query ($search: String!) {
      some: builds(where: {events: {some: {search: $search}}}) { totalCount nodes { id } }
      none: builds(where: {events: {none: {search: $search}}}) { totalCount nodes { id } }
      every: builds(where: {events: {every: {search: $search}}}) { totalCount nodes { id } }
      attempts(where: {events: {some: {search: $search, kind: {eq: ERROR}}}}) { nodes { build { id } } }
      phases(where: {logEvents: {some: {search: $search}}}) { nodes { attempt { build { id } } } }
    }"""
    for sought in ("find", "two", "one", "-lpng16", "four", "nowhere"):
        found = site.ask(query, search=sought)
        having = [str(build) for build, words in zip(builds, logs, strict=True) if sought in f"find {words}"]
        lacking = [str(build) for build in builds if str(build) not in having]
        for name, wanted in (("some", having), ("none", lacking), ("every", having)):
            assert found[name] == {
                "totalCount": len(wanted),
                "nodes": [{"id": one} for one in reversed(wanted)],
            }, (name, sought)
        assert [one["build"]["id"] for one in found["attempts"]["nodes"]] == having[::-1]
        assert [one["attempt"]["build"]["id"] for one in found["phases"]["nodes"]] == having[::-1]


@pytest.mark.parametrize("sought", ["", "- ::", '"error', "a" * 10_000, "a\0b", "a\ud800"])
def test_what_cannot_be_sought_is_an_error_that_names_the_field(furnished: AskedSite, sought: str) -> None:
    for query in (
        _EVENTS,
        "query ($search: String!) { builds(where: {events: {some: {search: $search}}}) { totalCount } }",
        "query ($search: String!) { logEvents(where: {search: $search}) { totalCount } }",
    ):
        error = furnished.error(query, search=sought)
        assert error["extensions"]["code"] in ("SEARCH_INVALID", "ARGUMENT_INVALID")
        assert error["message"].startswith("`search` ")


def test_builds_runs_and_phases_are_found_by_what_their_logs_say(site: AskedSite) -> None:
    log = b"/usr/bin/ld: cannot find -lpng16\ncollect2: error: ld returned 1 exit status\n"
    broken, other = (site.build(spec(name, "1")) for name in ("broken", "other"))
    site.phase(broken, "build", "ERROR", log)
    site.phase(other, "build", "ERROR", log.replace(b"png16", b"png12"))
    query = """query ($search: String!, $text: String! = "cannot find") {
      builds(where: {phases: {some: {logEvents: {some: {search: $search}}}}}) { nodes { id } }
      attempts(where: {rootEvent: {search: $search}}) { nodes { build { id } } }
      logEvents(where: {search: $search, role: {eq: PRIMARY}}, orderBy: [{line: ASC}]) {
        nodes { snippet(search: $text) { text isMatch } }
      }
    }"""
    assert site.ask(query, search="-lpng16") == {
        "builds": {"nodes": [{"id": str(broken)}]},
        "attempts": {"nodes": [{"build": {"id": str(broken)}}]},
        "logEvents": {
            "nodes": [
                {"snippet": [{"text": "cannot", "isMatch": True}, {"text": " ", "isMatch": False},
                             {"text": "find", "isMatch": True}, {"text": " -lpng16", "isMatch": False}]}
            ]
        },
    }  # fmt: skip
    # What is reported again has its new words alone.
    site.phase(broken, "build", "ERROR", log.replace(b"png16", b"jpeg"))
    assert site.ask(query, search="-lpng16")["logEvents"]["nodes"] == []
    assert len(site.ask(query, search="-ljpeg")["logEvents"]["nodes"]) == 1


def test_the_best_come_first_page_by_page_and_all_are_counted(
    site: AskedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["b then a", "a b 1", "a, b", "x a b 2", "a c", "b a", "A  B"]
    _with_events(site, texts)
    query = """query ($after: String, $order: [BuildEventOrder!]) {
      events(search: "a b", first: 2, after: $after, orderBy: $order) {
        totalCount nodes { text } pageInfo { endCursor hasNextPage }
      }
    }"""

    def pages(**variables: object) -> list[str]:
        found, after, has_more = [], None, True
        while has_more:
            page = site.ask(query, after=after, **variables)["events"]
            assert page["totalCount"] == 6
            found += [one["text"] for one in page["nodes"]]
            after, has_more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        return found

    assert pages() == ["A  B", "x a b 2", "a b 1", "b a", "a, b", "b then a"]
    assert pages(order=[{"position": "ASC"}]) == [one for one in texts if one != "a c"]
    monkeypatch.setattr(connections, "MOST_RANKED", 3)
    site.service = QueryService(schema, site.database, site.reader)
    assert pages() == ["A  B", "x a b 2", "b a"]
    groups = site.ask('{ events(search: "a b") { groupBy(keys: [KIND]) { count } } }')
    assert groups == {"events": {"groupBy": [{"count": 6}]}}
