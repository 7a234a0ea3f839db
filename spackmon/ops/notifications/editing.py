"""Changes of a rule that there is: what it tells of, by which channels, and whether it is quiet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from spackmon.auth.audit import Action, note
from spackmon.errors import Code, Refused
from spackmon.models import NotificationChannel, NotificationDelivery, NotificationRule, utc_now
from spackmon.ops.notifications import chat
from spackmon.ops.notifications.rules import (
    Channel,
    StoredChannel,
    add_channel,
    channels_of,
    held_rule,
    position_from_now_on,
    rule_id_of,
)
from spackmon.status import DeliveryStatus, NewsKind

_d = NotificationDelivery


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What is to be different; None leaves it. `environment_name` "" means any.

    `condition` is a BuildFilter that was tried already. Of `removed` each is a mail address, a URL, or what
    is shown of it.
    """

    event: NewsKind | None = None
    condition: Mapping[str, Any] | None = None
    environment_name: str | None = None
    messages_per_hour: int | None = None
    is_muted: bool | None = None
    added: Sequence[Channel] = ()
    removed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule tells of."""

    event: NewsKind
    condition: Mapping[str, Any]
    environment_name: str | None


def told_after(connection: Connection, name: str, change: RuleChange) -> Told:
    """What a rule will tell of once it is changed. Raises Refused RULE_UNKNOWN, RULE_INVALID."""
    rule = NotificationRule
    row = connection.execute(
        select(rule.event, rule.condition, rule.environment_name).where(
            rule.id == rule_id_of(connection, name)
        )
    ).one()
    event = NewsKind(row.event) if change.event is None else change.event
    condition = json.loads(row.condition) if change.condition is None else change.condition
    environment = row.environment_name if change.environment_name is None else change.environment_name
    if environment and event is not NewsKind.ROOT_FAILED:
        raise Refused(
            Code.RULE_INVALID, "--environment is for --on ROOT_FAILED: give --environment '' with another"
        )
    return Told(event, condition, environment or None)


def edit_rule(connection: Connection, name: str, change: RuleChange) -> None:
    """Change a rule, which by what it is then tells of what is reported from now on.

    One in trouble goes on where it was; what waits of one that is muted is given up. Raises Refused
    RULE_UNKNOWN, RULE_INVALID, TEMPLATE_INVALID.
    """
    rule_id = held_rule(connection, name)
    told = told_after(connection, name, change)
    _change_channels(connection, rule_id, channels_of(connection, name), change)
    for channel in channels_of(connection, name):
        if channel.template is not None:
            chat.check_template(channel.template, told.event)
    values: dict[str, Any] = {}
    if (change.event, change.condition, change.environment_name) != (None, None, None):
        values |= {
            "event": told.event, "condition": json.dumps(told.condition),
            "environment_name": told.environment_name,
        }  # fmt: skip
        if not _is_in_trouble(connection, rule_id):
            values |= _from_now_on(connection)
    if change.messages_per_hour is not None:
        values["messages_per_hour"] = change.messages_per_hour
    if change.is_muted is not None:
        values |= {"muted_at": utc_now() if change.is_muted else None, **_from_now_on(connection)}
    if change.is_muted:
        _give_up(connection, rule_id)
    if values:
        connection.execute(update(NotificationRule).where(NotificationRule.id == rule_id).values(values))
    note(connection, None, Action.RULE_CHANGED, name, f"tells of {told.event}")


def _from_now_on(connection: Connection) -> dict[str, Any]:
    position = position_from_now_on(connection)
    return {"position": position, "tells_since": utc_now(), "trouble": None, "trouble_at": None}


def _is_in_trouble(connection: Connection, rule_id: int) -> bool:
    trouble = select(NotificationRule.trouble).where(NotificationRule.id == rule_id)
    return connection.execute(trouble).scalar_one() is not None


def _change_channels(
    connection: Connection, rule_id: int, channels: Sequence[StoredChannel], change: RuleChange
) -> None:
    gone = {_channel_at(channels, address).id for address in change.removed}
    if len(gone) == len(channels) and not change.added:
        raise Refused(Code.RULE_INVALID, "a rule needs a channel: this would take its last one")
    connection.execute(delete(_d).where(_d.channel_id.in_(gone)))
    connection.execute(delete(NotificationChannel).where(NotificationChannel.id.in_(gone)))
    for channel in change.added:
        add_channel(connection, rule_id, channel)


def _channel_at(channels: Sequence[StoredChannel], address: str) -> StoredChannel:
    shown = f"{address.rstrip('/')}/…"
    found = [one for one in channels if one.address == address] or [
        one for one in channels if one.shown_address in (address, shown)
    ]
    if len(found) == 1:
        return found[0]
    # The address is not repeated: it may be a secret.
    how_many = f"{len(found)} channels go" if found else "no channel goes"
    raise Refused(
        Code.RULE_INVALID, f"{how_many} to what --remove-channel names: give a mail address or a whole URL"
    )


def _give_up(connection: Connection, rule_id: int) -> None:
    channels = select(NotificationChannel.id).where(NotificationChannel.rule_id == rule_id)
    connection.execute(
        update(_d)
        .where(_d.channel_id.in_(channels), _d.ended_at.is_(None))
        .values(status=DeliveryStatus.DEAD, ended_at=utc_now(), answer="the rule was muted")
    )
