"""Fills a migrated database with a site: specs by the real formats and store, builds in bulk.

20,000 builds reported one by one would take many minutes without telling anything that the ingest
benchmark does not; their rows are written here as the store would write them.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import Connection, insert, select, text

from benchmarks.data import SPACK_VERSION, Site
from benchmarks.runs import Build, Error, Installable, Run, builds
from spackmon import models
from spackmon.auth.people import add_person
from spackmon.database import Database
from spackmon.formats.specs import spec_json
from spackmon.ingest import store
from spackmon.ingest.tables import configure_arguments, event_contexts, facets, totals
from spackmon.ingest.tables.build_contents import add_contents
from spackmon.ingest.tables.error_groups import count_errors, recount
from spackmon.ingest.tables.events import search_words
from spackmon.ingest.tables.facet_durations import recount_durations
from spackmon.ingest.tables.sealing import full_chunks, seal
from spackmon.ingest.tables.tag_sets import digest_of, document_of
from spackmon.logs import chunks
from spackmon.logs.fingerprint import fingerprint
from spackmon.logs.groups import VERSION, digest
from spackmon.logs.reported import event_of
from spackmon.logs.taxonomy import of_site
from spackmon.runs.claim import Claim, PhaseClaim
from spackmon.runs.packed_phases import pack
from spackmon.runs.times import window
from spackmon.status import BuildStatus, EventKind, ResultKind, SourceKind
from spackmon.submission import SpecReport

OLDEST = datetime(2022, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=3 * 365)
"""From the first build to the last, however many there are."""

_BETWEEN_RUNS = timedelta(hours=1)
_ROWS_AT_ONCE = 2_000


def load(database: Database, site: Site) -> None:
    """Write everything the site reported, and let the database count what it has."""
    for number in range(5):
        database.write(partial(add_person, name=f"builder-{number}"))
    specs: dict[str, Installable] = {}
    for document in site.documents():
        report = SpecReport(spec_json.read(document["spec"]), document["spack_version"])
        database.write(partial(store.apply, submission=report, person_id=1))
        specs |= {
            hash_: Installable(hash_, node.operating_system, node.target.name)
            for hash_, node in report.graph.nodes.items()
            if node.external is None
        }
    database.write(lambda connection: _load_builds(connection, site, list(specs.values())))
    database.write(_count_errors)
    database.write(_count_builds)
    database.write(_fill_contents)
    for chunk in database.read_once(full_chunks):
        database.write(partial(seal, chunk=chunk))
    tidy(database)


def _count_errors(connection: Connection) -> None:
    count_errors(connection, connection.scalars(select(models.Build.id)).all())
    recount(connection, connection.scalars(select(models.ErrorGroup.id)).all())


def _count_builds(connection: Connection) -> None:
    facets.count_builds(connection, connection.scalars(select(models.Build.id)).all())
    recount_facets(connection)


def recount_facets(connection: Connection) -> None:
    """Count facets, days, owners and tags, of which builds know theirs."""
    facet_ids = connection.scalars(select(models.BuildFacet.id)).all()
    facets.recount(connection, facet_ids)
    recount_durations(connection, facet_ids)
    facets.recount_days(connection)
    totals.recount_totals(connection)


def _fill_contents(connection: Connection) -> None:
    for build in connection.execute(select(models.Build.id, models.Build.spec_id)).all():
        add_contents(connection, build.id, build.spec_id)


def _load_builds(connection: Connection, site: Site, installable: Sequence[Installable]) -> None:
    version = models.Spec.package_version_id == models.PackageVersion.id
    specs = select(models.Spec.hash, models.Spec.id, models.PackageVersion.package_id).where(version)
    spec_ids = {row.hash: (row.id, row.package_id) for row in connection.execute(specs)}
    person_ids = {
        row.name: row.id for row in connection.execute(select(models.Person.name, models.Person.id))
    }
    size = site.size
    rows = _Rows(spec_ids, person_ids, SPAN / size.builds, connection.dialect.name)
    for some_builds in _batched(builds(installable, size.builds, size.seed), _ROWS_AT_ONCE):
        written: dict[Any, list[Mapping[str, Any]]] = {table: [] for table in _TABLES}
        for build in some_builds:
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
    models.Tag.__table__, models.TagSet.__table__, models.TagSetMember.__table__,
    models.ConfigureArguments.__table__,
    models.BuildEnvironment.__table__, models.EnvironmentSet.__table__,
    models.EnvironmentVariable.__table__, models.Manifest.__table__, models.InstallFile.__table__,
    models.Log.__table__, models.LogChunk.__table__, models.Build.__table__, models.Attempt.__table__,
    models.PhaseKind.__table__, models.Phase.__table__, models.Claim.__table__,
    models.ErrorGroup.__table__, models.EventContext.__table__, models.BuildEvent.__table__,
    models.Analysis.__table__, models.Attribute.__table__,
)  # fmt: skip

_LINES = ("pre_context", "post_context")

_Row = tuple[Any, dict[str, Any]]


class _Rows:
    """Builds as rows, numbered as they come: one claim of ms1 for each run."""

    def __init__(
        self,
        spec_ids: Mapping[str, tuple[int, int]],
        person_ids: Mapping[str, int],
        between: timedelta,
        dialect_name: str,
    ) -> None:
        """`between` is the time from one build to the next."""
        self._dialect_name = dialect_name
        self._spec_ids, self._person_ids, self._between = spec_ids, person_ids, between
        self._numbers = {table: count(1) for table in _TABLES}
        self._known: dict[tuple[Any, Any], int] = {}

    def of(self, build: Build) -> Iterator[_Row]:
        """Every row that a build adds, with its table."""
        names = ("hostname", "platform", "operating_system", "target", "kernel_version")
        environment_id = yield from self._once(
            models.BuildEnvironment.__table__, build.environment,
            dict(zip(names, build.environment, strict=True)),
        )  # fmt: skip
        build_id = self._next(models.Build)
        attempt_ids = [self._next(models.Attempt) for _ in build.runs]
        first = OLDEST + build_id * self._between
        digest = hashlib.sha256(f"{build.spec_hash}/{build_id}".encode()).digest()[:8]
        series = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        began = [first + place * _BETWEEN_RUNS for place in range(len(attempt_ids))]
        spec_id, package_id = self._spec_ids[build.spec_hash]
        newest_run = _ran(build.runs[-1], began[-1])
        shared = {"environment_id": environment_id}
        shared["configure_arguments_id"] = yield from self._arguments("--enable-shared")
        shared["environment_set_id"] = yield from self._variables(build.variables)
        manifest_id, file_ids = yield from self._manifest(build.files)
        tag_set_id = yield from self._tag_set(build.tags)
        yield models.Build.__table__, {
            "id": build_id, "spec_id": spec_id, "package_id": package_id,
            "owner_id": self._person_ids[build.owner], "newest_attempt_id": attempt_ids[-1],
            "manifest_id": manifest_id, "tag_set_id": tag_set_id, "created_at": first,
            "updated_at": newest_run["finished_at"], **shared, **newest_run,
        }  # fmt: skip
        for place, one in enumerate(build.runs):
            newest = place == len(attempt_ids) - 1
            run = {
                **shared, **_ran(one, began[place]), "spack_version": SPACK_VERSION,
                "manifest_id": manifest_id if newest else None, "tag_set_id": tag_set_id,
            }  # fmt: skip
            yield models.Attempt.__table__, {
                "id": attempt_ids[place], "build_id": build_id, "number": place + 1, **run,
                "end_is_inferred": False, "reported_at": began[place],
            }  # fmt: skip
            claim_id = self._next(models.Claim)
            claim = _claim(claim_id, self._person_ids[build.owner], f"{series}/{place + 1}", run)
            phases = yield from self._phases(attempt_ids[place], one, began[place])
            begins_at, ends_at = window(claim) or (None, None)
            yield models.Claim.__table__, {
                **run, "id": claim_id, "attempt_id": attempt_ids[place], "owner_id": claim.owner_id,
                "owner_is_certain": True, "kind": claim.kind, "key": claim.key, "package_id": package_id,
                "spec_id": spec_id, "is_live": True, "time_uncertainty_seconds": 0.0,
                "times_enclose_run": False, "window_begins_at": begins_at, "window_ends_at": ends_at,
                "client_build_id": build_id,
                "phases": pack(phases, claim.first_reported_at),
                "first_reported_at": claim.first_reported_at, "last_reported_at": claim.last_reported_at,
            }  # fmt: skip
            errors = [error for phase in one.phases for error in phase.errors]
            yield from self._errors(attempt_ids[place], claim_id, errors)
            if newest:
                yield from self._analysis(attempt_ids[place], claim_id, build, file_ids, began[place])

    def _phases(self, attempt_id: int, run: Run, began: datetime) -> Any:
        """The phases as a claim has them."""
        seconds = run.duration_seconds / len(run.phases)
        claimed = []
        for position, phase in enumerate(run.phases, 1):
            log_id = yield from self._log(phase.log)
            reported_at = began + timedelta(seconds=seconds * position)
            one = PhaseClaim(phase.name, position, phase.status, seconds, reported_at, log_id, len(phase.log))
            claimed.append(one)
            kind = {"name": one.name, "position": position, "status": one.status}
            kind_id = yield from self._once(models.PhaseKind.__table__, tuple(kind.values()), kind)
            yield models.Phase.__table__, {
                "attempt_id": attempt_id, "place": position, "kind_id": kind_id,
                "log_id": log_id, "duration_seconds": seconds, "reported_at": reported_at,
            }  # fmt: skip
        return claimed

    def _log(self, log: bytes) -> Any:
        digest = hashlib.sha256(log).digest()
        is_new = (models.Log.__table__, digest) not in self._known
        row = {"digest": digest, "size_bytes": len(log)}
        log_id = yield from self._once(models.Log.__table__, digest, row)
        for chunk in chunks.split(log) if is_new else ():
            yield models.LogChunk.__table__, {"log_id": log_id, **asdict(chunk)}
        return log_id

    def _errors(self, attempt_id: int, claim_id: int, errors: Sequence[Error]) -> Iterator[_Row]:
        for position, error in enumerate(errors, 1):
            print_ = fingerprint(error.text)
            message_at, message = _message(error)
            row = {
                "fingerprint": digest(print_), "version": VERSION, "normal_form": print_, "tool": "gcc",
                "error_class": "compile", "blame": "PACKAGE", "text": error.text, "is_muted": False,
            }  # fmt: skip
            group_id = yield from self._once(models.ErrorGroup.__table__, print_, row)
            context = error.pre_context, error.post_context
            row = {"digest": event_contexts.digest_of(context), **dict(zip(_LINES, context, strict=True))}
            context_id = yield from self._once(models.EventContext.__table__, context, row)
            yield models.BuildEvent.__table__, {
                "id": self._next(models.BuildEvent), "attempt_id": attempt_id, "claim_id": claim_id,
                "position": position, "kind": EventKind.ERROR, "text": error.text,
                "log_line": error.log_line, "source_file": error.source_file,
                "source_line": error.source_line, "context_id": context_id,
                "error_group_id": group_id, "role": "PRIMARY",
                "tool": "gcc", "error_class": "compile", "blame": "PACKAGE", "fingerprint": digest(print_),
                "is_first": position == 1, "occurrences": 1, "message_at": message_at, "message": message,
                "search_words": search_words(self._dialect_name, error.text, error.source_file),
            }  # fmt: skip

    def _variables(self, variables: Mapping[str, str]) -> Any:
        """The id of their set; every build's are others, since they name its spec."""
        rows = sorted(variables.items())
        set_id = self._next(models.EnvironmentSet)
        yield models.EnvironmentSet.__table__, {"id": set_id, "digest": _digest(rows)}
        for name, value in rows:
            yield (
                models.EnvironmentVariable.__table__,
                {"environment_set_id": set_id, "name": name, "value": value},
            )
        return set_id

    def _arguments(self, text: str) -> Any:
        """The id of their row."""
        row = {"digest": configure_arguments.digest_of(text), "text": text}
        return (yield from self._once(models.ConfigureArguments.__table__, text, row))

    def _tag_set(self, tags: Collection[str]) -> Any:
        """The id of their set."""
        if not tags:
            return None
        document = document_of(tags)
        is_new = (models.TagSet.__table__, document) not in self._known
        row = {"digest": digest_of(document), "names": document}
        set_id = yield from self._once(models.TagSet.__table__, document, row)
        for tag in tags if is_new else ():
            tag_id = yield from self._once(models.Tag.__table__, tag, {"name": tag})
            yield models.TagSetMember.__table__, {"tag_set_id": set_id, "tag_id": tag_id}
        return set_id

    def _manifest(self, paths: Sequence[str]) -> Any:
        """The id of the manifest and those of its files; every build installs others."""
        manifest_id = self._next(models.Manifest)
        yield models.Manifest.__table__, {"id": manifest_id, "digest": _digest(paths)}
        file_ids = [self._next(models.InstallFile) for _ in paths]
        for file_id, path in zip(file_ids, paths, strict=True):
            yield models.InstallFile.__table__, {
                "id": file_id, "manifest_id": manifest_id, "path": path, "type": "file", "mode": 33261,
                "size_bytes": 4096,
            }  # fmt: skip
        return manifest_id, file_ids

    def _analysis(
        self, attempt_id: int, claim_id: int, build: Build, file_ids: Sequence[int], began: datetime
    ) -> Iterator[_Row]:
        analysis_id = self._next(models.Analysis)
        yield models.Analysis.__table__, {
            "id": analysis_id, "claim_id": claim_id, "attempt_id": attempt_id, "analyzer": "symbols",
            "reported_at": began,
        }  # fmt: skip
        files = zip(file_ids, build.files, strict=True)
        for (file_id, path), (name, value) in zip(files, build.attributes.items(), strict=False):
            yield models.Attribute.__table__, {
                "id": self._next(models.Attribute), "analysis_id": analysis_id, "attempt_id": attempt_id,
                "path": path, "install_file_id": file_id, "name": name, "kind": ResultKind.TEXT.value,
                "value": value, "size_bytes": len(value), "digest": hashlib.sha256(value.encode()).digest(),
                "reported_at": began,
            }  # fmt: skip

    def _next(self, model: Any) -> int:
        return next(self._numbers[model.__table__])

    def _once(self, table: Any, key: Any, row: dict[str, Any]) -> Any:
        """The id of a row that several builds share; the row itself when it is new."""
        if (table, key) not in self._known:
            self._known[table, key] = next(self._numbers[table])
            yield table, {"id": self._known[table, key], **row}
        return self._known[table, key]


