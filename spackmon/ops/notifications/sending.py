"""Sends what waits: each channel's messages one after the other, channels beside each other."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar

import anyio
import structlog
from anyio.abc import TaskGroup
from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.errors import Refused
from spackmon.models import utc_now
from spackmon.ops.notifications import chat, deliveries, mail
from spackmon.ops.notifications.addresses import Allowed
from spackmon.ops.notifications.deliveries import Message
from spackmon.ops.notifications.mail import MailServer
from spackmon.ops.notifications.rules import StoredChannel
from spackmon.ops.notifications.webhook import Outcome, WebhookSender, signed_headers, signing_key
from spackmon.status import ChannelKind, DeliveryStatus

Result = TypeVar("Result")
log = structlog.get_logger()

_LEASE_BYTES = 8
_CHANNELS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Delivering:
    """What the settings say of messages. `secret` gives what signing keys are made of; raises Refused."""

    secret: Callable[[], str]
    allowed: Allowed
    mail_server: MailServer | None
    retry_seconds: float


class Sender:
    """Sends messages of channels, and notes what became of each."""

    def __init__(self, database: Database, delivering: Delivering) -> None:
        self._database, self._delivering = database, delivering
        self._webhooks: WebhookSender | None = None
        self._sending = 0

    async def send(self, channel: StoredChannel, message: Message) -> Outcome:
        """One try; every failure is an outcome."""
        try:
            match channel.kind:
                case ChannelKind.EMAIL:
                    server = self._delivering.mail_server
                    return await mail.send(server, channel.address, message.key, message.content)
                case ChannelKind.CHAT:
                    body = chat.rendered(channel.template or "", message.content)
                    return await self._http.post(channel.address, body, {})
                case ChannelKind.WEBHOOK:
                    return await self._post_signed(channel, message)
        except Refused as refused:
            return Outcome(False, refused.sentence)

    async def send_waiting(self, tasks: TaskGroup) -> None:
        """Begin to send what is due now, from channels that nobody else sends from. Raises Refused.

        Nobody waits for a receiver but its own channel.
        """
        most = _CHANNELS_AT_ONCE - self._sending
        if most <= 0:
            return
        lease = secrets.token_hex(_LEASE_BYTES)
        claim = partial(deliveries.claim_channels, lease=lease, now=utc_now(), most=most)
        for channel in await self._database.write_held(claim, impatient=True):
            self._sending += 1
            tasks.start_soon(self._send_from, channel, lease)

    async def _send_from(self, channel: StoredChannel, lease: str) -> None:
        try:
            while (message := await self._next(channel, lease)) is not None:
                # As the process ends: what has begun is finished, and need not go twice.
                with anyio.CancelScope(shield=True):
                    outcome = await self.send(channel, message)
                    _log(channel, message, outcome, await self.note(message, outcome))
        except Refused as refused:
            log.info("notifications_not_sent", rule=channel.rule_name, code=refused.code)
        except Exception:
            # A fault of one channel's messages is none of the others'.
            log.exception("notifications_not_sent", rule=channel.rule_name)
        finally:
            self._sending -= 1
            with anyio.CancelScope(shield=True), suppress(Exception):
                await self._write(lambda connection: deliveries.release(connection, channel.id, lease))

    async def _next(self, channel: StoredChannel, lease: str) -> Message | None:
        now, retry_seconds = utc_now(), self._delivering.retry_seconds
        return await self._write(
            lambda connection: deliveries.take_next(connection, channel.id, lease, now, retry_seconds)
        )

    async def note(self, message: Message, outcome: Outcome) -> DeliveryStatus:
        """Write down what became of a try. Raises Refused."""
        now = utc_now()
        return await self._write(
            lambda connection: deliveries.note_outcome(connection, message, outcome, now)
        )

    async def _write(self, work: Callable[[Connection], Result]) -> Result:
        return await self._database.write_held(work, impatient=True)

    async def _post_signed(self, channel: StoredChannel, message: Message) -> Outcome:
        key = signing_key(self._delivering.secret(), channel.key_salt)
        body = webhook_body(message.content, message.created_at)
        headers = signed_headers(key, message.key, int(time.time()), body)
        return await self._http.post(channel.address, body, headers)

    @property
    def _http(self) -> WebhookSender:
        # To read the system's certificates takes as long as many requests: once, and only if need be.
        if self._webhooks is None:
            self._webhooks = WebhookSender(self._delivering.allowed, f"spackmon/{version('spackmon')}")
        return self._webhooks


def webhook_body(content: Mapping[str, Any], created_at: datetime) -> bytes:
    """What a webhook is sent: the event's `type`, when it was noted, and its `data`."""
    envelope = {"type": content["event"], "timestamp": created_at.isoformat(), "data": content}
    return json.dumps(envelope).encode()


def _log(channel: StoredChannel, message: Message, outcome: Outcome, status: DeliveryStatus) -> None:
    log.info(
        "notification_tried",
        rule=channel.rule_name,
        channel=f"{channel.kind.lower()} {channel.shown_address}",
        delivery=message.key,
        status=status,
        answer_status=outcome.answer_status,
    )
