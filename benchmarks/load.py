"""Fills a migrated database with a site: specs by the real formats and store, builds in bulk.

20,000 builds reported one by one would take many minutes without telling anything that the ingest
benchmark does not; their rows are written here as the store would write them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import Connection, TextClause, insert, select, text

from benchmarks.data import SPACK_VERSION, Build, Error, Site
from spackmon import models
from spackmon.auth.people import add_person
from spackmon.database import Database
from spackmon.formats import spec_json
from spackmon.formats.submission import SpecReport
from spackmon.ingest import store
from spackmon.logs import chunks
from spackmon.logs.fingerprint import fingerprint
from spackmon.status import EventKind

_OLDEST = datetime(2022, 1, 1, tzinfo=UTC)
_DURATION = timedelta(minutes=10)
_BETWEEN_BUILDS = timedelta(minutes=40)
_ROWS_AT_ONCE = 2_000

# As the migration that brought sources.
_SOURCES = text(
    """
    INSERT INTO build_source (
        build_id, attempt_id, owner_id, kind, key, first_reported_at, last_reported_at
    )
    SELECT b.id, a.id, b.owner_id, 'MS1', CAST(b.id AS text) || '/' || CAST(a.number AS text),
        a.started_at, a.finished_at
    FROM attempt a JOIN build b ON b.id = a.build_id ORDER BY a.id
    """
)
_PACKAGE_VERSIONS_BELOW = text(
    """
    INSERT INTO build_package_version (package_version_id, build_id, package_id)
    SELECT DISTINCT v.id, b.id, v.package_id
    FROM build b
    JOIN closure c ON c.ancestor_id = b.spec_id
    JOIN spec s ON s.id = c.descendant_id
    JOIN package_version v ON v.id = s.package_version_id
    ORDER BY 1, 2
    """
)


def load(database: Database, site: Site) -> None:
    """Write everything the site reported, and let the database count what it has."""
    for number in range(5):
        database.write(partial(add_person, name=f"builder-{number}"))
    hashes: dict[str, None] = {}
    for document in site.documents():
        report = SpecReport(spec_json.read(document["spec"]), SPACK_VERSION)
        database.write(partial(store.apply, submission=report, person_id=1))
        hashes.update(dict.fromkeys(report.graph.nodes))
    database.write(lambda connection: _load_builds(connection, site, list(hashes)))
    for derived in (_SOURCES, _PACKAGE_VERSIONS_BELOW):
        database.write(partial(_run, statement=derived))
    tidy(database)


def _run(connection: Connection, statement: TextClause) -> None:
    connection.execute(statement)


def _load_builds(connection: Connection, site: Site, hashes: Sequence[str]) -> None:
    version = models.Spec.package_version_id == models.PackageVersion.id
    specs = select(models.Spec.hash, models.Spec.id, models.PackageVersion.package_id).where(version)
    spec_ids = {row.hash: (row.id, row.package_id) for row in connection.execute(specs)}
    person_ids = {
        row.name: row.id for row in connection.execute(select(models.Person.name, models.Person.id))
    }
    rows = _Rows(spec_ids, person_ids)
    for builds in _batched(site.builds(hashes), _ROWS_AT_ONCE):
        written: dict[Any, list[Mapping[str, Any]]] = {table: [] for table in _TABLES}
        for build in builds:
            for table, row in rows.of(build):
                written[table].append(row)
        for table, found in written.items():
            for some in _batched(found, _ROWS_AT_ONCE):
                connection.execute(insert(table), some)
    set_sequences(connection, _TABLES)


def set_sequences(connection: Connection, tables: Iterable[Any]) -> None:
    """Let PostgreSQL number new rows after those that came with their numbers."""
    if connection.dialect.name == "sqlite":
        return
    for table in tables:
        if "id" in table.c:
            name = table.name
            connection.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
            )


# In the order of their references.
_TABLES: tuple[Any, ...] = (
    models.Tag.__table__, models.BuildEnvironment.__table__, models.Build.__table__, models.build_tag,
    models.Attempt.__table__, models.Phase.__table__, models.LogChunk.__table__,
    models.ErrorGroup.__table__, models.BuildEvent.__table__,
    models.EnvironmentVariable.__table__, models.InstallFile.__table__, models.Analysis.__table__,
    models.Attribute.__table__,
)  # fmt: skip


class _Rows:
    """Builds as rows, numbered as they come."""

    def __init__(self, spec_ids: Mapping[str, tuple[int, int]], person_ids: Mapping[str, int]) -> None:
        self._spec_ids, self._person_ids = spec_ids, person_ids
        self._numbers = {table: count(1) for table in _TABLES}
        self._known: dict[tuple[Any, Any], int] = {}

    def of(self, build: Build) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Every row that a build adds, with its table."""
        environment = models.BuildEnvironment.__table__
        names = ("hostname", "platform", "operating_system", "target", "kernel_version")
        environment_row = dict(zip(names, build.environment, strict=True))
        environment_id = yield from self._once(environment, build.environment, environment_row)
        build_id = next(self._numbers[models.Build.__table__])
        began = _OLDEST + build_id * _BETWEEN_BUILDS
        spec_id, package_id = self._spec_ids[build.spec_hash]
        yield models.Build.__table__, {
            "id": build_id, "spec_id": spec_id, "package_id": package_id, "environment_id": environment_id,
            "owner_id": self._person_ids[build.owner], "status": build.attempts[-1][0],
            "duration_seconds": _DURATION.total_seconds(), "rerun_announced": False,
            "configure_arguments": "--enable-shared", "created_at": began, "updated_at": began + _DURATION,
        }  # fmt: skip
        for tag in build.tags:
            tag_id = yield from self._once(models.Tag.__table__, tag, {"name": tag})
            yield models.build_tag, {"build_id": build_id, "tag_id": tag_id}
        for number, (status, phases) in enumerate(build.attempts, 1):
            attempt_id = next(self._numbers[models.Attempt.__table__])
            yield models.Attempt.__table__, {
                "id": attempt_id, "build_id": build_id, "number": number, "status": status,
                "spack_version": SPACK_VERSION, "started_at": began,
                "finished_at": began + _DURATION, "duration_seconds": _DURATION.total_seconds(),
            }  # fmt: skip
            yield from self._phases(attempt_id, phases, began)
            yield from self._errors(attempt_id, [error for phase in phases for error in phase.errors])
        yield from self._analysis(build_id, build, began)

    def _phases(
        self, attempt_id: int, phases: Iterable[Any], began: datetime
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        for position, phase in enumerate(phases, 1):
            phase_id = next(self._numbers[models.Phase.__table__])
            yield models.Phase.__table__, {
                "id": phase_id, "attempt_id": attempt_id, "name": phase.name, "position": position,
                "status": phase.status, "reported_at": began + timedelta(minutes=position),
            }  # fmt: skip
            for chunk in chunks.split(phase.log):
                yield models.LogChunk.__table__, {
                    "phase_id": phase_id, "number": chunk.number, "first_line": chunk.first_line,
                    "size_bytes": chunk.size_bytes, "content": chunk.content,
                }  # fmt: skip

    def _errors(self, attempt_id: int, errors: Sequence[Error]) -> Iterator[tuple[Any, dict[str, Any]]]:
        for position, error in enumerate(errors, 1):
            print_ = fingerprint(error.text)
            row = {"fingerprint": print_, "text": error.text}
            group_id = yield from self._once(models.ErrorGroup.__table__, print_, row)
            yield models.BuildEvent.__table__, {
                "id": next(self._numbers[models.BuildEvent.__table__]), "attempt_id": attempt_id,
                "position": position, "kind": EventKind.ERROR, "text": error.text,
                "log_line": error.log_line, "error_group_id": group_id,
            }  # fmt: skip

    def _analysis(self, build_id: int, build: Build, began: datetime) -> Iterator[tuple[Any, dict[str, Any]]]:
        for name, value in build.variables.items():
            yield models.EnvironmentVariable.__table__, {"build_id": build_id, "name": name, "value": value}
        file_ids = []
        for path in build.files:
            file_ids.append(next(self._numbers[models.InstallFile.__table__]))
            yield models.InstallFile.__table__, {
                "id": file_ids[-1], "build_id": build_id, "path": path, "type": "file", "mode": 33261,
                "size_bytes": 4096,
            }  # fmt: skip
        analysis_id = next(self._numbers[models.Analysis.__table__])
        yield models.Analysis.__table__, {
            "id": analysis_id, "build_id": build_id, "analyzer": "symbols", "reported_at": began,
        }  # fmt: skip
        for file_id, (name, value) in zip(file_ids, build.attributes.items(), strict=False):
            yield models.Attribute.__table__, {
                "id": next(self._numbers[models.Attribute.__table__]), "analysis_id": analysis_id,
                "install_file_id": file_id, "name": name, "value": value,
            }  # fmt: skip

    def _once(self, table: Any, key: Any, row: dict[str, Any]) -> Any:
        """The id of a row that several builds share; the row itself when it is new."""
        if (table, key) not in self._known:
            self._known[table, key] = next(self._numbers[table])
            yield table, {"id": self._known[table, key], **row}
        return self._known[table, key]


def _batched(items: Iterable[Any], size: int) -> Iterator[Sequence[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def tidy(database: Database) -> None:
    """What a running site's database does by itself."""
    statements = ["ANALYZE"] if database.is_sqlite else ["VACUUM (ANALYZE)", "CHECKPOINT"]
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
