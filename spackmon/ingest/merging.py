"""Two builds that turn out to be one: what was told about the one is moved to the other, nothing is lost."""

from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.completion import complete_attempt, read_attempt, settle_whole_log
from spackmon.ingest.matching import best_run, runs_of
from spackmon.ingest.rows import Statement, over_rows

_PHASES_OF_BOTH = """
    SELECT mine.id AS mine_id, theirs.id AS theirs_id
    FROM phase mine JOIN phase theirs ON theirs.name = mine.name AND theirs.attempt_id = :target_id
    WHERE mine.attempt_id = :source_id
"""

# Each is given `source_id` and `target_id`, two attempts; the order matters.
_MERGE_ATTEMPTS = [
    Statement(statement)
    for statement in (
        """
        UPDATE phase SET attempt_id = :target_id,
            position = position + (
                SELECT COALESCE(max(p.position), 0) FROM phase p WHERE p.attempt_id = :target_id
            )
        WHERE attempt_id = :source_id
            AND name NOT IN (SELECT p.name FROM phase p WHERE p.attempt_id = :target_id)
        """,
        f"""
        UPDATE log_chunk
        SET phase_id = (
            SELECT both_have.theirs_id FROM ({_PHASES_OF_BOTH}) both_have WHERE both_have.mine_id = phase_id
        )
        WHERE phase_id IN (
            SELECT both_have.mine_id FROM ({_PHASES_OF_BOTH}) both_have
            WHERE NOT EXISTS (SELECT 1 FROM log_chunk c WHERE c.phase_id = both_have.theirs_id)
        )
        """,  # noqa: S608 -- of our own constants
        f"""
        UPDATE phase
        SET duration_seconds = (
            SELECT mine.duration_seconds FROM phase mine
            JOIN ({_PHASES_OF_BOTH}) both_have ON both_have.mine_id = mine.id
            WHERE both_have.theirs_id = phase.id
        )
        WHERE attempt_id = :target_id AND duration_seconds IS NULL
        """,  # noqa: S608 -- of our own constants
        """
        DELETE FROM log_chunk
        WHERE phase_id IN (SELECT p.id FROM phase p WHERE p.attempt_id = :source_id)
        """,
        "DELETE FROM phase WHERE attempt_id = :source_id",
        """
        UPDATE build_event SET attempt_id = :target_id
        WHERE attempt_id = :source_id
            AND NOT EXISTS (SELECT 1 FROM build_event e WHERE e.attempt_id = :target_id)
        """,
        "DELETE FROM build_event WHERE attempt_id = :source_id",
        "UPDATE build_source SET attempt_id = :target_id WHERE attempt_id = :source_id",
        "DELETE FROM attempt WHERE id = :source_id",
    )
]

_MOVE_ATTEMPT = Statement(
    """
    UPDATE attempt
    SET build_id = :build_id,
        number = (SELECT COALESCE(max(a.number), 0) + 1 FROM attempt a WHERE a.build_id = :build_id)
    WHERE id = :attempt_id
    """
)

_ATTRIBUTES_MOVED = """
    SELECT t.id FROM attribute t JOIN analysis a ON a.id = t.analysis_id
    WHERE a.build_id = :source_id
        AND a.analyzer NOT IN (SELECT o.analyzer FROM analysis o WHERE o.build_id = :target_id)
"""

