"""Rules and their channels, as an operator states them."""

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from spackmon.auth.audit import Action, note
from spackmon.errors import Code, Refused
from spackmon.ingest.tables.changes import number_changes
from spackmon.models import (
    NotificationChannel,
    NotificationDelivery,
    NotificationRule,
    Person,
    ReportedChange,
    utc_now,
)
from spackmon.ops.notifications.addresses import host_alone
from spackmon.status import ChannelKind, DeliveryStatus, NewsKind

MESSAGES_PER_HOUR = 20
# It stands in mail's headers, in addresses of pages to come, and on command lines.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SALT_BYTES = 16
_TROUBLE_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Channel:
    """Where messages go; `template` is a chat's."""

    kind: ChannelKind
    address: str
    template: str | None = None


@dataclass(frozen=True, slots=True)
class NewRule:
    """A rule to be added; `condition` is a BuildFilter that was tried already."""

    name: str
    event: NewsKind
    condition: Mapping[str, Any]
    environment_name: str | None
    messages_per_hour: int
    channels: Sequence[Channel]


@dataclass(frozen=True, slots=True)
class RuleRecord:
    """A rule as lists show it; `dead` counts its messages that were given up."""

    name: str
    owner: str
    event: str
    condition: str
    environment_name: str | None
    created_at: datetime
    channels: str
    dead: int
    trouble: str | None
    muted_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule that is judged; `owner_id` is None where the owner was disabled."""

    id: int
    name: str
    owner: str
    owner_id: int | None
    event: NewsKind
    condition: Mapping[str, Any]
    environment_name: str | None
    position: int
    tells_since: datetime
    is_muted: bool


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel of a rule, by its number; `shown_address` says whose it is, without what may be a secret."""

    id: int
    rule_name: str
    kind: ChannelKind
    address: str
    shown_address: str
    template: str | None
    key_salt: str


def add_rule(connection: Connection, owner_id: int, rule: NewRule) -> None:
    """Add a rule, which tells of what is reported from now on. Raises Refused RULE_INVALID, RULE_EXISTS."""
    if not _NAME.fullmatch(rule.name):
        raise Refused(
            Code.RULE_INVALID,
            f"{rule.name!r} cannot be a rule's name: expected letters, digits and . _ -, up to 100",
        )
    now = utc_now()
    values = {
        "name": rule.name, "owner_id": owner_id, "event": rule.event, "condition": json.dumps(rule.condition),
        "environment_name": rule.environment_name, "messages_per_hour": rule.messages_per_hour,
        "position": position_from_now_on(connection), "created_at": now, "tells_since": now,
    }  # fmt: skip
    try:
        with connection.begin_nested():
            inserted = insert(NotificationRule).values(values).returning(NotificationRule.id)
            rule_id = connection.execute(inserted).scalar_one()
    except IntegrityError:
        raise Refused(Code.RULE_EXISTS, f"there is a rule named {rule.name!r} already") from None
    for channel in rule.channels:
        add_channel(connection, rule_id, channel)
    note(connection, None, Action.RULE_ADDED, rule.name, rule.event)


def add_channel(connection: Connection, rule_id: int, channel: Channel) -> None:
    """Let a rule's messages go by another channel, too."""
    is_mail = channel.kind is ChannelKind.EMAIL
    connection.execute(
        insert(NotificationChannel).values(
            rule_id=rule_id,
            kind=channel.kind,
            address=channel.address,
            shown_address=channel.address if is_mail else host_alone(channel.address),
            template=channel.template,
            key_salt=secrets.token_hex(_SALT_BYTES),
        )
    )


def position_from_now_on(connection: Connection) -> int:
    """The position that is after all that was reported yet."""
    if connection.dialect.name != "sqlite":
        while number_changes(connection):
            pass
    return newest_position(connection)


def remove_rule(connection: Connection, name: str) -> None:
    """Forget a rule, its channels and what they told. Raises Refused RULE_UNKNOWN."""
    rule_id = held_rule(connection, name)
    channels = select(NotificationChannel.id).where(NotificationChannel.rule_id == rule_id)
    connection.execute(delete(NotificationDelivery).where(NotificationDelivery.channel_id.in_(channels)))
    connection.execute(delete(NotificationChannel).where(NotificationChannel.rule_id == rule_id))
    connection.execute(delete(NotificationRule).where(NotificationRule.id == rule_id))
    note(connection, None, Action.RULE_REMOVED, name)


