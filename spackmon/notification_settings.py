"""Settings of what tells people and programs that something broke: webhooks and mail."""

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from spackmon.setting_values import MAIL_PORTS, MailAddress, MailSecurity, Reachable


class NotificationSettings(BaseSettings):
    """What `Settings` has of this; docs/settings.md says the same for people."""

    notification_retry_seconds: float = Field(
        default=86_400.0,
        ge=1,
        description="For how long a message that cannot be delivered is tried again.",
    )
    notifications_kept_days: int = Field(
        default=30,
        ge=7,
        description="For how many days messages that were sent, or given up, stay in the log of deliveries.",
    )
    notification_secret: SecretStr | None = Field(
        default=None,
        description="What the keys that sign webhooks are made of, at least 32 characters; processes over "
        "one database need the same. Not set: generated once into `DATA_DIR`.",
    )
    webhook_private_allowed: Reachable = Field(
        default=frozenset(),
        description="Hosts and networks of the site, with commas between, that webhooks may be sent to "
        "beside addresses of the Internet: `chat.example.org, 10.1.2.0/24`.",
    )
    smtp_host: str | None = Field(default=None, description="The server that takes mail.")
    smtp_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Its port. Not set: 587, 465 or 25, by `SMTP_SECURITY`.",
    )
    smtp_security: MailSecurity = Field(
        default="starttls",
        description="How the way to it is encrypted: `starttls`, `tls` from the first byte, or `none`.",
    )
    smtp_user: str | None = Field(default=None, description="Who signs in there. Not set: nobody.")
    smtp_password: SecretStr | None = Field(default=None, description="The password of `SMTP_USER`.")
    mail_from: MailAddress | None = Field(
        default=None, description="The address that mail comes from, as `spackmon@example.org`."
    )

    @field_validator("smtp_password")
    @classmethod
    def _not_in_clear(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if value is not None and others.data.get("smtp_security") == "none":
            raise ValueError("with SMTP_SECURITY none it would be sent for everybody to read")
        return value

    @property
    def mail_port(self) -> int:
        """The port of the server that takes mail."""
        return self.smtp_port or MAIL_PORTS[self.smtp_security]
