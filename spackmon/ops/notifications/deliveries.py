"""The log of messages, which is also their queue: what waits, whose turn it is, and what became of it.

A channel is one sender's at a time (a lease), so that its messages go one after the other and once. A sender
that dies is followed by another when its lease ends; the message it was at may then go twice, with one id.
"""

import json
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, or_, select, update

from spackmon.errors import Code, Refused
from spackmon.models import NotificationChannel, NotificationDelivery, NotificationRule
from spackmon.ops.notifications.rules import STORED_CHANNEL, StoredChannel, stored_channel
from spackmon.ops.notifications.webhook import Outcome
from spackmon.status import DeliveryStatus

TEST = "test:"
"""A subject that begins so is of `spackmon rule test`."""

_KEY_BYTES = 16
# Longer than a try takes.
_LEASE_SECONDS = 90.0
_HOUR = timedelta(hours=1)
_LONGEST_WAIT_SECONDS = 3_600.0
_SUMMED_UP_EVENTS = 20
_FORGOTTEN_AT_ONCE = 1_000
_LONGEST_TRIES_EXPONENT = 10

_d = NotificationDelivery


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be told: `subject` is what it is about, once for each channel."""

    subject: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """What a sender sends next; `key` is the delivery's id."""

    id: int
    key: str
    content: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A message as the log shows it."""

    key: str
    created_at: datetime
    rule: str
    channel: str
    what: str
    status: str
    tries: int
    answer_status: int | None
    answer: str | None


def store(
    connection: Connection, rule_id: int, events: Sequence[Event], now: datetime, retry_seconds: float
) -> int:
    """Queue events for each channel of a rule; how many messages that makes."""
    channel_ids = connection.execute(
        select(NotificationChannel.id).where(NotificationChannel.rule_id == rule_id)
    ).scalars()
    stored = 0
    for channel_id in channel_ids.all():
        subjects = [event.subject for event in events]
        told = set(
            connection.execute(
                select(_d.subject).where(_d.channel_id == channel_id, _d.subject.in_(subjects))
            ).scalars()
        )
        for event in {event.subject: event for event in events if event.subject not in told}.values():
            _insert(connection, channel_id, event, now, retry_seconds)
            stored += 1
    return stored


def store_test(connection: Connection, channel_id: int, content: Mapping[str, Any], now: datetime) -> Message:
    """Log a test, which its command sends at once by itself."""
    event = Event(TEST + secrets.token_hex(_KEY_BYTES), content)
    delivery_id, key = _insert(connection, channel_id, event, now, 0.0)
    # No sender takes it meanwhile.
    connection.execute(update(_d).where(_d.id == delivery_id).values(next_try_at=now + _HOUR))
    return Message(delivery_id, key, content, now)


def _insert(
    connection: Connection, channel_id: int, event: Event, now: datetime, retry_seconds: float
) -> tuple[int, str]:
    key = f"msg_{secrets.token_hex(_KEY_BYTES)}"
    values = {
        "channel_id": channel_id, "key": key, "subject": event.subject, "content": json.dumps(event.content),
        "status": DeliveryStatus.WAITING, "created_at": now, "next_try_at": now, "tries": 0,
        "give_up_at": now + timedelta(seconds=retry_seconds),
    }  # fmt: skip
    return connection.execute(insert(_d).values(values).returning(_d.id)).scalar_one(), key


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether anything waits for a sender."""
    return connection.execute(select(_d.id).where(*_due(now)).limit(1)).first() is not None


