"""The gate: who is behind the Authorization header of a request.

Every write passes here and costs one indexed statement; so does the storm of token requests after a
client's access token has expired in mid-build. Only passwords, which people choose, are hashed slowly.
"""

import base64
import binascii
import hmac
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import anyio
from sqlalchemy import Connection, Select, literal, null, select

from spackmon.auth.access_tokens import AccessToken, AccessTokens, Claims
from spackmon.auth.guesses import Guesses
from spackmon.auth.old_passwords import is_old
from spackmon.auth.people import ANONYMOUS, anonymous, hashes_to_judge, is_password, renew_password
from spackmon.auth.signing_keys import stored_keys
from spackmon.auth.tokens import digest, is_current, looks_like_token
from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.models import Person, Token, utc_now
from spackmon.threads import in_thread
from spackmon.viewer import ADMIN, READ, WRITE, Role, Viewer, allows, within_role

# A verification takes 64 MB and 50 ms of a core: guessing must not take the machine from builds.
_PASSWORDS_AT_ONCE = 2
# More tokens than a site has; of more, the earlier ones are forgotten.
_MOST_ADMITTED = 10_000
# Browsers send a password with each request, and so does a proxy that hands on what was for it.
_JUDGED_SECONDS = 300.0
_MOST_JUDGED = 1_000

_NOBODY = Viewer(sees_details=False)
# What a person may do who shows a password.
_OF_PASSWORDS = f"{WRITE} {READ}"
_USE_NOTED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sender:
    """The person a request comes from, and whether what it shows is for everything."""

    person_id: int
    name: str
    administers: bool = False