# Each is given `source_id` and `target_id`, two builds; attempts have been moved.
_MERGE_BUILDS = [
    Statement(statement)
    for statement in (
        "UPDATE build_source SET build_id = :target_id WHERE build_id = :source_id",
        """
        UPDATE build
        SET package_id = COALESCE(
                package_id, (SELECT s.package_id FROM build s WHERE s.id = :source_id)
            ),
            prefix = COALESCE(prefix, (SELECT s.prefix FROM build s WHERE s.id = :source_id)),
            configure_arguments = COALESCE(
                configure_arguments, (SELECT s.configure_arguments FROM build s WHERE s.id = :source_id)
            )
        WHERE id = :target_id
        """,
        """
        UPDATE environment_variable SET build_id = :target_id
        WHERE build_id = :source_id
            AND NOT EXISTS (SELECT 1 FROM environment_variable v WHERE v.build_id = :target_id)
        """,
        "DELETE FROM environment_variable WHERE build_id = :source_id",
        # Files come whole, where the other has none, and with findings about them.
        f"""
        UPDATE install_file SET build_id = :target_id
        WHERE build_id = :source_id
            AND path NOT IN (SELECT f.path FROM install_file f WHERE f.build_id = :target_id)
            AND (
                NOT EXISTS (SELECT 1 FROM install_file f WHERE f.build_id = :target_id)
                OR id IN (SELECT t.install_file_id FROM attribute t WHERE t.id IN ({_ATTRIBUTES_MOVED}))
            )
        """,  # noqa: S608 -- of our own constants
        f"""
        UPDATE attribute
        SET install_file_id = (
            SELECT theirs.id FROM install_file mine
            JOIN install_file theirs ON theirs.path = mine.path AND theirs.build_id = :target_id
            WHERE mine.id = attribute.install_file_id
        )
        WHERE id IN ({_ATTRIBUTES_MOVED}) AND install_file_id IS NOT NULL
        """,  # noqa: S608 -- of our own constants
        """
        UPDATE analysis SET build_id = :target_id
        WHERE build_id = :source_id
            AND analyzer NOT IN (SELECT o.analyzer FROM analysis o WHERE o.build_id = :target_id)
        """,
        """
        DELETE FROM attribute
        WHERE analysis_id IN (SELECT a.id FROM analysis a WHERE a.build_id = :source_id)
        """,
        "DELETE FROM analysis WHERE build_id = :source_id",
        "DELETE FROM install_file WHERE build_id = :source_id",
        """
        INSERT INTO build_tag (build_id, tag_id)
        SELECT CAST(:target_id AS bigint), t.tag_id FROM build_tag t WHERE t.build_id = :source_id
        ON CONFLICT DO NOTHING
        """,
        "DELETE FROM build_tag WHERE build_id = :source_id",
        "DELETE FROM build_package_version WHERE build_id = :source_id",
        "UPDATE merged_build SET build_id = :target_id WHERE build_id = :source_id",
        "DELETE FROM build WHERE id = :source_id",
        """
        INSERT INTO merged_build (id, build_id)
        VALUES (CAST(:source_id AS bigint), CAST(:target_id AS bigint))
        """,
    )
]

_NUMBERS = Statement("SELECT id, number FROM attempt WHERE build_id = :build_id ORDER BY started_at, number")

# By way of negative numbers: one at a time is unique.
_RENUMBER = over_rows(
    "id bigint, number integer",
    """
    UPDATE attempt SET number = (SELECT -i.number FROM {input} i WHERE i.id = attempt.id)
    WHERE id IN (SELECT i.id FROM {input} i)
    """,
)

_MAKE_POSITIVE = Statement("UPDATE attempt SET number = -number WHERE build_id = :build_id AND number < 0")

_REPEAT_NEWEST_ATTEMPT = Statement(
    """
    UPDATE build SET updated_at = :now,
        status = (SELECT a.status FROM attempt a WHERE a.build_id = build.id ORDER BY a.number DESC LIMIT 1),
        duration_seconds = (
            SELECT a.duration_seconds FROM attempt a WHERE a.build_id = build.id
            ORDER BY a.number DESC LIMIT 1
        )
    WHERE id = :build_id
    """
)


def merge_builds(connection: Connection, source_id: int, target_id: int, now: datetime) -> None:
    """Make one build of two that the caller keeps; `source_id` leads to `target_id` from then on."""
    for run in reversed(runs_of(connection, [source_id])):
        theirs = runs_of(connection, [target_id])
        same = best_run(run.seen, theirs, run.environment_id, run.owner_id)
        if same is None:
            _MOVE_ATTEMPT.run(connection, attempt_id=run.attempt_id, build_id=target_id)
        else:
            _merge_attempts(connection, run.attempt_id, same.attempt_id)
    for statement in _MERGE_BUILDS:
        statement.run(connection, source_id=source_id, target_id=target_id)
    settle_build(connection, target_id, now)


def _merge_attempts(connection: Connection, source_id: int, target_id: int) -> None:
    complete_attempt(connection, target_id, read_attempt(connection, source_id))
    for statement in _MERGE_ATTEMPTS:
        statement.run(connection, source_id=source_id, target_id=target_id)
    settle_whole_log(connection, target_id)


def settle_build(connection: Connection, build_id: int, now: datetime) -> None:
    """Number a build's attempts by their beginnings and repeat the newest one's state.

    Sources tell about runs of long ago in any order.
    """
    attempts = _NUMBERS.run(connection, build_id=build_id)
    misplaced = [(row.id, number) for number, row in enumerate(attempts, 1) if row.number != number]
    if misplaced:
        _RENUMBER.run(connection, misplaced)
        _MAKE_POSITIVE.run(connection, build_id=build_id)
    _REPEAT_NEWEST_ATTEMPT.run(connection, build_id=build_id, now=now)
