"""Whatever somebody asks: the answer is that of a site on which what they may not see was never reported."""

import asyncio
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from spackmon.auth.groups import set_default_visibility
from spackmon.database import Database
from spackmon.models import Base
from spackmon.models.columns import View
from spackmon.query.meanings.limits import Limits
from spackmon.query.serve.service import QueryService
from spackmon.query.sql.visible import OPEN, SHOWN, guarded
from spackmon.schema import schema
from spackmon.status import Visibility
from spackmon.viewer import OPERATOR, READ, Role, Viewer
from tests.databases import PostgresqlDatabases
from tests.ingest.reports import Site, build_report, spec, spec_report
from tests.query.audiences import ADA, BOB, CAROL, DAVE, furnish
from tests.query.conftest import AskedSite
from tests.query.test_differential import codes, ordered
from tests.query.test_subscriptions import BUILDS, live, told
from tests.reference.answers import Reference
from tests.reference.operations import Document, documents
from tests.reference.rows import Rows
from tests.reference.site import copy

LIMITS = Limits(tokens=100_000, aliases=10_000, cost=10**15)
FUZZ = settings.get_current_profile_name() == "fuzz"
_READS = frozenset((READ,))
ALL = (ADA, CAROL, BOB)
SEEN_BY = {
    Viewer(): (ADA,),
    Viewer(ADA, Role.MEMBER, _READS): (ADA, CAROL),
    Viewer(BOB, Role.MEMBER, _READS): ALL,
    Viewer(DAVE, Role.MEMBER, _READS): ALL,
}
"""Whose reports each of these may see."""

Databases = Mapping[tuple[str, tuple[int, ...]], Database]


class Sites:
    """The whole site, and those with nothing but what somebody may see; on both databases."""

    def __init__(
        self, services: Mapping[tuple[str, tuple[int, ...]], QueryService], runner: asyncio.Runner
    ) -> None:
        self._services, self._runner = services, runner

    def answers(
        self, document: Document, viewer: Viewer, name: str
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """What the viewer is answered, and what they would be: for each request."""
        whole = self._services[name, ALL].seen_by(viewer)
        seen = self._services[name, SEEN_BY[viewer]].seen_by(OPERATOR)
        for operation, variables in document.requests:
            note(json.dumps([operation, variables]))
            found, expected = (
                json.loads(self._runner.run(one.execute(document.text, variables, operation)).body)
                for one in (whole, seen)
            )
            yield found, expected


@pytest.fixture(scope="module")
def databases(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, postgresql_databases: PostgresqlDatabases
) -> Iterator[Databases]:
    """The sites' databases, by their kind and by whose reports are in them."""
    with ExitStack() as stack:
        found = {}
        for people in sorted(set(SEEN_BY.values())):
            path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("visible") / "site.db")
            sqlite = stack.enter_context(closing(Database(f"sqlite:///{path}")))
            furnish(sqlite, people)
            url = stack.enter_context(postgresql_databases.fresh())
            postgresql = stack.enter_context(closing(Database(url)))
            copy(sqlite, postgresql)
            found |= {("sqlite", people): sqlite, ("postgresql", people): postgresql}
        yield found


