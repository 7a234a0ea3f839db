"""A secret that is made once and kept in a file that only its owner can read."""

import os
import secrets
from pathlib import Path

from spackmon.errors import Code, Refused

_RANDOM_BYTES = 32
_NOT_THE_OWNER = 0o077


def read_or_create(path: Path) -> str:
    """The secret in `path`, made of 256 random bits if there is none yet.

    Processes that start together get the same one. Raises Refused: SECRET_UNUSABLE when what is in the file
    cannot be used, SECRET_NOT_MADE (503) when it is not there and cannot be made now.
    """
    if not path.exists():
        try:
            _create(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Refused(Code.SECRET_NOT_MADE, f"the secret in {path} cannot be made: {reason}") from None
    try:
        if path.stat().st_mode & _NOT_THE_OWNER:
            path.chmod(0o600)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(Code.SECRET_UNUSABLE, f"the secret in {path} cannot be used: {error}") from None
    if len(secret) < _RANDOM_BYTES:
        raise Refused(Code.SECRET_UNUSABLE, f"the secret in {path} is too short: remove the file")
    return secret


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_RANDOM_BYTES) + "\n")
            file.flush()
            # A power failure could otherwise leave the name of the file, and nothing in it.
            os.fsync(file.fileno())
        # A link appears whole or not at all, and loses against one that is there already.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
