"""A message by e-mail: one text, over SMTP, encrypted where the server is not said to do without."""

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from spackmon.errors import Code, Refused, printable
from spackmon.models import utc_now
from spackmon.ops.notifications.messages import lines_of
from spackmon.ops.notifications.webhook import Outcome
from spackmon.setting_values import MAIL_ADDRESS
from spackmon.threads import in_thread

_TIMEOUT_SECONDS = 15.0
_SHOWN_CHARACTERS = 500
_SUBJECT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over: `security` is `starttls`, `tls` or `none`."""

    host: str
    port: int
    security: str
    sender: str
    user: str | None = None
    password: str | None = None


def check_address(address: str) -> None:
    """Refuse what is not one mail address. Raises Refused MAIL_ADDRESS_INVALID."""
    if not MAIL_ADDRESS.fullmatch(address):
        raise Refused(
            Code.MAIL_ADDRESS_INVALID, f"{address!r} is no mail address: expected one, as ada@example.org"
        )


def composed(server: MailServer, recipient: str, key: str, content: Mapping[str, Any]) -> EmailMessage:
    """The mail that says what an event's content says."""
    mail = EmailMessage()
    # What a log has in it is a text and ends no header.
    mail["Subject"] = printable(" ".join(content["title"].split()), _SUBJECT_CHARACTERS)
    mail["From"] = Address("spackmon", addr_spec=server.sender)
    mail["To"] = recipient
    mail["Date"] = format_datetime(utc_now())
    # A mail that comes twice, because it is not known whether it came, has one id.
    mail["Message-ID"] = f"<{key}@{server.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Spackmon-Rule"] = content["rule"]
    lines = [printable(line) for line in (content["title"], "", *lines_of(content))]
    mail.set_content("\n".join(lines) + "\n", cte="quoted-printable")
    return mail


async def send(server: MailServer | None, recipient: str, key: str, content: Mapping[str, Any]) -> Outcome:
    """Hand a mail over; every failure is an outcome, in which no password stands."""
    if server is None:
        return Outcome(False, "no server for mail: SMTP_HOST and MAIL_FROM are not set")
    mail = composed(server, recipient, key, content)
    try:
        await in_thread(_hand_over, server, mail)
    except smtplib.SMTPRecipientsRefused as error:
        status, text = next(iter(error.recipients.values()))
        return _refused(status, text)
    except smtplib.SMTPResponseException as error:
        return _refused(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        return Outcome(False, printable(f"{type(error).__name__}: {error}", _SHOWN_CHARACTERS))
    return Outcome(True, "taken by the mail server", 250)


def _hand_over(server: MailServer, mail: EmailMessage) -> None:
    certificates = ssl.create_default_context()
    if server.security == "tls":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=_TIMEOUT_SECONDS, context=certificates
        )
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_SECONDS)
    with connection:
        if server.security == "starttls":
            connection.starttls(context=certificates)
        if server.user and server.password:
            connection.login(server.user, server.password)
        connection.send_message(mail)


def _refused(status: int, text: bytes | str) -> Outcome:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    # RFC 5321 4.2.1: 5 is for ever. What is wrong with us (530, 535) an operator can mend.
    is_final = 550 <= status <= 559
    return Outcome(False, printable(words, _SHOWN_CHARACTERS), status, is_final=is_final)