@pytest.fixture(scope="module")
def sites(databases: Databases) -> Iterator[Sites]:
    """The sites, each to be asked."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        services = {
            key: QueryService(schema, one, runner.run(stack.enter_async_context(one.reader())), LIMITS)
            for key, one in databases.items()
        }
        yield Sites(services, runner)
        runner.run(stack.aclose())


@pytest.fixture(scope="module")
def draw(databases: Databases) -> Any:
    """Operations with values of the whole site: what may not be seen is asked for, too."""
    rows = Rows(databases["sqlite", ALL])
    return documents(Reference(schema.as_str(), rows), rows)


@pytest.mark.timeout(0)
@settings(suppress_health_check=list(HealthCheck), max_examples=10_000 if FUZZ else 24)
@given(seed=st.integers(0, 2**32), fields=st.integers(1, 12), who=st.sampled_from(list(SEEN_BY)))
def test_what_is_for_others_is_as_if_it_was_never_reported(
    sites: Sites, draw: Any, seed: int, fields: int, who: Viewer
) -> None:
    document = draw(seed, fields)
    note(document.text)
    for name in ("sqlite", "postgresql"):
        for found, expected in sites.answers(document, who, name):
            if "QUERY_TOO_DEEP" in codes(found) | codes(expected):
                event("too deep for a SQLite before 3.46")
                continue
            assert codes(found) == codes(expected)
            if not codes(found):
                assert ordered(found["data"]) == ordered(expected["data"])


def test_of_every_table_it_is_said_who_sees_it() -> None:
    nobodys = {
        "audience", "audit_entry", "default_audience", "group_member", "identity", "inbox_entry",
        "log_object",
        "notification_channel", "notification_delivery", "notification_rule", "person_group",
        "rate_count", "session", "signing_key", "spec_audience", "submission_batch", "token",
    }  # fmt: skip
    assert OPEN | SHOWN | nobodys == {*Base.metadata.tables, *View.metadata.tables}
    assert not OPEN & SHOWN
    # What nobody is shown is hidden even from a statement that would ask for it.
    hidden = guarded("SELECT digest FROM token", "sqlite")
    assert "FROM main.token t WHERE false" in hidden


def test_a_public_site_runs_its_statements_as_they_are(site: AskedSite) -> None:
    """Until the first report that is not for everybody, in whichever process that is written."""
    query = "{ builds { totalCount } }"
    whole = site.answer(query).body
    (plain,) = site.reader.statements
    reader = site.reader
    site.service = site.service.seen_by(Viewer())
    assert site.answer(query).body == whole
    (statement,) = reader.statements[1:]
    assert statement.startswith(plain.removesuffix(" AS answer"))
    assert statement.count("audience") == 1
    site.database.write_once(lambda c: set_default_visibility(c, "bob", Visibility.INTERNAL))
    reader.statements.clear()
    assert site.answer(query).body == whole
    unguarded, guarded_one = reader.statements
    assert unguarded == statement
    assert guarded_one.startswith("WITH ")
    assert site.answer(query).body == whole
    assert reader.statements[2:] == [guarded_one]


def test_a_subscription_tells_what_its_subscriber_may_see(database: Database) -> None:
    async def work() -> None:
        async with live(database) as one:
            await one.do(database.write_once, _hide_bob)
            before = one.site.rows("SELECT count(*) FROM reported_change")
            zlib, hdf5 = spec("zlib", "1"), spec("hdf5", "1")
            asked = {}
            for who in (Viewer(), Viewer(Site.ada, Role.MEMBER), Viewer(Site.bob, Role.MEMBER)):
                asked[who] = await one.service.seen_by(who).subscribe(BUILDS)
            waiting = [asyncio.create_task(told(each, _is_of_ada)) for each in asked.values()]
            await one.do(one.site.apply, spec_report(zlib), Site.bob)
            await one.do(one.site.apply, build_report(zlib.hash), Site.bob)
            await one.do(one.site.apply, spec_report(hdf5), Site.ada)
            await one.do(one.site.apply, build_report(hdf5.hash), Site.ada)
            stranger, ada, bob = await asyncio.gather(*waiting)
            assert [names(each) for each in (stranger, ada, bob)] == [{"hdf5"}, {"hdf5"}, {"zlib", "hdf5"}]
            assert before == [(0,)]
            # Nor is anybody told when something happened that is not for them.
            await one.do(one.site.apply, build_report(zlib.hash, host="other"), Site.bob)
            later = await one.service.seen_by(Viewer()).subscribe(BUILDS)
            assert later.cursor == stranger[-1]["cursor"]
            later.hub.leave(later)

    asyncio.run(work())


def _hide_bob(connection: Connection) -> None:
    set_default_visibility(connection, "bob", Visibility.PRIVATE)


def _is_of_ada(update: Any) -> bool:
    return bool(update["build"]["package"]["name"] == "hdf5")


def names(updates: list[Any]) -> set[str]:
    return {update["build"]["package"]["name"] for update in updates}