def list_rules(connection: Connection) -> list[RuleRecord]:
    """All rules, by name."""
    rule, channel = NotificationRule, NotificationChannel
    channels: dict[int, list[str]] = {}
    of_rules = select(channel.rule_id, *STORED_CHANNEL).join(rule, rule.id == channel.rule_id)
    for row in connection.execute(of_rules.order_by(channel.id)):
        stored = stored_channel(row)
        channels.setdefault(row.rule_id, []).append(f"{stored.kind.lower()} {stored.shown_address}")
    given_up = (
        select(func.count())
        .select_from(NotificationDelivery)
        .join(channel, channel.id == NotificationDelivery.channel_id)
        .where(channel.rule_id == rule.id, NotificationDelivery.status == DeliveryStatus.DEAD)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(
            rule.id, rule.name, Person.name.label("owner"), rule.event, rule.condition, rule.environment_name,
            rule.created_at, given_up.label("dead"), rule.trouble, rule.muted_at,
        ).join(Person, Person.id == rule.owner_id).order_by(rule.name)
    )  # fmt: skip
    return [
        RuleRecord(
            row.name, row.owner, row.event, row.condition, row.environment_name, row.created_at,
            ", ".join(channels.get(row.id, ())), row.dead, row.trouble,
            row.muted_at,
        )
        for row in rows
    ]  # fmt: skip


def channels_of(connection: Connection, name: str) -> list[StoredChannel]:
    """The channels of a rule, in the order in which they were stated. Raises Refused RULE_UNKNOWN."""
    rule_id = rule_id_of(connection, name)
    rows = connection.execute(
        select(*STORED_CHANNEL)
        .join(NotificationRule, NotificationRule.id == NotificationChannel.rule_id)
        .where(NotificationRule.id == rule_id)
        .order_by(NotificationChannel.id)
    )
    return [stored_channel(row) for row in rows]


STORED_CHANNEL = (
    NotificationChannel.id,
    NotificationRule.name.label("rule_name"),
    NotificationChannel.kind,
    NotificationChannel.address,
    NotificationChannel.shown_address,
    NotificationChannel.template,
    NotificationChannel.key_salt,
)
"""The columns of a StoredChannel."""


def stored_channel(row: Any) -> StoredChannel:
    """The channel in a row of STORED_CHANNEL."""
    return StoredChannel(
        row.id,
        row.rule_name,
        ChannelKind(row.kind),
        row.address,
        row.shown_address,
        row.template,
        row.key_salt,
    )


def rules_behind(connection: Connection, position: int) -> list[StoredRule]:
    """The rules that have not judged all changes up to a position."""
    rows = connection.execute(
        select(
            NotificationRule.id,
            NotificationRule.name,
            Person.name.label("owner"),
            case((Person.disabled_at.is_(None), Person.id)).label("owner_id"),
            NotificationRule.event,
            NotificationRule.condition,
            NotificationRule.environment_name,
            NotificationRule.position,
            NotificationRule.tells_since,
            NotificationRule.muted_at,
        )
        .join(Person, Person.id == NotificationRule.owner_id)
        .where(NotificationRule.position < position)
        .order_by(NotificationRule.id)
    )
    return [
        StoredRule(
            row.id,
            row.name,
            row.owner,
            row.owner_id,
            NewsKind(row.event),
            json.loads(row.condition),
            row.environment_name,
            row.position,
            row.tells_since,
            row.muted_at is not None,
        )
        for row in rows
    ]


def are_rules(connection: Connection) -> bool:
    """Whether there is a rule at all."""
    return connection.execute(select(NotificationRule.id).limit(1)).first() is not None


def newest_position(connection: Connection) -> int:
    """The position of the newest change that has one."""
    return connection.execute(select(func.max(ReportedChange.position))).scalar() or 0


def least_position(connection: Connection) -> int | None:
    """How far all rules have come that are not in trouble; None if there is none."""
    well = NotificationRule.trouble.is_(None)
    found: int | None = connection.execute(select(func.min(NotificationRule.position)).where(well)).scalar()
    return found


def judged(connection: Connection, rule: StoredRule, until: int) -> bool:
    """Note that a rule has judged all changes up to a position; False if another process did that first."""
    moved = connection.execute(
        update(NotificationRule)
        .where(NotificationRule.id == rule.id, NotificationRule.position == rule.position)
        .values(position=until, trouble=None, trouble_at=None)
    )
    return moved.rowcount == 1


def note_trouble(connection: Connection, rule_id: int, sentence: str) -> None:
    """Note why a rule could not be judged; the others go on without it."""
    connection.execute(
        update(NotificationRule)
        .where(NotificationRule.id == rule_id)
        .values(
            trouble=sentence[:_TROUBLE_CHARACTERS],
            trouble_at=func.coalesce(NotificationRule.trouble_at, utc_now()),
        )
    )


def held_rule(connection: Connection, name: str) -> int:
    """The number of a rule that nobody else changes meanwhile: who judges it now waits.

    Raises Refused RULE_UNKNOWN.
    """
    rule_id = rule_id_of(connection, name)
    connection.execute(select(NotificationRule.id).where(NotificationRule.id == rule_id).with_for_update())
    return rule_id


def rule_id_of(connection: Connection, name: str) -> int:
    """The number of a rule. Raises Refused RULE_UNKNOWN."""
    found = connection.execute(
        select(NotificationRule.id).where(NotificationRule.name == name)
    ).scalar_one_or_none()
    if found is None:
        raise Refused(Code.RULE_UNKNOWN, f"there is no rule named {name!r}: see `spackmon rule list`")
    return int(found)
