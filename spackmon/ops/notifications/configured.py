"""What the settings say of messages."""

from spackmon.ops.notifications.addresses import Allowed
from spackmon.ops.notifications.mail import MailServer
from spackmon.ops.notifications.sending import Delivering
from spackmon.settings import Settings


def delivering(settings: Settings) -> Delivering:
    """How a process with these settings sends."""
    return Delivering(
        secret=settings.notification_key,
        allowed=Allowed.of(settings.webhook_private_allowed),
        mail_server=_mail_server(settings),
        retry_seconds=settings.notification_retry_seconds,
    )


def _mail_server(settings: Settings) -> MailServer | None:
    if settings.smtp_host is None or settings.mail_from is None:
        return None
    password = settings.smtp_password
    return MailServer(
        host=settings.smtp_host,
        port=settings.mail_port,
        security=settings.smtp_security,
        sender=settings.mail_from,
        user=settings.smtp_user,
        password=None if password is None else password.get_secret_value(),
    )
