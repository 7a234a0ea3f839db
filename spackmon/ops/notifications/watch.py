"""The task of a serving process that judges what changed by every rule, and sends what that comes to.

Reports wait for none of it. A rule reads on from where it was, so that a restart misses nothing; two
processes may judge the same changes, and the first to say so queues the messages.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import anyio
import structlog
from sqlalchemy import Connection, select

from spackmon.auth.people import ANONYMOUS
from spackmon.database import Database
from spackmon.database.undone import note_undone
from spackmon.errors import Code, Refused
from spackmon.models import ReportedChange, utc_now
from spackmon.ops import changes
from spackmon.ops.notifications import deliveries, rules
from spackmon.ops.notifications.deliveries import Event
from spackmon.ops.notifications.news import News
from spackmon.ops.notifications.rules import StoredRule
from spackmon.ops.notifications.sending import Delivering, Sender
from spackmon.query.serve.service import QueryService
from spackmon.status import ChangeKind
from spackmon.threads import in_thread
from spackmon.viewer import Role, Viewer

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
# What comes meanwhile is judged together.
_GATHER_SECONDS = 0.2
_POSITIONS_AT_ONCE = 500
_FORGET_SECONDS = 3_600.0
# A rule in trouble is tried again so often; the others do not wait for it.
_TROUBLE_SECONDS = 60.0


class Watcher:
    """Judges and sends for as long as a process serves."""

    def __init__(
        self,
        database: Database,
        service: QueryService,
        delivering: Delivering,
        address: str,
        *,
        shows_details: bool,
        kept_days: int,
    ) -> None:
        """`address` is that of the site; `shows_details`: anybody sees environment variables."""
        self._database, self._service, self._delivering = database, service, delivering
        self._address, self._shows_details, self._kept_days = address, shows_details, kept_days
        self._sender = Sender(database, delivering)
        self._loop = asyncio.get_running_loop()
        self._wrote, self._queued = asyncio.Event(), asyncio.Event()
        self._paused: dict[int, datetime] = {}
        self._has_rules = False

    def wake(self) -> None:
        """Look soon, from any thread: something was written."""
        if self._has_rules:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wrote.set)

    async def judge(self) -> None:
        """Judge what changes."""
        while True:
            await _woken(self._wrote)
            if self._database.condition.trouble is None:
                try:
                    await self._look()
                except Exception as error:
                    note_undone("changes_not_judged", error)
            await asyncio.sleep(_GATHER_SECONDS)

    async def send(self) -> None:
        """Send what waits."""
        async with anyio.create_task_group() as tasks:
            while True:
                await _woken(self._queued)
                if self._has_rules and self._database.condition.trouble is None:
                    try:
                        due = partial(deliveries.is_due, now=utc_now())
                        if await in_thread(self._database.look_once, due):
                            await self._sender.send_waiting(tasks)
                    except Exception as error:
                        note_undone("notifications_not_sent", error)

    async def forget(self) -> None:
        """Delete the log's messages of long ago."""
        while True:
            if self._database.condition.trouble is None:
                before = utc_now() - timedelta(days=self._kept_days)
                work = partial(deliveries.forget_deliveries, before=before)
                try:
                    while await self._database.write_held(work, impatient=True):
                        pass
                except Exception as error:
                    note_undone("notifications_not_forgotten", error)
            await asyncio.sleep(_FORGET_SECONDS)

    async def _look(self) -> None:
        self._has_rules = await in_thread(self._database.look_once, rules.are_rules)
        if not self._has_rules:
            return
        await changes.number(self._database)
        newest, behind = await in_thread(self._database.look_once, _behind)
        now = utc_now()
        for rule in behind:
            if self._paused.get(rule.id, now) <= now:
                await self._judge_rule(rule, newest)

    async def _judge_rule(self, rule: StoredRule, newest: int) -> None:
        until = min(newest, rule.position + _POSITIONS_AT_ONCE)
        try:
            events = await self._events(rule, until)
        except Refused as refused:
            if refused.code.retryable:
                raise
            await self._note_trouble(rule, refused.sentence)
        except Exception as error:
            log.exception("rule_not_judged", rule=rule.name)
            await self._note_trouble(
                rule, f"a fault of the server's own, {type(error).__name__}: see its log"
            )
        else:
            self._paused.pop(rule.id, None)
            stored = await self._database.write_held(
                partial(self._store, rule, until, events), impatient=True
            )
            if stored:
                self._queued.set()
            if until < newest:
                self._wrote.set()

    async def _events(self, rule: StoredRule, until: int) -> list[Event]:
        if rule.owner_id is None:
            raise Refused(Code.PERSON_DISABLED, f"its owner {rule.owner!r} is disabled")
        if rule.is_muted:
            return []
        changed = partial(_changed_builds, after=rule.position, until=until)
        build_ids = await in_thread(self._database.look_once, changed)
        if not build_ids:
            return []
        viewer = Viewer(rule.owner_id, Role.MEMBER)
        if rule.owner == ANONYMOUS:
            viewer = Viewer(sees_details=self._shows_details)
        return await News(self._service.seen_by(viewer), self._address).among(rule, build_ids, utc_now())

    def _store(self, rule: StoredRule, until: int, events: Sequence[Event], connection: Connection) -> int:
        if not rules.judged(connection, rule, until):
            return 0
        return deliveries.store(connection, rule.id, events, utc_now(), self._delivering.retry_seconds)

    async def _note_trouble(self, rule: StoredRule, sentence: str) -> None:
        """Show why, and let the others go on; the rule is tried again where it was."""
        if rule.id not in self._paused:
            log.warning("rule_not_judged", rule=rule.name, reason=sentence)
        self._paused[rule.id] = utc_now() + timedelta(seconds=_TROUBLE_SECONDS)
        work = partial(rules.note_trouble, rule_id=rule.id, sentence=sentence)
        await self._database.write_held(work, impatient=True)


def _behind(connection: Connection) -> tuple[int, list[StoredRule]]:
    newest = rules.newest_position(connection)
    return newest, rules.rules_behind(connection, newest)


def _changed_builds(connection: Connection, after: int, until: int) -> Sequence[int]:
    """The ids of builds that changed, as far as they are there."""
    return connection.execute(
        select(ReportedChange.row_id)
        .where(
            ReportedChange.kind == ChangeKind.BUILD,
            ReportedChange.position > after,
            ReportedChange.position <= until,
        )
        .distinct()
    ).scalars().all()  # fmt: skip


async def _woken(event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_SECONDS):
            await event.wait()
    event.clear()
