"""Logs into their chunks: written a few chunks at a time, and only where something differs."""

import dataclasses
from itertools import islice

from sqlalchemy import Connection, text

from spackmon.logs import chunks

_CHUNKS_AT_ONCE = 16

_PUT_CHUNK = text(
    """
    INSERT INTO log_chunk (phase_id, number, first_line, size_bytes, content)
    VALUES (:phase_id, :number, :first_line, :size_bytes, :content)
    ON CONFLICT (phase_id, number) DO UPDATE
    SET first_line = excluded.first_line, size_bytes = excluded.size_bytes, content = excluded.content
    WHERE log_chunk.content <> excluded.content
    """
)

_CUT_LOG = text("DELETE FROM log_chunk WHERE phase_id = :phase_id AND number >= :count")


def replace_log(connection: Connection, phase_id: int, output: bytes) -> bool:
    """Make `output` the phase's log; whether that changed anything."""
    count, changed = write_log(connection, phase_id, output)
    cut = connection.execute(_CUT_LOG, {"phase_id": phase_id, "count": count}).rowcount
    return changed + cut > 0


def write_log(connection: Connection, phase_id: int, output: bytes) -> tuple[int, int]:
    """Put a log's chunks into place: how many there are, and how many were new."""
    count, changed = 0, 0
    log = chunks.split(output)
    # A few chunks at a time: the log of one phase may be larger than all else that the server holds.
    while batch := list(islice(log, _CHUNKS_AT_ONCE)):
        rows = [{"phase_id": phase_id, **dataclasses.asdict(chunk)} for chunk in batch]
        changed += connection.execute(_PUT_CHUNK, rows).rowcount
        count += len(batch)
    return count, changed
