"""What analyzers report of a build: each re-run replaces what the same analyzer had said."""

from collections.abc import Mapping

from sqlalchemy import Connection

from spackmon.formats.submission import AnalysisReport, AttributeValue, InstalledFile
from spackmon.ingest.receipts import AnalysisReceipt
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.runs import lock_build
from spackmon.models import utc_now

# Kept where the path stays, because attributes refer to the row; written only where something differs.
_PUT_FILES = over_rows(
    "path text, type text, mode integer, owner bigint, group_id bigint, hash text, size_bytes bigint, "
    "modified_at_seconds double precision, destination text",
    """
    INSERT INTO install_file (
        build_id, path, type, mode, owner, "group", hash, size_bytes, modified_at_seconds, destination
    )
    SELECT CAST(:build_id AS bigint), i.path, i.type, i.mode, i.owner, i.group_id, i.hash, i.size_bytes,
        i.modified_at_seconds, i.destination
    FROM {input} i
    WHERE true
    ORDER BY i.path
    ON CONFLICT (build_id, path) DO UPDATE SET
        type = excluded.type, mode = excluded.mode, owner = excluded.owner, "group" = excluded."group",
        hash = excluded.hash, size_bytes = excluded.size_bytes,
        modified_at_seconds = excluded.modified_at_seconds, destination = excluded.destination
    """,
)

# A file that is gone takes with it what was found out about it.
_DELETE_ATTRIBUTES_OF_GONE_FILES = over_rows(
    "path text",
    """
    DELETE FROM attribute WHERE install_file_id IN (
        SELECT f.id FROM install_file f
        WHERE f.build_id = :build_id AND f.path NOT IN (SELECT i.path FROM {input} i)
    )
    """,
)

_DELETE_GONE_FILES = over_rows(
    "path text",
    """
    DELETE FROM install_file
    WHERE build_id = :build_id AND path NOT IN (SELECT i.path FROM {input} i)
    """,
)

_ADD_FILES = over_rows(
    "path text",
    """
    INSERT INTO install_file (build_id, path)
    SELECT CAST(:build_id AS bigint), i.path FROM {input} i
    WHERE true
    ORDER BY i.path
    ON CONFLICT DO NOTHING
    """,
)

_DELETE_VARIABLES = Statement("DELETE FROM environment_variable WHERE build_id = :build_id")

_INSERT_VARIABLES = over_rows(
    "name text, value text",
    """
    INSERT INTO environment_variable (build_id, name, value)
    SELECT CAST(:build_id AS bigint), i.name, i.value FROM {input} i
    """,
)

_SET_CONFIGURE_ARGUMENTS = Statement(
    "UPDATE build SET configure_arguments = :arguments, updated_at = :now WHERE id = :build_id"
)

_PUT_ANALYSIS = over_rows(
    "analyzer text",
    """
    INSERT INTO analysis (build_id, analyzer, reported_at)
    SELECT CAST(:build_id AS bigint), i.analyzer, :now FROM {input} i
    WHERE true
    ORDER BY i.analyzer
    ON CONFLICT (build_id, analyzer) DO UPDATE SET reported_at = excluded.reported_at
    RETURNING id, analyzer
    """,
)

_DELETE_ATTRIBUTES = over_rows(
    "analysis_id bigint",
    "DELETE FROM attribute WHERE analysis_id IN (SELECT i.analysis_id FROM {input} i)",
)

_INSERT_ATTRIBUTES = over_rows(
    "number integer, analysis_id bigint, path text, name text, value text, binary_value bytea, "
    "json_value text",
    """
    INSERT INTO attribute (analysis_id, install_file_id, name, value, binary_value, json_value)
    SELECT i.analysis_id, f.id, i.name, i.value, i.binary_value, i.json_value
    FROM {input} i
    LEFT JOIN install_file f ON f.build_id = :build_id AND f.path = i.path
    WHERE true
    ORDER BY i.number
    """,
)


def apply_analysis(connection: Connection, report: AnalysisReport, person_id: int) -> AnalysisReceipt:
    """Store what a report has of a build; parts that are not in it stay as they are.

    An analysis is no run: it never begins an attempt. Raises Refused BUILD_UNKNOWN and BUILD_NOT_YOURS.
    """
    _, run = lock_build(connection, report.build_id, person_id)
    if report.install_files is not None:
        replace_files(connection, run.build_id, report.install_files)
    if report.environment_variables is not None:
        replace_variables(connection, run.build_id, report.environment_variables)
    if report.has_configure_arguments:
        _SET_CONFIGURE_ARGUMENTS.run(
            connection, build_id=run.build_id, arguments=report.configure_arguments, now=utc_now()
        )
    if report.attributes:
        replace_attributes(connection, run.build_id, report.attributes)
    return AnalysisReceipt(run.build_id, run.spec_hash, run.spec_name)


def replace_variables(connection: Connection, build_id: int, variables: Mapping[str, str]) -> None:
    """The variables of a build's environment are these, and no others."""
    _DELETE_VARIABLES.run(connection, build_id=build_id)
    _INSERT_VARIABLES.run(connection, sorted(variables.items()), build_id=build_id)


def replace_files(connection: Connection, build_id: int, files: tuple[InstalledFile, ...]) -> None:
    """The files of a build are these, and no others."""
    by_path = {file.path: file for file in files}
    # Over an empty list a statement would not run, and NOT IN needs a list: no file has this path.
    paths = [(path,) for path in by_path] or [("",)]
    _DELETE_ATTRIBUTES_OF_GONE_FILES.run(connection, paths, build_id=build_id)
    _DELETE_GONE_FILES.run(connection, paths, build_id=build_id)
    rows = [
        (
            f.path, f.type, f.mode, f.owner, f.group, f.hash, f.size_bytes,
            None if f.modified_at_seconds is None else float(f.modified_at_seconds), f.destination,
        )
        for f in by_path.values()
    ]  # fmt: skip
    _PUT_FILES.run(connection, rows, build_id=build_id)


def replace_attributes(
    connection: Connection, build_id: int, attributes: Mapping[str, tuple[AttributeValue, ...]]
) -> None:
    """The findings of these analyzers are these, and no others."""
    paths = {(a.install_file,) for found in attributes.values() for a in found if a.install_file is not None}
    _ADD_FILES.run(connection, sorted(paths), build_id=build_id)
    analyzers = [(analyzer,) for analyzer in sorted(attributes)]
    analyses = _PUT_ANALYSIS.run(connection, analyzers, build_id=build_id, now=utc_now())
    id_of = {row.analyzer: row.id for row in analyses}
    _DELETE_ATTRIBUTES.run(connection, [(analysis_id,) for analysis_id in id_of.values()])
    found = [
        (id_of[analyzer], a.install_file, a.name, a.value, a.binary_value, a.json_value)
        for analyzer, values in attributes.items()
        for a in values
    ]
    _INSERT_ATTRIBUTES.run(
        connection, [(number, *row) for number, row in enumerate(found)], build_id=build_id
    )
