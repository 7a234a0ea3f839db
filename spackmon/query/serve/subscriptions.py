"""Subscriptions: what changes is read once for all who asked the same, and given to each.

Who comes with a cursor reads what was missed, and joins the others where they are. Nobody waits for a slow
client: what it does not take is bounded, and beyond that its subscription ends.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from spackmon.database import Reader
from spackmon.errors import Code, Refused
from spackmon.log_bucket import LogBucket
from spackmon.query.meanings.live import AFTER, UNTIL, UPDATE_END
from spackmon.query.serve.changes import Changes, position_of
from spackmon.query.serve.log_parts import LogParts
from spackmon.query.serve.preparation import Subscribed
from spackmon.query.sql.unpack import unpacked

# Without a word from whoever writes (another process that is no server, a lost connection) it is looked so
# often: one short statement, however many subscribe.
_LOOK_SECONDS = 1.0
# What comes meanwhile is read together.
_GATHER_SECONDS = 0.02
_POSITIONS_AT_ONCE = 500
# Questions have the other connections.
_READS_AT_ONCE = 4
_RETRY_SECONDS = 1.0
# What one subscriber may have left to take.
_MOST_WAITING, _MOST_WAITING_BYTES = 2_000, 8_000_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SubscriptionLimits:
    """How many there may be at one time in this process, and of one viewer."""

    subscriptions: int = 700
    of_viewer: int = 300


@dataclass(frozen=True, slots=True)
class Update:
    """One update: its cursor, and the `data` of a GraphQL response."""

    cursor: str
    position: int
    data: bytes

    @property
    def response(self) -> bytes:
        """The response, JSON."""
        return b'{"data":%s}' % self.data


class _Group:
    """All who asked the same."""

    def __init__(self, subscribed: Subscribed, position: int, hub: "Subscriptions") -> None:
        self.position = position
        self.members: set[Subscription] = set()
        # Of those too that catch up and will join.
        self.awaited = 0
        self._subscribed, self._hub = subscribed, hub
        self.task = asyncio.create_task(self._run())

    async def read(self, after: int, until: int) -> list[Update]:
        """The updates between two positions. Raises Refused as a Reader does."""
        subscribed = self._subscribed
        parameters = {**subscribed.parameters, AFTER: after, UNTIL: until}
        async with self._hub.reads:
            reader = subscribed.reader or self._hub.reader
            answer = await reader.fetch(subscribed.plan.statement, parameters)
        if not answer:
            return []
        computations = subscribed.plan.computations
        parts = await self._hub.logs.parts(answer, computations)
        whole = unpacked(answer, computations, subscribed.variables, parts)
        return [_update(one) for one in whole.split(UPDATE_END.encode())[:-1]]

    async def _run(self) -> None:
        while True:
            newest = await self._hub.moved_beyond(self.position)
            until = min(newest, self.position + _POSITIONS_AT_ONCE)
            try:
                updates = await self.read(self.position, until)
            except Refused as refused:
                if refused.code.retryable:
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                self._end(refused)
                continue
            except Exception:
                log.exception("updates_not_read")
                self._end(Refused(Code.INTERNAL, "the server met a fault of its own as it read the update"))
                continue
            self.position = until
            for member in self.members:
                member.offer(updates)

    def _end(self, refused: Refused) -> None:
        # Who comes back with a cursor meets the same error; the others go on behind it.
        self.position = self._hub.position
        for member in self.members:
            member.end(refused)


@dataclass(eq=False)
class Subscription:
    """One subscriber. Its updates begin after `cursor`; `position` is that of the last one it was given."""

    hub: "Subscriptions"
    subscribed: Subscribed
    viewer: Hashable
    cursor: str = ""
    position: int = 0
    _waiting: deque[Update] = field(default_factory=deque)
    _waiting_bytes: int = 0
    _ended: Refused | None = None
    _is_over: bool = False
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def updates(self, idle_seconds: float | None = None) -> AsyncGenerator[Update | None, None]:
        """Its updates, until the server ends it, and None after so long without one; close it to leave.

        Raises Refused where it cannot go on: SUBSCRIBER_TOO_SLOW, and as a Reader does.
        """
        group = self.hub.join(self.subscribed)
        try:
            while self.position < group.position:
                until = min(group.position, self.position + _POSITIONS_AT_ONCE)
                for update in await group.read(self.position, until):
                    yield update
                self.position = until
            group.members.add(self)
            while True:
                while self._waiting:
                    update = self._waiting.popleft()
                    self._waiting_bytes -= len(update.data)
                    yield update
                if self._ended is not None:
                    raise self._ended
                if self._is_over or self.hub.is_over:
                    return
                self._woken.clear()
                try:
                    async with asyncio.timeout(idle_seconds):
                        await self._woken.wait()
                except TimeoutError:
                    yield None
        finally:
            group.members.discard(self)
            self.hub.leave(self, group)

    def offer(self, updates: Sequence[Update]) -> None:
        """Give it updates, those that it has not; one that takes too few ends."""
        new = [update for update in updates if update.position > self.position]
        if not new or self._ended is not None:
            return
        self.position = new[-1].position
        self._waiting.extend(new)
        self._waiting_bytes += sum(len(update.data) for update in new)
        if len(self._waiting) > _MOST_WAITING or self._waiting_bytes > _MOST_WAITING_BYTES:
            self.end(
                Refused(
                    Code.SUBSCRIBER_TOO_SLOW,
                    "the client takes updates more slowly than they come: go on after the last cursor",
                )
            )
            self._waiting.clear()
        self._woken.set()

    def end(self, refused: Refused) -> None:
        """End it with an error, after what it was given."""
        self._ended = refused
        self._woken.set()

    def stop(self) -> None:
        """End it without a word, as the server ends."""
        self._is_over = True
        self._woken.set()


class Subscriptions:
    """All subscriptions of a process. `run` looks after them."""

    def __init__(
        self, reader: Reader, changes: Changes, limits: SubscriptionLimits, bucket: LogBucket | None = None
    ) -> None:
        self.reader = reader
        self.logs = LogParts(bucket)
        self.reads = asyncio.Semaphore(_READS_AT_ONCE)
        self.position = 0
        self.is_over = False
        self._changes, self._limits = changes, limits
        self._groups: dict[Hashable, _Group] = {}
        self._open: set[Subscription] = set()
        self._of_viewer: Counter[Hashable] = Counter()
        self._loop = asyncio.get_running_loop()
        self._woken, self._moved = asyncio.Event(), asyncio.Event()
        self.used = asyncio.Event()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._open)

    def wake(self) -> None:
        """Look now, from any thread: something may have changed."""
        if self._open:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self) -> None:
        """See what changes, for as long as the process serves."""
        while True:
            await self.used.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._woken.wait()
            self._woken.clear()
            began = time.monotonic()
            try:
                self._move(position_of(await self._changes.newest()))
            except Refused as refused:
                log.info("changes_not_seen", code=refused.code)
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("changes_not_seen")
                await asyncio.sleep(_RETRY_SECONDS)
            await asyncio.sleep(max(0.0, _GATHER_SECONDS - (time.monotonic() - began)))

    async def open(self, subscribed: Subscribed, viewer: Hashable) -> Subscription:
        """A subscription of a viewer, to be run by its `updates`, or left by `leave`.

        Raises Refused: SUBSCRIPTIONS_BUSY, CURSOR_INVALID, CURSOR_EXPIRED, and as a Reader does.
        """
        limits = self._limits
        if self.is_over or len(self._open) >= limits.subscriptions:
            raise Refused(Code.SUBSCRIPTIONS_BUSY, "the server has as many subscriptions as it may")
        if self._of_viewer[viewer] >= limits.of_viewer:
            sentence = f"you have {limits.of_viewer} subscriptions here, as many as one may"
            raise Refused(Code.SUBSCRIPTIONS_BUSY, sentence)
        subscription = Subscription(self, subscribed, viewer)
        self._open.add(subscription)
        self._of_viewer[viewer] += 1
        self.used.set()
        try:
            newest = await self._changes.newest()
            if subscribed.after is not None:
                subscription.cursor = subscribed.after
            elif subscribed.reader is not None:
                subscription.cursor = await self._changes.newest_for(subscribed.reader)
            else:
                subscription.cursor = newest
            subscription.position = position_of(newest)
            if subscribed.after is not None:
                subscription.position = await self._changes.after(subscribed.after)
        except BaseException:
            self.leave(subscription)
            raise
        self._move(position_of(newest))
        return subscription

    def join(self, subscribed: Subscribed) -> _Group:
        """The group of all who asked the same."""
        group = self._groups.get(subscribed.key)
        if group is None:
            group = self._groups[subscribed.key] = _Group(subscribed, self.position, self)
        group.awaited += 1
        return group

    def leave(self, subscription: Subscription, group: _Group | None = None) -> None:
        """Forget a subscription; a group without any is gone."""
        if subscription in self._open:
            self._open.discard(subscription)
            self._of_viewer[subscription.viewer] -= 1
            if not self._of_viewer[subscription.viewer]:
                del self._of_viewer[subscription.viewer]
        if not self._open:
            self.used.clear()
        if group is not None:
            group.awaited -= 1
            if not group.awaited:
                self._groups.pop(subscription.subscribed.key, None)
                group.task.cancel()

    def end(self) -> None:
        """End all, as the server ends: clients connect again and go on by their cursors."""
        self.is_over = True
        for subscription in self._open:
            subscription.stop()

    async def moved_beyond(self, position: int) -> int:
        """The newest position, once it is beyond another."""
        while self.position <= position:
            await self._moved.wait()
        return self.position

    def _move(self, newest: int) -> None:
        if newest > self.position:
            self.position = newest
            self._moved.set()
            self._moved = asyncio.Event()


def _update(line: bytes) -> Update:
    cursor, _, data = line.lstrip(b",").partition(b" ")
    text = cursor.decode().strip('"')
    # White space between values is all that a raw line feed can be in JSON, and it ends a line elsewhere.
    return Update(text, position_of(text), data.replace(b"\n", b" ").replace(b"\r", b" "))