class Gate:
    """Lets senders in; one for each server process."""

    def __init__(self, database: Database, access_tokens: AccessTokens, is_open: bool) -> None:
        self._database = database
        self._access_tokens = access_tokens
        self._is_open = is_open
        self._anonymous_id: int | None = None
        self._admitted: dict[bytes, Claims] = {}
        self._used: dict[int, datetime] = {}
        self._passwords = anyio.CapacityLimiter(_PASSWORDS_AT_ONCE)
        self._guesses = Guesses(database)
        # Until when right passwords count as right, and wrong ones as wrong; by a key of this process alone,
        # so that a dump of them says nothing.
        self._judged: dict[bool, dict[bytes, float]] = {True: {}, False: {}}
        self._judged_key = secrets.token_bytes(32)

    async def admit(self, authorization: str | None, *, impatient: bool = False) -> Sender:
        """Who may write with this header: a Bearer access token, or a token itself from a script.

        Without authentication everybody is `anonymous`. `impatient` as in `Database.admit_held`. Raises
        Refused with status 401 or 403.
        """
        if self._is_open:
            return await self._anonymous(impatient)
        row = await self._row_of(_bearer(authorization), impatient)
        _check(row, WRITE)
        self._note_use(row)
        return Sender(row.person_id, row.name, ADMIN in _scopes(row))

    async def viewer(self, authorization: str | None, address: str, *, is_public: bool = False) -> Viewer:
        """Who reads with this header: nobody that is known without one.

        Bearer as in `admit`, or Basic with a name and a token or password, as browsers send it. Raises
        Refused with status 401 or 403.

        Where reading `is_public` a header that is not for this service counts as none: a proxy in front asks
        for passwords of its own and hands them on, and whoever passed it must not see less than without it.
        So does a wrong password: refused, it would say that somebody of this name has one here. A token that
        this service issued is refused with the reason.
        """
        if not authorization:
            return _NOBODY
        try:
            return await self._viewer(authorization, address)
        except Refused as refused:
            if not is_public or refused.status not in (400, 401, 429) or await self._is_ours(authorization):
                raise
            return _NOBODY

    async def _is_ours(self, authorization: str) -> bool:
        """Whether a header that fits nobody has a token of this service."""
        try:
            if _is_basic(authorization):
                _, secret = _basic(authorization)
                if not looks_like_token(secret):
                    return False
            else:
                secret = _bearer(authorization)
        except Refused:
            return False
        if looks_like_token(secret):
            return await self._first(select(Token.id).where(Token.digest == digest(secret))) is not None
        try:
            await self._wait_for_key(secret)
            self._access_tokens.read(secret)
        except Refused as refused:
            return refused.code != Code.TOKEN_INVALID
        return True

    async def _viewer(self, authorization: str, address: str) -> Viewer:
        if _is_basic(authorization):
            name, secret = _basic(authorization)
            claims = await self._claims(name, secret, address, signs_in=False)
            if claims is None:
                raise Refused(Code.CREDENTIALS_WRONG, _do_not_fit(name), status=401)
            row = await self._first(_of_claims(claims))
        else:
            row = await self._row_of(_bearer(authorization), impatient=False)
        _check(row, READ)
        self._note_use(row)
        return viewer_with(row.person_id, _scopes(row))

    async def _row_of(self, credentials: str, impatient: bool) -> Any:
        """The row of a Bearer header's credentials, if there is one."""
        if not looks_like_token(credentials):
            await self._wait_for_key(credentials)
            return await self._first(_of_claims(self._access_tokens.read(credentials)), impatient)
        row = await self._first(_of_token().where(Token.digest == digest(credentials)), impatient)
        if row is not None:
            self._remember(credentials, Claims(row.name, row.token_id))
        return row

    def _note_use(self, row: Any) -> None:
        """See to it that the use of a token is written down, of which it is enough to know the hour.

        Not now: a request that only reads waits for no writer, and one that writes would wait twice.
        """
        now = utc_now()
        if row.token_id is not None and (row.last_used_at is None or now - row.last_used_at >= _USE_NOTED):
            self._used[row.token_id] = now

    def take_used(self) -> dict[int, datetime]:
        """The tokens whose last use is to be written down, by id; they are forgotten here."""
        used, self._used = self._used, {}
        return used

    def vouch(self, authorization: str | None) -> Claims | None:
        """Who this header is of, as far as that can be seen while the database is away.

        An access token is signed; a token itself must have been admitted by this process before. Whether
        they were revoked meanwhile is to be seen later. None where nobody can tell. Raises Refused with
        status 401 or 403 where it cannot be right.
        """
        if self._is_open:
            return Claims(ANONYMOUS, None)
        credentials = _bearer(authorization)
        if looks_like_token(credentials):
            return self._admitted.get(digest(credentials))
        return self._access_tokens.read(credentials) if self._access_tokens.is_open else None

    def _remember(self, token: str, claims: Claims) -> None:
        """What `vouch` may say; only the digest of a token stays in memory."""
        if len(self._admitted) >= _MOST_ADMITTED:
            self._admitted.clear()
        self._admitted[digest(token)] = claims

    async def exchange(self, authorization: str | None, issuer: str, address: str) -> AccessToken:
        """An access token for `Basic user:token` or `Basic user:password`.

        Raises Refused: 401 without such a header, 400 when it is malformed, 403 when it is wrong, 429 when
        too many passwords were.
        """
        name, secret = _basic(authorization)
        claims = await self._claims(name, secret, address, signs_in=True)
        await self._wait_for_key()
        if claims is None:
            raise Refused(Code.CREDENTIALS_WRONG, _do_not_fit(name))
        return self._access_tokens.issue(claims, issuer)

    async def by_password(self, name: str, password: str, address: str) -> int | None:
        """The id of the person with this name and password, who may sign in; None where they do not fit.

        Raises Refused GUESSES_LIMITED.
        """
        claims = await self._by_password(name, password, address, signs_in=True)
        row = None if claims is None else await self._first(_of_claims(claims))
        return None if row is None else int(row.person_id)

    async def _claims(self, name: str, secret: str, address: str, *, signs_in: bool) -> Claims | None:
        if looks_like_token(secret):
            return await self._by_token(name, secret)
        return await self._by_password(name, secret, address, signs_in=signs_in)

    async def _by_token(self, name: str, secret: str) -> Claims | None:
        statement = _of_token().where(Token.digest == digest(secret), Person.name == name)
        try:
            row = await self._first(statement, impatient=digest(secret) in self._admitted)
        except Refused:
            # A client whose access token expires in an outage would give up its build: what it writes with
            # the new one waits in the spool until the database can say whether this was right.
            admitted = self._admitted.get(digest(secret))
            if admitted is None or admitted.person != name:
                raise
            return admitted
        if row is None:
            return None
        claims = Claims(name, row.token_id)
        self._remember(secret, claims)
        return claims

    async def _by_password(self, name: str, secret: str, address: str, *, signs_in: bool) -> Claims | None:
        password_hash, beside = await self._database.admit_held(partial(hashes_to_judge, name=name))
        # With the hash of now: a password that was changed was never judged.
        content = "\0".join((name, password_hash, secret)).encode()
        proof = hmac.digest(self._judged_key, content, "sha256")
        now = time.monotonic()
        for is_right, until in self._judged.items():
            if now < until.get(proof, 0.0):
                return Claims(name, None) if is_right else None
        async with self._passwords:
            await self._guesses.check(name, address)
            is_right = await in_thread(_judge, password_hash, beside, secret)
            if not is_right:
                await self._guesses.failed(name, address, signs_in=signs_in)
        if is_right and is_old(password_hash):
            renew = partial(renew_password, name=name, old_hash=password_hash, password=secret)
            with suppress(Refused):
                await self._database.write_held(renew)
        until = self._judged[is_right]
        if len(until) >= _MOST_JUDGED:
            until.clear()
        until[proof] = now + _JUDGED_SECONDS
        return Claims(name, None) if is_right else None

    async def _wait_for_key(self, encoded: str | None = None) -> None:
        """See to it that there are keys, and the one that signed this access token if there is such a one.

        The secret lies beside the database and is made with it, where the service began on a full disk.
        """
        tokens = self._access_tokens
        if not tokens.has_read_keys or (encoded is not None and not tokens.knows_key_of(encoded)):
            await self.read_keys()

    async def read_keys(self) -> None:
        """Learn which keys there are. Raises Refused where the database or the secret cannot be used."""
        self._access_tokens.use(await self._database.admit_held(stored_keys))

    async def _anonymous(self, impatient: bool) -> Sender:
        # Nobody who was added is ever removed, and nothing of this person is checked.
        if self._anonymous_id is None:
            row = await self._first(select(Person.id).where(Person.name == ANONYMOUS), impatient)
            self._anonymous_id = (
                row.id if row else await self._database.write_held(anonymous, impatient=impatient)
            )
        return Sender(self._anonymous_id, ANONYMOUS)

    async def _first(self, statement: Select[*tuple[Any, ...]], impatient: bool = False) -> Any:
        def work(connection: Connection) -> Any:
            return connection.execute(statement).first()

        return await self._database.admit_held(work, impatient=impatient)


