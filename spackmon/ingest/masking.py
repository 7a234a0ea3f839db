"""Secrets in what is stored already are masked, some rows at a time, as if their reports came today.

What was stored before a rule, or a site's own name, was there still holds what it finds.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import zstandard
from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.ingest.locks import lock_packages, take_turn
from spackmon.ingest.masked import masked_attribute, masked_submission
from spackmon.ingest.reports.concretization import digest_of
from spackmon.ingest.rows import Statement
from spackmon.ingest.runs.resolution import rewrite_all
from spackmon.ingest.tables import claims, contents
from spackmon.ingest.tables.claims import StoredClaim
from spackmon.ingest.tables.configure_arguments import delete_unused_arguments
from spackmon.masking.bodies import masked_body
from spackmon.masking.rules import of_site
from spackmon.masking.texts import masked_text, masked_variables
from spackmon.models import utc_now
from spackmon.submission import AttributeValue, ConcretizationFailureReport

_ROWS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """Of `looked_at` rows of a kind `masked` held secrets."""

    kind: str
    looked_at: int
    masked: int


_Step = Callable[[Connection, Sequence[Any], bool], int]


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    rows: Statement
    mask: _Step
    end: Callable[[Connection], None] | None = None


_CLAIMS = Statement(
    """
    SELECT c.id, c.environment_set_id, g.text AS configure_arguments
    FROM claim c LEFT JOIN configure_arguments g ON g.id = c.configure_arguments_id
    WHERE c.id > :after AND (c.environment_set_id IS NOT NULL OR c.configure_arguments_id IS NOT NULL)
    ORDER BY c.id LIMIT :most
    """
)
_VARIABLES = Statement("SELECT name, value FROM environment_variable WHERE environment_set_id = :id")
_ATTRIBUTES, _EARLIER_ATTRIBUTES = (
    Statement(
        f"""
        SELECT id, name, value, binary_value, json_value FROM {table}
        WHERE id > :after ORDER BY id LIMIT :most
        """  # noqa: S608 -- of our own constants
    )
    for table in ("attribute", "earlier_attribute")
)
_PUT_ATTRIBUTE, _PUT_EARLIER_ATTRIBUTE = (
    Statement(
        f"""
    UPDATE {table} SET value = :value, binary_value = :binary_value, json_value = :json_value,
        size_bytes = :size_bytes, digest = :digest
    WHERE id = :id
        """  # noqa: S608 -- as above
    )
    for table in ("attribute", "earlier_attribute")
)
_FAILURES = Statement(
    """
    SELECT id, owner_id, spack_version, abstract_spec, message FROM concretization_failure
    WHERE id > :after AND document IS NULL ORDER BY id LIMIT :most
    """
)
_SAME_FAILURE = Statement(
    """
    SELECT id FROM concretization_failure
    WHERE digest = :digest AND owner_id = :owner_id AND spack_version = :spack_version
    """
)
_PUT_FAILURE = Statement(
    """
    UPDATE concretization_failure SET abstract_spec = :abstract_spec, message = :message, digest = :digest
    WHERE id = :id
    """
)
_DELETE_FAILURE = Statement("DELETE FROM concretization_failure WHERE id = :id")
_ENTRIES = Statement(
    "SELECT id, body, error_message FROM inbox_entry WHERE id > :after ORDER BY id LIMIT :most"
)
_PUT_ENTRY = Statement("UPDATE inbox_entry SET body = :body, error_message = :error_message WHERE id = :id")
# What was overwritten or deleted would stay in free pages of the file.
_OVERWRITE = Statement("PRAGMA secure_delete = ON")


def mask_stored(database: Database, *, is_trial: bool = False) -> Iterator[Progress]:
    """Mask the secrets of all that is stored, or only count it if `is_trial`; the counts of each kind.

    It may be stopped and started again at any time, beside a running service.
    """
    for kind in _KINDS:
        last = looked_at = masked = 0
        while True:
            some = database.write(partial(_some, kind=kind, after=last, is_trial=is_trial))
            if not some.looked_at:
                break
            last = some.last_id
            looked_at, masked = looked_at + some.looked_at, masked + some.masked
        if kind.end is not None and not is_trial:
            database.write(kind.end)
        yield Progress(kind.name, looked_at, masked)


@dataclass(frozen=True, slots=True)
class _Some:
    last_id: int
    looked_at: int
    masked: int


def _some(connection: Connection, *, kind: _Kind, after: int, is_trial: bool) -> _Some:
    _overwrite(connection)
    rows = kind.rows.run(connection, after=after, most=_ROWS_AT_ONCE)
    if not rows:
        return _Some(after, 0, 0)
    return _Some(rows[-1].id, len(rows), kind.mask(connection, rows, is_trial))


def _mask_claims(connection: Connection, rows: Sequence[Any], is_trial: bool) -> int:
    set_ids = {row.environment_set_id for row in rows}
    sets = {set_id: _masked_set(connection, set_id) for set_id in set_ids}
    texts = {row.id: _masked(row.configure_arguments) for row in rows}
    affected = [
        row.id for row in rows
        if sets[row.environment_set_id] is not None or texts[row.id] != row.configure_arguments
    ]  # fmt: skip
    if not affected or is_trial:
        return len(affected)
    take_turn(connection)
    lock_packages(
        connection, (one.claim.package_id for one in claims.load_claims(connection, affected).values())
    )
    # Read again after the locks are held.
    changes = [
        (stored, _without_secrets(connection, stored))
        for stored in claims.load_claims(connection, affected).values()
    ]
    rewrite_all(connection, changes, utc_now())
    claims.release(connection, changes)
    return len(changes)


def _forget_arguments(connection: Connection) -> None:
    """Delete the arguments that no claim has any longer, as they were before."""
    _overwrite(connection)
    delete_unused_arguments(connection)


def _overwrite(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        _OVERWRITE.run(connection)


def _masked_set(connection: Connection, environment_set_id: int | None) -> Mapping[str, str] | None:
    """The variables of a set as they are to be stored, None where they are stored so."""
    if environment_set_id is None:
        return None
    variables = {row.name: row.value for row in _VARIABLES.run(connection, id=environment_set_id)}
    masked = masked_variables(variables, of_site())
    return None if masked == variables else masked


def _without_secrets(connection: Connection, stored: StoredClaim) -> StoredClaim:
    claim = stored.claim
    variables = _masked_set(connection, claim.environment_set_id)
    if variables is not None:
        claim = replace(claim, environment_set_id=contents.environment_set_of(connection, variables))
    return replace(stored, claim=replace(claim, configure_arguments=_masked(claim.configure_arguments)))


def _masked(text: str | None) -> str | None:
    return text and masked_text(text, of_site())


def _mask_attributes(put: Statement, connection: Connection, rows: Sequence[Any], is_trial: bool) -> int:
    count = 0
    for row in rows:
        stored = AttributeValue(row.name, None, row.value, row.binary_value, row.json_value)
        masked = masked_attribute(stored, of_site())
        if masked != stored:
            count += 1
            if not is_trial:
                put.run(
                    connection, id=row.id, value=masked.value, binary_value=masked.binary_value,
                    json_value=masked.json_value, size_bytes=len(masked.content),
                    digest=hashlib.sha256(masked.content).digest(),
                )  # fmt: skip
    return count


def _mask_failures(connection: Connection, rows: Sequence[Any], is_trial: bool) -> int:
    count = 0
    for row in rows:
        stored = ConcretizationFailureReport(None, None, row.spack_version, row.abstract_spec, row.message)
        masked = masked_submission(stored, of_site())
        if masked == stored or not isinstance(masked, ConcretizationFailureReport):
            continue
        count += 1
        if is_trial:
            continue
        digest = digest_of(masked)
        if _SAME_FAILURE.run(
            connection, digest=digest, owner_id=row.owner_id, spack_version=row.spack_version
        ):
            _DELETE_FAILURE.run(connection, id=row.id)
        else:
            _PUT_FAILURE.run(
                connection, id=row.id, abstract_spec=masked.abstract_spec, message=masked.message,
                digest=digest,
            )  # fmt: skip
    return count


def _mask_entries(connection: Connection, rows: Sequence[Any], is_trial: bool) -> int:
    count = 0
    for row in rows:
        body = zstandard.decompress(row.body)
        kept, sentence = masked_body(body, of_site()), masked_text(row.error_message, of_site())
        if kept is body and sentence == row.error_message:
            continue
        count += 1
        if not is_trial:
            _PUT_ENTRY.run(
                connection, id=row.id, body=zstandard.compress(memoryview(kept)), error_message=sentence
            )
    return count


_KINDS = (
    _Kind("reports with variables or arguments", _CLAIMS, _mask_claims, _forget_arguments),
    _Kind("results of analyzers", _ATTRIBUTES, partial(_mask_attributes, _PUT_ATTRIBUTE)),
    _Kind("earlier results", _EARLIER_ATTRIBUTES, partial(_mask_attributes, _PUT_EARLIER_ATTRIBUTE)),
    _Kind("failed concretizations", _FAILURES, _mask_failures),
    _Kind("bodies in the inbox", _ENTRIES, _mask_entries),
)
