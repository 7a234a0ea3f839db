"""An import of the old server's database: people, specs and builds, as reports of when they came.

It may be stopped and begun again: what was stored is known again, and nothing is stored twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from spackmon.auth.old_people import OldPerson, name_here, take_over
from spackmon.auth.people import anonymous
from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.formats.bytes.fields import FieldUnfit
from spackmon.formats.old_server import builds as old_builds
from spackmon.formats.old_server.builds import contents_of, key_of, moment, read_build
from spackmon.formats.old_server.rows import BuildRow, Note, SpecRow
from spackmon.formats.old_server.specs import (
    DEPENDENCIES,
    SPECS,
    failure_of,
    graph_of,
    is_failure,
    left_out,
    unreadable,
)
from spackmon.ingest import store
from spackmon.ingest.locks import take_turn
from spackmon.ops.old_server.comparing import Comparison, count_builds, count_specs
from spackmon.ops.old_server.counting import FAILURES, PEOPLE, TOKENS, count_rows
from spackmon.ops.old_server.reading import Rows
from spackmon.ops.old_server.tables import OldTables
from spackmon.submission import SpecReport, Submission
from spackmon.viewer import ADMINISTRATOR, WRITER

_BUILDS_AT_ONCE = 50
_BYTES_AT_ONCE = 8 << 20
_SPECS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class _Entry:
    """A report, whose it is, and when it came."""

    report: Submission
    owner_id: int
    arrived_at: datetime


@dataclass(slots=True)
class _Group:
    """Builds that are written together, each with its entries."""

    builds: list[tuple[int, str, BuildRow, list[_Entry]]] = field(default_factory=list)
    size_bytes: int = 0

    def is_full(self) -> bool:
        return len(self.builds) >= _BUILDS_AT_ONCE or self.size_bytes >= _BYTES_AT_ONCE


def import_old_server(
    database: Database, tables: OldTables, tell: Callable[[str], None] = lambda _: None
) -> Comparison:
    """Store what the old server knew; `tell` is given how far that is. What is compared in the end.

    Raises Refused DATABASE_UNAVAILABLE.
    """
    importing = _Import(database, Rows(tables), Comparison())
    count_rows(tables, importing.comparison)
    owners = importing.people(tables)
    tell(f"{importing.comparison.here[PEOPLE]} people")
    importing.specs(tell)
    importing.builds(owners, tables.shared("main_build", "add_date"), tell)
    return importing.comparison


@dataclass(slots=True)
class _Import:
    database: Database
    rows: Rows
    comparison: Comparison

    def people(self, tables: OldTables) -> dict[int, int]:
        """Take people over; their ids here by those there."""
        owners: dict[int, int] = {}
        for batch in tables.batches(
            "users_user", "id, username, password, date_joined, is_active, active, is_superuser"
        ):
            tokens = tables.of(
                "authtoken_token", "key, created", "user_id", [one.id for one in batch], order="created"
            )
            for row in batch:
                token = next(iter(tokens.get(row.id, ())), None)
                person = OldPerson(
                    row.username, row.password, moment(row.date_joined),
                    row.is_active not in (0, False) and row.active not in (0, False),
                    token and token.key, token and moment(token.created),
                    ADMINISTRATOR if row.is_superuser else WRITER,
                )  # fmt: skip
                owners[row.id] = self._take_over(person)
        return owners

    def _take_over(self, person: OldPerson) -> int:
        person_id, has_token = self.database.write(lambda connection: take_over(connection, person))
        self.comparison.here[PEOPLE] += 1
        here = name_here(person.name)
        if here != person.name:
            self.comparison.note([Note(PEOPLE, 0, f"{person.name!r} is {here!r} here")])
        if has_token:
            self.comparison.here[TOKENS] += 1
        elif person.token is not None:
            self.comparison.note([Note(TOKENS, 1, "nobody can write with it")])
        return person_id

    def specs(self, tell: Callable[[str], None]) -> None:
        """Store every spec with what is below it."""
        seen: set[int] = set()
        owner_id = self.database.write(anonymous)
        for batch in self.rows.spec_batches():
            for start in range(0, len(batch), _SPECS_AT_ONCE):
                self._store_specs(batch[start : start + _SPECS_AT_ONCE], seen, owner_id)
            tell(f"{self.comparison.here[SPECS]} specs")

    def _store_specs(self, ids: Sequence[int], seen: set[int], owner_id: int) -> None:
        found = self.rows.graphs(ids)
        concrete = {spec_id: row for spec_id, row in found.items() if not is_failure(row)}
        reasons = {spec_id: unreadable(row) for spec_id, row in concrete.items()}
        rows = {spec_id: row for spec_id, row in concrete.items() if reasons[spec_id] is None}
        self._store_failures([found[i] for i in ids if i in found and i not in concrete], owner_id)
        entries: list[_Entry] = []
        for spec_id in ids:
            if (reason := reasons.get(spec_id)) is not None:
                self._leave_out_spec(concrete[spec_id], reason)
            elif spec_id in rows:
                self.comparison.note(left_out(rows[spec_id], rows))
                if spec_id not in seen:
                    entries += self._entry_of_spec(rows, spec_id, seen, owner_id)
        for outcome in self._write(entries):
            if outcome is not None:
                self.comparison.note([Note(SPECS, 1, outcome.sentence)])
        readable = [spec_id for spec_id in ids if spec_id in rows]
        here = self.database.read_once(lambda connection: count_specs(connection, rows, readable))
        self.comparison.here += here

    def _entry_of_spec(
        self, rows: Mapping[int, SpecRow], spec_id: int, seen: set[int], owner_id: int
    ) -> Iterator[_Entry]:
        row = rows[spec_id]
        try:
            graph = graph_of(row, rows)
        except Refused as refused:
            self._leave_out_spec(row, refused.sentence)
            return
        seen.update(_below(row, rows))
        yield _Entry(SpecReport(graph, row.spack_version), owner_id, moment(row.added_at))

    def _leave_out_spec(self, row: SpecRow, reason: str) -> None:
        of_links = Note(DEPENDENCIES, len(row.dependencies), "of a spec that is not here")
        self.comparison.note([Note(SPECS, 1, reason), *([of_links] if row.dependencies else [])])

    def _store_failures(self, rows: Iterable[SpecRow], owner_id: int) -> None:
        entries = []
        for row in rows:
            try:
                entries.append(_Entry(failure_of(row), owner_id, moment(row.added_at)))
            except Refused as refused:
                self.comparison.note([Note(FAILURES, 1, refused.sentence)])
        for outcome in self._write(entries):
            if outcome is None:
                self.comparison.here[FAILURES] += 1
            else:
                self.comparison.note([Note(FAILURES, 1, outcome.sentence)])

    def builds(
        self, owners: Mapping[int, int], moments: frozenset[object], tell: Callable[[str], None]
    ) -> None:
        """Store every build with what is of it, as its owner's; `moments` are those of several builds."""
        twins: Counter[str] = Counter()
        group, nobody = _Group(), self.database.write(anonymous)
        for row, spec in self.rows.builds():
            if spec is None:
                self._leave_out(row, "its spec is not there")
                continue
            owner_id = owners.get(row.owner_id or 0)
            if owner_id is None:
                self.comparison.note([Note(PEOPLE, 0, "builds whose owner is not there are anonymous here")])
            try:
                key = key_of(row, spec)
                if row.added_at in moments:
                    twins[key] += 1
                    key = key_of(row, spec, twins[key] - 1)
                read = read_build(row, spec, key)
            except FieldUnfit as unfit:
                self._leave_out(row, unfit.sentence)
                continue
            self.comparison.note(read.notes)
            entries = [_Entry(report, owner_id or nobody, at) for report, at in read.reports]
            group.builds.append((owner_id or nobody, read.source.key, row, entries))
            group.size_bytes += sum(len(phase.output or b"") for phase in row.phases)
            if group.is_full():
                self._store_builds(group)
                group = _Group()
                tell(f"{self.comparison.here[old_builds.BUILDS]} builds")
        self._store_builds(group)

    def _store_builds(self, group: _Group) -> None:
        flat = [(row, entry) for _, _, row, entries in group.builds for entry in entries]
        outcomes = self._write([entry for _, entry in flat])
        for (row, _), refused in zip(flat, outcomes, strict=True):
            if refused is not None:
                self._leave_out(row, refused.sentence)
        builds = [(owner_id, key, row) for owner_id, key, row, _ in group.builds]
        here, notes = self.database.read_once(lambda connection: count_builds(connection, builds))
        self.comparison.here += here
        self.comparison.note(notes)

    def _leave_out(self, row: BuildRow, reason: str) -> None:
        for noun, count in contents_of(row).items():
            if count:
                self.comparison.note([Note(noun, count, reason)])

    def _write(self, entries: Sequence[_Entry]) -> list[Refused | None]:
        """Write reports in one transaction; where one meets an error, each has a transaction of its own."""
        if not entries:
            return []
        try:
            return self.database.write(lambda connection: _apply(connection, entries))
        except DBAPIError as error:
            if len(entries) == 1:
                reason = str(error.orig).strip().splitlines()[0]
                return [Refused(Code.DATABASE_ERROR, f"the database answered: {reason}")]
        return [outcome for entry in entries for outcome in self._write([entry])]


def _below(root: SpecRow, rows: Mapping[int, SpecRow]) -> set[int]:
    seen, pending = {root.id}, [root]
    while pending:
        below = {link.spec_id for link in pending.pop().dependencies} & rows.keys()
        pending += [rows[spec_id] for spec_id in below - seen]
        seen |= below
    return seen


def _apply(connection: Connection, entries: Iterable[_Entry]) -> list[Refused | None]:
    take_turn(connection)
    outcomes: list[Refused | None] = []
    for entry in entries:
        try:
            with connection.begin_nested():
                store.apply(connection, entry.report, entry.owner_id, arrived_at=entry.arrived_at)
            outcomes.append(None)
        except Refused as refused:
            outcomes.append(refused)
    return outcomes