def claim_channels(connection: Connection, lease: str, now: datetime, most: int) -> list[StoredChannel]:
    """Channels with something to send that nobody else sends from, for this sender."""
    channel = NotificationChannel
    free = or_(channel.leased_until.is_(None), channel.leased_until < now)
    claimed = (
        connection.execute(
            select(channel.id)
            .where(free, exists().where(_d.channel_id == channel.id, *_due(now)))
            .order_by(channel.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        .scalars()
        .all()
    )
    until = now + timedelta(seconds=_LEASE_SECONDS)
    connection.execute(update(channel).where(channel.id.in_(claimed)).values(lease=lease, leased_until=until))
    rows = connection.execute(
        select(*STORED_CHANNEL)
        .join(NotificationRule, NotificationRule.id == channel.rule_id)
        .where(channel.id.in_(claimed))
    )
    return [stored_channel(row) for row in rows]


def release(connection: Connection, channel_id: int, lease: str) -> None:
    """Leave a channel to others."""
    connection.execute(
        update(NotificationChannel)
        .where(NotificationChannel.id == channel_id, NotificationChannel.lease == lease)
        .values(lease=None, leased_until=None)
    )


def take_next(
    connection: Connection, channel_id: int, lease: str, now: datetime, retry_seconds: float
) -> Message | None:
    """What to send from a channel now; None where there is nothing, or it is somebody else's by now.

    What was tried goes first. Of new ones so many go in an hour as the rule says; the others are held, and
    become one message when the hour is over.
    """
    if not _keep_lease(connection, channel_id, lease, now):
        return None
    again = _first(connection, channel_id, now, _d.tries > 0)
    if again is not None:
        return again
    untried = connection.execute(
        select(_d.id, _d.status, _d.content)
        .where(_d.channel_id == channel_id, _d.tries == 0, *_due(now))
        .order_by(_d.id)
    ).all()
    if not untried:
        return None
    free_at = _room_at(connection, channel_id, now)
    if free_at > now:
        ids = [row.id for row in untried]
        held = update(_d).where(_d.id.in_(ids)).values(status=DeliveryStatus.HELD, next_try_at=free_at)
        connection.execute(held)
        return None
    if len(untried) > 1 and any(row.status == DeliveryStatus.HELD for row in untried):
        _sum_up(connection, channel_id, untried, now, retry_seconds)
    message = _first(connection, channel_id, now, _d.tries == 0)
    assert message is not None  # noqa: S101 -- one of them, or their summary
    connection.execute(
        update(_d).where(_d.id == message.id).values(first_try_at=now, status=DeliveryStatus.WAITING)
    )
    return message


def note_outcome(connection: Connection, message: Message, outcome: Outcome, now: datetime) -> DeliveryStatus:
    """Write down what became of a try, and when the next one is; how the message stands then."""
    row = connection.execute(
        select(_d.tries, _d.give_up_at, _d.ended_at).where(_d.id == message.id)
    ).one_or_none()
    if row is None or (row.ended_at is not None and not outcome.is_delivered):
        # Its rule was removed or muted meanwhile.
        return DeliveryStatus.DEAD
    next_try_at = now + timedelta(seconds=_wait_seconds(row.tries + 1, outcome.wait_seconds))
    status = DeliveryStatus.WAITING
    if outcome.is_delivered:
        status = DeliveryStatus.DELIVERED
    elif outcome.is_final or next_try_at > row.give_up_at:
        status = DeliveryStatus.DEAD
    connection.execute(
        update(_d)
        .where(_d.id == message.id)
        .values(
            tries=_d.tries + 1,
            status=status,
            ended_at=None if status is DeliveryStatus.WAITING else now,
            next_try_at=next_try_at,
            answer_status=outcome.answer_status,
            answer=outcome.answer,
        )
    )
    return status


def list_deliveries(
    connection: Connection, rule: str | None, status: DeliveryStatus | None, most: int
) -> list[DeliveryRecord]:
    """The newest messages first, of one rule or of all."""
    asked: list[ColumnElement[bool]] = []
    if rule is not None:
        asked.append(NotificationRule.name == rule)
    if status is not None:
        asked.append(_d.status == status)
    delivery = (_d.key, _d.created_at, _d.content, _d.status, _d.tries, _d.answer_status, _d.answer)
    rows = connection.execute(
        select(*STORED_CHANNEL, *delivery)
        .join(NotificationRule, NotificationRule.id == NotificationChannel.rule_id)
        .join(_d, _d.channel_id == NotificationChannel.id)
        .where(*asked)
        .order_by(_d.id.desc())
        .limit(most)
    )
    return [
        DeliveryRecord(
            row.key, row.created_at, row.rule_name,
            f"{row.kind.lower()} {stored_channel(row).shown_address}",
            json.loads(row.content)["title"], row.status, row.tries, row.answer_status, row.answer,
        )
        for row in rows
    ]  # fmt: skip


def redeliver(connection: Connection, key: str, now: datetime, retry_seconds: float) -> None:
    """Send a message again, with the id that it had. Raises Refused DELIVERY_UNKNOWN."""
    found = connection.execute(
        update(_d)
        .where(_d.key == key)
        .values(
            status=DeliveryStatus.WAITING,
            ended_at=None,
            next_try_at=now,
            give_up_at=now + timedelta(seconds=retry_seconds),
        )
    )
    if not found.rowcount:
        raise Refused(Code.DELIVERY_UNKNOWN, f"no message has the id {key!r}: see `spackmon rule deliveries`")


def forget_deliveries(connection: Connection, before: datetime) -> bool:
    """Delete messages that ended long ago, some at a time; whether there may be more."""
    old = select(_d.id).where(_d.ended_at < before).order_by(_d.id).limit(_FORGOTTEN_AT_ONCE)
    return connection.execute(delete(_d).where(_d.id.in_(old))).rowcount == _FORGOTTEN_AT_ONCE


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return _d.ended_at.is_(None), _d.next_try_at <= now


def _keep_lease(connection: Connection, channel_id: int, lease: str, now: datetime) -> bool:
    kept = connection.execute(
        update(NotificationChannel)
        .where(NotificationChannel.id == channel_id, NotificationChannel.lease == lease)
        .values(leased_until=now + timedelta(seconds=_LEASE_SECONDS))
    )
    return kept.rowcount == 1


def _first(connection: Connection, channel_id: int, now: datetime, which: Any) -> Message | None:
    row = connection.execute(
        select(_d.id, _d.key, _d.content, _d.created_at)
        .where(_d.channel_id == channel_id, which, *_due(now))
        .order_by(_d.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else Message(row.id, row.key, json.loads(row.content), row.created_at)


def _room_at(connection: Connection, channel_id: int, now: datetime) -> datetime:
    """When a new message may go: now, or when the hour of the messages before it is over."""
    most = connection.execute(
        select(NotificationRule.messages_per_hour)
        .join(NotificationChannel, NotificationChannel.rule_id == NotificationRule.id)
        .where(NotificationChannel.id == channel_id)
    ).scalar_one()
    lately = connection.execute(
        select(_d.first_try_at)
        .where(_d.channel_id == channel_id, _d.first_try_at > now - _HOUR)
        .order_by(_d.first_try_at.desc())
        .limit(most)
    ).scalars().all()  # fmt: skip
    if len(lately) < most or lately[-1] is None:
        return now
    return lately[-1] + _HOUR


def _sum_up(
    connection: Connection, channel_id: int, untried: Sequence[Any], now: datetime, retry_seconds: float
) -> None:
    events = [json.loads(row.content) for row in untried]
    rule = events[0]["rule"]
    content = {
        "event": "SUMMARY", "rule": rule, "title": f"{rule}: {len(events)} more events",
        "count": len(events), "events": events[:_SUMMED_UP_EVENTS],
    }  # fmt: skip
    summary = Event(f"summary:{untried[0].id}", content)
    summary_id, _ = _insert(connection, channel_id, summary, now, retry_seconds)
    connection.execute(
        update(_d)
        .where(_d.id.in_([row.id for row in untried]))
        .values(status=DeliveryStatus.SUMMED_UP, ended_at=now, summary_id=summary_id)
    )


def _wait_seconds(tries: int, asked_seconds: float) -> float:
    """1 s, 4 s, 16 s … up to an hour, and a little more, so that not all come back at once."""
    wait_seconds = min(4.0 ** min(tries - 1, _LONGEST_TRIES_EXPONENT), _LONGEST_WAIT_SECONDS)
    return max(asked_seconds, wait_seconds * random.uniform(1.0, 1.25))  # noqa: S311 -- no secret