def _ran(run: Run, began: datetime) -> dict[str, Any]:
    """How a run ended, and when it ran."""
    return {
        "status": run.status, "started_at": began,
        "finished_at": began + timedelta(seconds=run.duration_seconds),
        "duration_seconds": run.duration_seconds,
    }  # fmt: skip


def _message(error: Error) -> tuple[int | None, str]:
    """What an error says without its place, as it is stored (`ingest.tables.event_messages`)."""
    read = event_of(
        "error", error.text, error.pre_context, error.post_context, error.source_file, error.source_line,
        of_site(),
    )  # fmt: skip
    if error.text.endswith(read.message):
        return len(error.text) - len(read.message) + 1, ""
    return None, read.message


def _claim(claim_id: int, owner_id: int, key: str, run: Mapping[str, Any]) -> Claim:
    """As much of a run's claim as its window depends on."""
    return Claim(
        id=claim_id, owner_id=owner_id, owner_is_certain=True, kind=SourceKind.MS1, key=key,
        first_reported_at=run["started_at"], last_reported_at=run["finished_at"],
        status=BuildStatus(run["status"]), is_live=True, started_at=run["started_at"],
        finished_at=run["finished_at"], duration_seconds=run["duration_seconds"],
    )  # fmt: skip


def _digest(rows: Sequence[Any]) -> bytes:
    """One for each content, as long as the store's."""
    return hashlib.sha256(json.dumps(rows).encode()).digest()


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