def _judge(password_hash: str, beside: str | None, secret: str) -> bool:
    is_right = is_password(password_hash, secret)
    if beside is not None:
        is_password(beside, secret)
    return is_right


def _bearer(authorization: str | None) -> str:
    """The credentials of a Bearer header (RFC 6750)."""
    scheme, _, credentials = (authorization or "").partition(" ")
    credentials = credentials.strip()
    if scheme.lower() != "bearer" or not credentials:
        raise Refused(Code.UNAUTHENTICATED, "this request needs an access token")
    return credentials


def _is_basic(authorization: str) -> bool:
    return authorization.partition(" ")[0].lower() == "basic"


def _do_not_fit(name: str) -> str:
    return f"{name!r} and this token or password do not fit"


def _check(row: Any, scope: str) -> None:
    """Raises Refused where there is no row of the sender, or its token is for something else."""
    if row is None:
        raise Refused(Code.TOKEN_REVOKED, "the token was revoked, has ended, or its person was disabled")
    if not allows(frozenset(row.scopes.split()), scope):
        raise Refused(Code.SCOPE_MISSING, f"the token is for {row.scopes}, and this needs {scope}")
    if not allows(_scopes(row), scope):
        raise Refused(Code.SCOPE_EXCEEDS_ROLE, f"{row.name!r} is a {row.role}, and this needs {scope}")


def _scopes(row: Any) -> frozenset[str]:
    """What the credentials of a row allow: no more than their person may."""
    return within_role(frozenset(row.scopes.split()), row.role)


def viewer_with(person_id: int, scopes: frozenset[str]) -> Viewer:
    """A person who is known, as who reads."""
    return Viewer(person_id, Role.ADMIN if ADMIN in scopes else Role.MEMBER, scopes)


def _of_token() -> Select[*tuple[Any, ...]]:
    """A valid token with its person, to be narrowed to one."""
    return (
        select(
            Token.id.label("token_id"), Token.person_id, Token.scopes, Token.last_used_at, Person.name,
            Person.role,
        )
        .join(Person, Person.id == Token.person_id)
        .where(Token.revoked_at.is_(None), Person.disabled_at.is_(None), is_current(utc_now()))
    )  # fmt: skip


def _of_claims(claims: Claims) -> Select[*tuple[Any, ...]]:
    if claims.token_id is not None:
        return _of_token().where(Token.id == claims.token_id, Person.name == claims.person)
    return select(
        null().label("token_id"), Person.id.label("person_id"), literal(_OF_PASSWORDS).label("scopes"),
        null().label("last_used_at"), Person.name, Person.role,
    ).where(Person.name == claims.person, Person.disabled_at.is_(None))  # fmt: skip


def _basic(authorization: str | None) -> tuple[str, str]:
    """Name and secret of a Basic header (RFC 7617)."""
    encoded = (authorization or "").partition(" ")[2]
    if authorization is None or not _is_basic(authorization):
        raise Refused(Code.UNAUTHENTICATED, "expected the header `Authorization: Basic user:token`")
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon or "\0" in name:
        raise Refused(Code.BASIC_MALFORMED, "Authorization is not the base64 of `user:token`")
    return name, secret
