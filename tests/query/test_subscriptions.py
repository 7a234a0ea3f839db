"""What changes is read once for all who asked the same, told to each, and to nobody who may not know it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.ingest.tables.changes import forget_changes
from spackmon.models import utc_now
from spackmon.ops import changes
from spackmon.query.serve import subscriptions
from spackmon.query.serve.changes import Changes
from spackmon.query.serve.service import QueryService, driver_dialect
from spackmon.query.serve.subscriptions import Subscription, SubscriptionLimits, Subscriptions
from spackmon.schema import schema
from spackmon.viewer import Viewer
from tests.ingest.installs import ZLIB
from tests.ingest.reports import Site, spec
from tests.query.conftest import CountingReader

BUILDS = """
    subscription ($after: String, $where: BuildFilter) {
        buildUpdated(after: $after, where: $where) { cursor build { id status package { name } } }
    }
"""


class Live:
    """A service with subscriptions, as long as a loop runs."""

    def __init__(self, database: Database, reader: CountingReader, limits: SubscriptionLimits) -> None:
        self.site, self.reader = Site(database), reader
        known = Changes(reader, driver_dialect(database), partial(changes.number, database))
        self.hub = Subscriptions(reader, known, limits)
        database.on_write.append(self.hub.wake)
        self.service = QueryService(schema, database, reader, subscriptions=self.hub)

    async def do(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """A report, while the loop goes on."""
        return await asyncio.to_thread(work, *arguments)


_LIMITS = SubscriptionLimits()


@asynccontextmanager
async def live(database: Database, limits: SubscriptionLimits = _LIMITS) -> AsyncIterator[Live]:
    async with database.reader() as reader:
        opened = Live(database, CountingReader(reader), limits)
        running = asyncio.create_task(opened.hub.run())
        try:
            yield opened
        finally:
            running.cancel()


async def told(
    subscription: Subscription, is_last: Callable[[Any], bool], has_begun: asyncio.Event | None = None
) -> list[Any]:
    """What it is told, up to the first update that `is_last`; `has_begun` is set at the first one."""
    found: list[Any] = []
    async with aclosing(subscription.updates()) as updates:
        async for update in updates:
            assert update is not None
            (told_of,) = json.loads(update.data).values()
            assert told_of.get("cursor", update.cursor) == update.cursor
            found.append(told_of)
            if has_begun is not None:
                has_begun.set()
            if is_last(told_of):
                break
    return found


def has_status(status: str) -> Callable[[Any], bool]:
    return lambda update: update["build"]["status"] == status


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


def test_a_subscriber_costs_no_statement_and_misses_nothing_wherever_it_begins(database: Database) -> None:
    async def work() -> None:
        async with live(database) as opened:
            build_id = await opened.do(opened.site.build, ZLIB)
            cursors = [None, "0"] * 25
            all_of_them = [
                await opened.service.subscribe(BUILDS, {"after": cursor}, sender=str(number))
                for number, cursor in enumerate(cursors)
            ]
            begun = [asyncio.Event() for _ in cursors]
            listening = [
                asyncio.create_task(told(one, has_status("SUCCESS"), has_begun))
                for one, has_begun in zip(all_of_them, begun, strict=True)
            ]
            # One that a report overtakes as it reads what it missed would read once more.
            await asyncio.gather(
                *(one.wait() for one, cursor in zip(begun, cursors, strict=True) if cursor is not None)
            )
            await opened.do(opened.site.status, build_id, "RUNNING")
            await opened.do(opened.site.status, build_id, "SUCCESS")
            ends = await asyncio.gather(*listening)
            for cursor, updates in zip(cursors, ends, strict=True):
                statuses = [update["build"]["status"] for update in updates]
                assert statuses[-1] == "SUCCESS"
                assert len(updates) == len({update["cursor"] for update in updates})
                assert updates[0]["cursor"].startswith("1@") == (cursor == "0")
            read = [one for one in opened.reader.statements if "live_until" in one]
            # Those that came with a cursor read what they missed; two reports were read for all.
            assert len(read) <= 25 + 2 * 2
            assert len(set(read)) == 1

    run(work)


def test_a_filter_is_that_of_lists_and_hides_what_its_viewer_may_not_see(database: Database) -> None:
    async def work() -> None:
        async with live(database) as opened:
            where = {"environmentVariables": {"some": {"name": {"eq": "SECRET"}}}}
            nobody = opened.service.seen_by(Viewer(sees_details=False))
            blind = await nobody.subscribe(BUILDS, {"where": {"or": [where, {"status": {"eq": "FAILED"}}]}})
            seeing = await opened.service.subscribe(BUILDS, {"where": where})
            hears = asyncio.create_task(told(blind, has_status("FAILED")))
            sees = asyncio.create_task(told(seeing, lambda _: True))
            build_id = await opened.do(opened.site.build, ZLIB)
            await opened.do(partial(opened.site.analysis, build_id, environment_variables={"SECRET": "x"}))
            (seen,) = await sees
            assert seen["build"]["id"] == str(build_id)
            other = await opened.do(opened.site.build, spec("xz", "5.4"))
            await opened.do(opened.site.status, other, "FAILED")
            (heard,) = await hears
            assert heard["build"] == {"id": str(other), "status": "FAILED", "package": {"name": "xz"}}

    run(work)


def test_phases_and_logs_are_told_with_what_is_asked_of_them(database: Database) -> None:
    async def work() -> None:
        async with live(database) as opened:
            where = '(where: {name: {eq: "build"}})'
            logs = await opened.service.subscribe(
                f"subscription {{ all: logAppended{where} {{ phase {{ log {{ text }} }} }} }}"
            )
            phases = await opened.service.subscribe("subscription { phaseUpdated { phase { name } } }")
            reads = asyncio.create_task(told(logs, lambda _: True))
            hears = asyncio.create_task(told(phases, lambda update: update["phase"]["name"] == "build"))
            build_id = await opened.do(opened.site.build, ZLIB)
            await opened.do(opened.site.phase, build_id, "configure")
            await opened.do(opened.site.phase, build_id, "build", "SUCCESS", "grün\n\x01".encode())
            assert await reads == [{"phase": {"log": {"text": "grün\n\x01"}}}]
            assert [update["phase"]["name"] for update in await hears] == ["configure", "build"]

    run(work)


def test_a_client_that_takes_too_little_is_dropped_and_the_others_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "_MOST_WAITING", 2)

    async def work() -> None:
        async with live(database) as opened:
            slow, quick = [await opened.service.subscribe(BUILDS, {}, sender="x") for _ in range(2)]
            updates, others = slow.updates(), quick.updates()
            first = asyncio.ensure_future(anext(updates))
            for number in range(5):
                heard = asyncio.ensure_future(anext(others))
                await opened.do(opened.site.build, spec("xz", f"5.{number}"))
                assert await heard is not None
            await first
            await others.aclose()
            with pytest.raises(Refused, match="slowly") as refused:
                async for _ in updates:
                    pass
            assert refused.value.code is Code.SUBSCRIBER_TOO_SLOW
            assert not opened.hub.used.is_set()

    run(work)


def test_there_are_so_many_of_one_and_so_many_of_all(database: Database) -> None:
    async def work() -> None:
        async with live(database, SubscriptionLimits(3, 2)) as opened:
            subscribe = partial(opened.service.subscribe, BUILDS, {})
            mine = [await subscribe(sender="a"), await subscribe(sender="a")]
            for sender in ("a", "b", "c"):
                if sender == "b":
                    await subscribe(sender=sender)
                    continue
                with pytest.raises(Refused) as refused:
                    await subscribe(sender=sender)
                assert refused.value.code is Code.SUBSCRIPTIONS_BUSY
            opened.hub.leave(mine[0])
            await subscribe(sender="a")

    run(work)


def test_a_cursor_is_good_for_as_long_as_what_followed_it_is_known(database: Database) -> None:
    async def work() -> None:
        async with live(database) as opened:
            subscribe = opened.service.subscribe
            build_id = await opened.do(opened.site.build, ZLIB)
            (one,) = await told(await subscribe(BUILDS, {"after": "0"}), lambda _: True)
            await opened.do(opened.site.status, build_id, "SUCCESS")
            asked = await opened.service.ask("{ changeCursor }")
            assert (await subscribe(BUILDS, {"after": asked["changeCursor"]})).position >= 1
            (two,) = await told(await subscribe(BUILDS, {"after": one["cursor"]}), has_status("SUCCESS"))
            await opened.do(
                opened.site.database.write_once, lambda c: forget_changes(c, utc_now(), kept_seconds=-60)
            )
            for cursor, code in (
                (one["cursor"], Code.CURSOR_EXPIRED),
                ("0", Code.CURSOR_EXPIRED),
                # From before a backup was put back: another change has this position now.
                (two["cursor"].partition("@")[0] + "@2020-01-01T00:00:00.000000Z", Code.CURSOR_EXPIRED),
                ("what", Code.CURSOR_INVALID),
                ("9" * 30 + "@2020-01-01T00:00:00.000000Z", Code.CURSOR_INVALID),
            ):
                with pytest.raises(Refused) as refused:
                    await subscribe(BUILDS, {"after": cursor})
                assert refused.value.code is code, cursor
            assert (await subscribe(BUILDS, {"after": two["cursor"]})).position > 1

    run(work)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { buildUpdated { cursor } phaseUpdated { cursor } }", Code.GRAPHQL_VALIDATION_FAILED),
        ("subscription { __typename }", Code.GRAPHQL_VALIDATION_FAILED),
        ("subscription { a: buildUpdated @skip(if: true) { cursor } }", None),
        ("subscription { buildUpdated(after: 1) { cursor } }", Code.GRAPHQL_VALIDATION_FAILED),
    ],
)
def test_what_is_no_subscription_is_refused(query: str, code: Code | None, sqlite_url: str) -> None:
    async def work() -> None:
        database = Database(sqlite_url)
        async with live(database) as opened:
            with pytest.raises(Refused) as refused:
                await opened.service.subscribe(query)
            assert refused.value.code in ({code} if code else set(Code))
        database.close()

    run(work)
