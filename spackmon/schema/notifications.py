"""Rules of what people are told of, their channels and their messages, which administrators see."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity, relation
from spackmon.query.rows.relations import refer_by
from spackmon.schema.connection import Connection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.person import Person
from spackmon.schema.status import ChannelKind, DeliveryStatus, NewsKind


@noun("messages of rules")
class NotificationDelivery(Node):
    """A message of a rule, and what became of it."""

    id: strawberry.ID = identity(models.NotificationDelivery)
    key: str = column(
        models.NotificationDelivery.key,
        filters=True,
        description="The id that its receiver is shown, as `spackmon rule redeliver` takes it.",
    )
    status: DeliveryStatus = column(
        models.NotificationDelivery.status, filters=True, description="How it stands."
    )
    content: JSON = column(
        models.NotificationDelivery.content, description="What it says: `data` of a webhook."
    )
    tries: int = column(
        models.NotificationDelivery.tries, filters=True, sorts=True, description="How often it was sent."
    )
    answer_status: int | None = column(
        models.NotificationDelivery.answer_status,
        filters=True,
        description="The last answer's status; null where none came.",
    )
    answer: str | None = column(
        models.NotificationDelivery.answer, description="The last answer's first bytes, or why there is none."
    )
    created_at: datetime = column(
        models.NotificationDelivery.created_at, filters=True, sorts=True, description="When it was noted."
    )
    first_try_at: datetime | None = column(
        models.NotificationDelivery.first_try_at, description="When it was first sent."
    )
    next_try_at: datetime = column(
        models.NotificationDelivery.next_try_at,
        description="When it is sent next; of one that has ended, when it would have been.",
    )
    ended_at: datetime | None = column(
        models.NotificationDelivery.ended_at,
        filters=True,
        sorts=True,
        description="When it was taken or given up; null while it waits.",
    )
    channel: "NotificationChannel" = relation(
        models.NotificationDelivery.channel_id, filters=True, description="How it goes."
    )


@noun("channels of rules")
class NotificationChannel(Node):
    """How a rule's messages go."""

    id: strawberry.ID = identity(models.NotificationChannel)
    kind: ChannelKind = column(models.NotificationChannel.kind, filters=True, description="How.")
    shown_address: str = column(
        models.NotificationChannel.shown_address,
        filters=True,
        sorts=True,
        description="A mail address; of a URL its host alone, as the rest may be a secret.",
    )
    rule: "NotificationRule" = relation(
        models.NotificationChannel.rule_id, filters=True, description="The rule."
    )
    deliveries: Connection[NotificationDelivery] = connection(
        models.NotificationDelivery,
        belongs=refer_by(models.NotificationDelivery.channel_id),
        filters=True,
        description="Its messages, the latest first.",
    )


@noun("rules of what people are told of")
class NotificationRule(Node):
    """What people are told of."""

    id: strawberry.ID = identity(models.NotificationRule)
    name: str = column(models.NotificationRule.name, filters=True, sorts=True, description="Its name.")
    event: NewsKind = column(models.NotificationRule.event, filters=True, description="What it tells of.")
    condition: JSON = column(models.NotificationRule.condition, description="Of which builds: a BuildFilter.")
    environment_name: str | None = column(
        models.NotificationRule.environment_name,
        filters=True,
        description="ROOT_FAILED: of which environment; null is any.",
    )
    messages_per_hour: int = column(
        models.NotificationRule.messages_per_hour,
        filters=True,
        description="What comes more by a channel in an hour is summed up.",
    )
    trouble: str | None = column(
        models.NotificationRule.trouble, filters=True, description="Why it cannot be judged; null if it can."
    )
    trouble_at: datetime | None = column(
        models.NotificationRule.trouble_at, description="Since when it cannot be judged."
    )
    created_at: datetime = column(
        models.NotificationRule.created_at, filters=True, sorts=True, description="When it was added."
    )
    muted_at: datetime | None = column(
        models.NotificationRule.muted_at,
        filters=True,
        description="Since when it is muted; null if it tells.",
    )
    owner: Person = relation(
        models.NotificationRule.owner_id,
        filters=True,
        description="Whose it is: it tells of what this person may see.",
    )
    channels: Connection[NotificationChannel] = connection(
        models.NotificationChannel,
        belongs=refer_by(models.NotificationChannel.rule_id),
        filters=True,
        description="How its messages go.",
    )
    deliveries: Connection[NotificationDelivery] = connection(
        models.NotificationDelivery,
        belongs=refer_by(models.NotificationDelivery.channel_id, models.NotificationChannel.rule_id),
        filters=True,
        description="Its messages, the latest first.",
    )
