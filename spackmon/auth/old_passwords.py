"""Passwords as the old server hashed them: Django's `pbkdf2_sha256$iterations$salt$digest`.

Each is hashed anew when its person signs in for the first time.
"""

import base64
import hashlib
import hmac

OLD_ALGORITHM = "pbkdf2_sha256$"
"""How a hash of the old server's begins."""
# Django's own count grows by a quarter a year; more is no hash of Django's, and would hold a processor.
_MOST_ITERATIONS = 5_000_000


def is_old(password_hash: str) -> bool:
    """Whether a hash is one of the old server's."""
    return password_hash.startswith(OLD_ALGORITHM)


def is_old_password(password_hash: str, password: str) -> bool:
    """Whether `password` is the one that the old server hashed; a damaged hash fits none."""
    parts = password_hash.split("$")
    if len(parts) != 4 or not is_old(password_hash) or not (parts[1].isascii() and parts[1].isdecimal()):
        return False
    iterations = int(parts[1][:9])
    if not 0 < iterations <= _MOST_ITERATIONS:
        return False
    secret, salt = password.encode("utf-8", "surrogatepass"), parts[2].encode()
    digest = base64.b64encode(hashlib.pbkdf2_hmac("sha256", secret, salt, iterations)).decode()
    return hmac.compare_digest(digest.encode(), parts[3].encode())
