"""A mail server that wants TLS and a password, and keeps what it takes."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from spackmon.models import utc_now

USER, PASSWORD = "spackmon", "a password with 'quotes'"


@dataclass
class Mailbox:
    """A running server; `certificate` is the one to trust."""

    port: int
    certificate: Path
    mails: list[EmailMessage] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 -- the library's name
        """Take a mail, or answer the next of `refusals`."""
        if self.refusals:
            return self.refusals.pop(0)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"


@contextmanager
def receiving_mail(directory: Path) -> Iterator[Mailbox]:
    """A server as long as the block."""
    certificate = directory / "mail.pem"
    certificate.write_bytes(_self_signed())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    mailbox = Mailbox(0, certificate)

    def is_ours(_: Any, __: Any, ___: Any, ____: Any, given: Any) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == (USER.encode(), PASSWORD.encode()))

    with socket.create_server(("127.0.0.1", 0)) as free:
        mailbox.port = free.getsockname()[1]
    controller = Controller(
        mailbox, hostname="127.0.0.1", port=mailbox.port, tls_context=context, require_starttls=True,
        authenticator=is_ours, auth_required=True,
    )  # fmt: skip
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop(no_assert=True)


def _self_signed() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail of a test")])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + certificate.public_bytes(pem)
