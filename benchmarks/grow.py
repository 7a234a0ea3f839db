"""A loaded site becomes several times as large within its database: every spec and every build is copied.

Reporting 600,000 specs would take most of an hour. A copy has the graph, the versions and the parameters of
what it was copied from and hashes of its own, so that every share stays as it was: a package version that
half of the builds contain is in half of them again. Only the sharing of specs between a copy and another is
missing, and a hash's first characters name one spec of each copy.

Specs become ten times as many at most: above that, sites build what they have again on other machines. The
parameter sets that few specs have multiply as specs do, the others stay. What sites hold once (packages,
versions, compilers, tags, people) is not copied; logs, files, variables and results are as many as specs.

Rows come from the schema or attached database `original`. Copies of one row stand side by side and so have
neighbouring numbers, and the time between two builds is divided among the copies of the first: numbers follow
time, as they do where rows are written as they come. Of specs some hundreds stay together in each copy.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    DateTime,
    FromClause,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    case,
    cast,
    column,
    create_engine,
    func,
    insert,
    literal,
    make_url,
    or_,
    select,
    text,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from benchmarks.load import SPAN, recount_facets, set_sequences, tidy
from spackmon import models
from spackmon.database import Database
from spackmon.models.builds import BUILDS_OF_CHUNK, SEALED
from spackmon.models.columns import UtcDateTime
from spackmon.models.graph import ANCESTORS_OF_CHUNK
from spackmon.ops.migrations import upgrade

ORIGINAL = "original"
MOST_SPECS = 10
"""Specs are copied so many times at most."""

# A set that so many specs have is a default or a habit; a site that is ten times as large has it as well.
_HABIT = 10
# The last two become the copy's number: it begins with 0, which is not in a hash's alphabet.
_UNCHANGED_CHARACTERS = 30
# A copy's number in three digits.
_CHARACTERS_OF_KEY, _LEAST_NUMBER = 8, 100

_BUILD, _CLAIM, _SPEC = models.Build.__table__, models.Claim.__table__, models.Spec.__table__
_SETS: Any = models.ParameterSet.__table__
_PARAMETERS: Any = models.Parameter.__table__
_ENVIRONMENTS = models.BuildEnvironment.__table__
_CONTENTS, _CLOSURE = models.BuildContent.__table__, models.Closure.__table__
_GROUP_BUILDS, _GROUP_CHANGES = models.ErrorGroupBuild.__table__, models.ErrorGroupChange.__table__
_LOG = models.Log.__table__
_RUNS: frozenset[Any] = frozenset((
    _BUILD, models.Attempt.__table__, models.Phase.__table__, _CLAIM,
    models.BuildEvent.__table__,
))  # fmt: skip
_SPECS: frozenset[Any] = frozenset((
    _SPEC, models.SpecHash.__table__, models.SpecDocument.__table__, models.OtherCompiler.__table__,
    models.Dependency.__table__, models.ProvidedVirtual.__table__, _CLOSURE,
    models.EnvironmentSet.__table__, models.EnvironmentVariable.__table__, models.Manifest.__table__,
    models.InstallFile.__table__, models.Log.__table__, models.LogChunk.__table__,
    models.Analysis.__table__, models.Attribute.__table__,
))  # fmt: skip
# References without a foreign key.
_DERIVED: Mapping[Any, Any] = {
    _CLOSURE.c.ancestor_id: _SPEC,
    _CLOSURE.c.descendant_id: _SPEC,
    _PARAMETERS.c.parameter_set_id: _SETS,
    _CLAIM.c.client_build_id: _BUILD,
    _BUILD.c.newest_attempt_id: models.Attempt.__table__,
    **{
        run.c[f"{shared.name}_id"]: shared
        for run in (_BUILD, models.Attempt.__table__)
        for shared in (models.EnvironmentSet.__table__, models.Manifest.__table__)
    },
}
# Builds are known by chunk and place here; in PostgreSQL old ones share rows.
_COPY_CONTENTS = {
    "sqlite": f"""
        WITH RECURSIVE copies (number) AS (
            SELECT 0 UNION ALL SELECT number + 1 FROM copies WHERE number < {{runs}} - 1
        )
        INSERT INTO build_content (package_version_id, chunk, place, package_id)
        SELECT n.package_version_id, n.id / {BUILDS_OF_CHUNK}, n.id % {BUILDS_OF_CHUNK}, n.package_id FROM (
            SELECT o.package_version_id, o.package_id,
                (o.chunk * {BUILDS_OF_CHUNK} + o.place - 1) * {{runs}} + number + 1 AS id
            FROM {ORIGINAL}.build_content o CROSS JOIN copies
        ) n
        ORDER BY 1, 2, 3
    """,
    "postgresql": f"""
        INSERT INTO build_content (package_version_id, chunk, place, package_id, places)
        SELECT n.package_version_id, n.id / {BUILDS_OF_CHUNK}, {SEALED}, n.package_id,
            array_agg(CAST(n.id % {BUILDS_OF_CHUNK} AS smallint) ORDER BY n.id)
        FROM (
            SELECT o.package_version_id, o.package_id,
                (CAST(o.chunk AS bigint) * {BUILDS_OF_CHUNK} + listed - 1) * {{runs}} + number + 1 AS id
            FROM {ORIGINAL}.build_content o
            CROSS JOIN unnest(o.places) AS listed CROSS JOIN generate_series(0, {{runs}} - 1) AS number
        ) n
        GROUP BY n.package_version_id, n.package_id, n.id / {BUILDS_OF_CHUNK}
    """,
}
# A chunk of specs has its copies, in each of which everything keeps its place (PostgreSQL).
_SPEC_OF_COPY = (
    f"({{id}} / {ANCESTORS_OF_CHUNK} * {{copies}} + number) * {ANCESTORS_OF_CHUNK}"
    f" + {{id}} % {ANCESTORS_OF_CHUNK}"
)
_COPY_LISTS = (
    f"""
        INSERT INTO descendant_list (ancestor_id, descendants)
        SELECT {_SPEC_OF_COPY.replace("{id}", "o.ancestor_id")}, ARRAY(
            SELECT (CAST({_SPEC_OF_COPY.replace("{id}", "(p >> 24)")} AS bigint) << 24) | (p & 16777215)
            FROM unnest(o.descendants) p
        )
        FROM {ORIGINAL}.descendant_list o CROSS JOIN generate_series(0, {{copies}} - 1) AS number
        ORDER BY 1
    """,
    f"""
        INSERT INTO ancestor_list (descendant_id, chunk, ancestors)
        SELECT {_SPEC_OF_COPY.replace("{id}", "o.descendant_id")}, o.chunk * {{copies}} + number, o.ancestors
        FROM {ORIGINAL}.ancestor_list o CROSS JOIN generate_series(0, {{copies}} - 1) AS number
        ORDER BY 2, 1
    """,
)
_COPY_OTHER_HASHES = f"""
    INSERT INTO spec_other_hash (value, kind, spec_id)
    SELECT CASE WHEN number = 0 THEN o.value
        ELSE substr(o.value, 1, {_UNCHANGED_CHARACTERS}) || '0' || number END,
        o.kind, {_SPEC_OF_COPY.replace("{id}", "o.spec_id")}
    FROM {ORIGINAL}.spec_other_hash o CROSS JOIN generate_series(0, {{copies}} - 1) AS number
    ORDER BY 1, 2
"""
# What PostgreSQL stores otherwise than it shows.
_COPY_STORED: Mapping[Any, tuple[str, ...]] = {
    _CLOSURE: _COPY_LISTS, models.SpecHash.__table__: (_COPY_OTHER_HASHES,)
}  # fmt: skip
# The groups stay the same ones, in more builds: what is counted of them is counted anew.
_COUNT_ERRORS = (
    """
        INSERT INTO error_group_build (
            build_id, error_group_id, event_count, run_count, first_seen, last_seen
        )
        SELECT a.build_id, e.error_group_id, count(*), count(DISTINCT a.id),
            min(a.started_at), max(a.started_at)
        FROM attempt a JOIN build_event e ON e.attempt_id = a.id
        WHERE e.error_group_id IS NOT NULL
        GROUP BY a.build_id, e.error_group_id ORDER BY a.build_id, e.error_group_id
    """,
    """
        UPDATE error_group SET event_count = t.event_count, run_count = t.run_count,
            build_count = t.build_count, first_seen = t.first_seen, last_seen = t.last_seen
        FROM (
            SELECT error_group_id, sum(event_count) AS event_count, sum(run_count) AS run_count,
                count(*) AS build_count, min(first_seen) AS first_seen, max(last_seen) AS last_seen
            FROM error_group_build GROUP BY error_group_id
        ) t
        WHERE error_group.id = t.error_group_id
    """,
)
_HASHES = frozenset({_SPEC.c.hash, models.SpecHash.__table__.c.value})
_DIGESTS = frozenset(
    model.__table__.c.digest
    for model in (models.EnvironmentSet, models.Manifest, models.Log, models.ParameterSet)
)
_DRIVERS = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"}
_RARE = Table("rare_set", MetaData(), Column("id", Integer, primary_key=True), prefixes=["TEMPORARY"])


@dataclass(frozen=True, slots=True)
class _Growth:
    """How often each kind of row is copied."""

    runs: int
    specs: int
    seconds: float

    @property
    def machines(self) -> int:
        return self.runs // self.specs

    def copies(self, table: Any) -> int:
        """Of each row of a table."""
        if table in _RUNS:
            return self.runs
        if table is _ENVIRONMENTS:
            return self.machines
        return self.specs if table in _SPECS or table in (_SETS, _PARAMETERS) else 1

    def copy_of(self, referred: Any, copy: ColumnElement[Any]) -> ColumnElement[Any]:
        """Which copy of a row of `referred` belongs to the copy with this number of another row."""
        if referred in _RUNS:
            return copy
        return copy // self.specs if referred is _ENVIRONMENTS else copy % self.specs


def grow(original_url: str, url: str, factor: int) -> None:
    """Make a database that has `factor` times as many runs as the original.

    Of SQLite `url` is a new file, of PostgreSQL a copy of the original.
    """
    engine = create_engine(make_url(url).set(drivername=_DRIVERS[make_url(url).get_backend_name()]))
    if engine.dialect.name == "sqlite":
        upgrade(url)
        with engine.connect() as connection:
            for statement in ("PRAGMA journal_mode = MEMORY", "PRAGMA synchronous = OFF"):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"ATTACH ? AS {ORIGINAL}", (make_url(original_url).database,))
            driver: Any = connection.connection.driver_connection
            driver.create_function("phases_of_copy", 3, _phases_of_copy, deterministic=True)
            fill(connection, factor)
            connection.commit()
    else:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"ALTER SCHEMA public RENAME TO {ORIGINAL}")
            connection.exec_driver_sql("CREATE SCHEMA public")
        upgrade(url)
        with engine.begin() as connection, _bare_tables(connection):
            fill(connection, factor)
            connection.exec_driver_sql(f"DROP SCHEMA {ORIGINAL} CASCADE")
    engine.dispose()
    database = Database(url)
    # A copy has the facet of what it was copied from, and another day.
    database.write(recount_facets)
    tidy(database)
    database.close()


@contextmanager
def _bare_tables(connection: Connection) -> Iterator[None]:
    """Tables without keys and indexes, which are made when all rows are there: a fifth of the time."""
    ours = "connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f')"
    constraints = connection.exec_driver_sql(
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), contype FROM pg_constraint"
        f" WHERE {ours} ORDER BY contype = 'f', oid"
    ).all()
    indexes = connection.exec_driver_sql(
        "SELECT i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace"
        " WHERE NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)"
    ).all()
    for table, name, _, _ in reversed(constraints):
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for index, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {index}")
    yield
    connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
    for table, name, definition, kind in constraints:
        # Every reference holds because it held in what is copied.
        unchecked = " NOT VALID" if kind == b"f" or kind == "f" else ""
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}{unchecked}")
    for _, definition in indexes:
        connection.exec_driver_sql(definition)
    connection.exec_driver_sql("UPDATE pg_constraint SET convalidated = true WHERE NOT convalidated")


def fill(connection: Connection, factor: int) -> None:
    """Write into empty tables what `original` holds, `factor` times as many runs.

    Above ten a multiple of ten.
    """
    specs = min(factor, MOST_SPECS)
    if factor % specs:
        raise ValueError(f"above {specs} the factor must be a multiple of it, not {factor}")
    builds = connection.execute(select(func.count()).select_from(_original(_BUILD))).scalar_one()
    growth = _Growth(factor, specs, SPAN.total_seconds() / builds / factor)
    _RARE.create(connection)
    counted = _original(_SPEC)
    rare = select(counted.c.parameter_set_id).group_by(counted.c.parameter_set_id)
    connection.execute(insert(_RARE).from_select(["id"], rare.having(func.count() < _HABIT)))
    for table in models.Base.metadata.sorted_tables:
        if table is _CONTENTS:
            connection.execute(text(_COPY_CONTENTS[connection.dialect.name].format(runs=growth.runs)))
        elif table in _COPY_STORED and connection.dialect.name == "postgresql":
            for statement in _COPY_STORED[table]:
                connection.execute(text(statement.format(copies=specs)))
        elif table not in (_GROUP_BUILDS, _GROUP_CHANGES):
            _copy(connection, table, growth)
    for statement in _COUNT_ERRORS:
        connection.execute(text(statement))
    _tell_sets_apart(connection, growth)
    set_sequences(connection, models.Base.metadata.sorted_tables)


def _original(table: Any) -> FromClause:
    return table.to_metadata(MetaData(), schema=ORIGINAL).alias("o")  # type: ignore[no-any-return]


def _copy(connection: Connection, table: Any, growth: _Growth) -> None:
    original, copies = _original(table), growth.copies(table)
    _check_references(connection, table, growth)
    if copies == 1:
        selected: Select[Any] = select(*original.c)
    else:
        number, rows = _repeated(connection, original, copies, growth)
        selected = select(*(_copied(connection, one, rows.c[one.name], number, growth) for one in table.c))
        if table in (_SETS, _PARAMETERS):
            set_id = rows.c.id if table is _SETS else rows.c.parameter_set_id
            selected = selected.where(or_(number == 0, _is_rare(set_id)))
        if connection.dialect.name == "sqlite":
            selected = selected.order_by(*(rows.c[key.name] for key in table.primary_key), number)
    connection.execute(insert(table).from_select([one.name for one in table.c], selected))


def _check_references(connection: Connection, table: Any, growth: _Growth) -> None:
    """A table that is not copied must not speak of rows that are, or `_RUNS` or `_SPECS` lacks it."""
    multiplied = {_referred(one) for one in table.c if growth.copies(_referred(one)) > 1}
    original = _original(table)
    is_wrong = growth.copies(table) == 1 and multiplied - {_ENVIRONMENTS}
    if is_wrong and connection.execute(select(func.count()).select_from(original)).scalar_one():
        raise RuntimeError(f"the rows of {table.name} do not grow with what they speak of")


def _repeated(
    connection: Connection, original: FromClause, copies: int, growth: _Growth
) -> tuple[ColumnElement[Any], FromClause]:
    """Each row so many times, side by side, and the number of the copy from 0."""
    if connection.dialect.name == "sqlite":
        first = select(literal(0).label("number")).cte("copies", recursive=True)
        numbers = first.union_all(select(first.c.number + 1).where(first.c.number < copies - 1))
        every = select(*original.c, numbers.c.number.label("copy_number"))
        rows = every.select_from(original.join(numbers, true())).subquery()
    else:
        ordered = select(*original.c).order_by(*original.primary_key).subquery()
        series = func.generate_series(0, copies - 1).label("copy_number")
        rows = select(*ordered.c, series).subquery()
    return rows.c.copy_number, rows


def _copied(
    connection: Connection, target: Any, value: ColumnElement[Any], number: Any, growth: _Growth
) -> ColumnElement[Any]:
    """What stands in a column of a copy."""
    referred = _referred(target)
    if target in _HASHES:
        suffix = literal("0").concat(cast(number, String))
        return case((number == 0, value), else_=func.substr(value, 1, _UNCHANGED_CHARACTERS).concat(suffix))
    if target in _DIGESTS:
        return case((number == 0, value), else_=_extended(connection, value, number))
    if target is _ENVIRONMENTS.c.hostname:
        return case((number == 0, value), else_=value.concat("-").concat(cast(number, String)))
    if target is _SETS.c.document:
        return case((number == 0, value), else_=_with_experiment(value, number))
    if target in (_CLAIM.c.key, _CLAIM.c.phases):
        is_key = target is _CLAIM.c.key
        return _key_of_copy(value, number) if is_key else _with_logs(connection, value, number, growth)
    if target.table in _RUNS and isinstance(target.type, UtcDateTime):
        return _later(connection, value, number, growth)
    copies = growth.copies(referred)
    if copies == 1:
        return value
    copy = number if referred is target.table else growth.copy_of(referred, number)
    if referred is _SETS:
        copy = case((_is_rare(value), copy), else_=0)
    if referred is _SPEC:
        return _number_of_spec(value, copies, copy)
    return (value - 1) * copies + copy + 1


def _key_of_copy(key: ColumnElement[Any], number: Any) -> ColumnElement[Any]:
    """As long as a client's, as indexes are as large as keys: the number for 3 of 11 random characters."""
    numbered = func.substr(key, 1, _CHARACTERS_OF_KEY).concat(cast(number + _LEAST_NUMBER, String))
    return numbered.concat(func.substr(key, _CHARACTERS_OF_KEY + 4))


def _number_of_spec(value: ColumnElement[Any], copies: int, copy: ColumnElement[Any]) -> ColumnElement[Any]:
    """Specs that are next to each other stay so: a graph is reported at once."""
    chunk, place = value // ANCESTORS_OF_CHUNK, value % ANCESTORS_OF_CHUNK
    return (chunk * copies + copy) * ANCESTORS_OF_CHUNK + place


def _with_logs(connection: Connection, phases: ColumnElement[Any], number: Any, growth: _Growth) -> Any:
    """Packed phases with the logs of the copy: behind the first byte, which counts them, four bytes each."""
    copy = growth.copy_of(_LOG, number)
    if connection.dialect.name == "sqlite":
        return func.phases_of_copy(phases, growth.copies(_LOG), copy)
    count = func.get_byte(phases, 0)
    places = func.generate_series(0, count - 1).table_valued(column("place", Integer)).render_derived()
    log_id = sum(func.get_byte(phases, 1 + 4 * places.c.place + at) * 256 ** (3 - at) for at in range(4))
    of_copy = case((log_id == 0, 0), else_=(log_id - 1) * growth.copies(_LOG) + copy + 1)
    joined = func.string_agg(
        func.int4send(cast(of_copy, Integer)), aggregate_order_by(literal(b"", LargeBinary), places.c.place)
    )
    logs = select(joined).select_from(places).scalar_subquery()
    return func.substr(phases, 1, 1).concat(logs).concat(func.substr(phases, 2 + 4 * count))


def _phases_of_copy(phases: bytes | None, copies: int, copy: int) -> bytes | None:
    """What `_with_logs` makes, as a function of SQLite."""
    if phases is None:
        return None
    end = 1 + 4 * phases[0]
    logs = (int.from_bytes(phases[at : at + 4]) for at in range(1, end, 4))
    copied = ((one - 1) * copies + copy + 1 if one else 0 for one in logs)
    return phases[:1] + b"".join(one.to_bytes(4) for one in copied) + phases[end:]


def _referred(target: Any) -> Any:
    """The table whose ids a column holds, its own for its id; None if it holds none."""
    if target.name == "id":
        return target.table
    foreign = next(iter(target.foreign_keys), None)
    return foreign.column.table if foreign is not None else _DERIVED.get(target)


def _is_rare(set_id: ColumnElement[Any]) -> ColumnElement[bool]:
    return set_id.in_(select(_RARE.c.id))


def _extended(connection: Connection, digest: ColumnElement[Any], number: Any) -> ColumnElement[Any]:
    """A digest with one more byte."""
    if connection.dialect.name == "sqlite":
        # SQLite's `||` makes text even of two blobs.
        return cast(digest.concat(func.char(number)), LargeBinary)
    return digest.concat(func.set_byte(literal(b"\0", LargeBinary), 0, number))


def _later(
    connection: Connection, moment: ColumnElement[Any], number: Any, growth: _Growth
) -> ColumnElement[Any]:
    if connection.dialect.name == "sqlite":
        seconds = cast(number * growth.seconds, String).concat(" seconds")
        return func.strftime("%Y-%m-%dT%H:%M:%f", moment, seconds, type_=String).concat("000Z")
    between = cast(literal(f"{growth.seconds} seconds"), Interval)
    later: ColumnElement[Any] = type_coerce(moment, DateTime(timezone=True)) + number * between
    return later


# What tells a copied set from the one that it was copied from.
_EXPERIMENT = "experiment"


def _with_experiment(document: ColumnElement[Any], number: Any) -> ColumnElement[Any]:
    beginning = literal(f'{{"{_EXPERIMENT}":"').concat(cast(number, String)).concat('",')
    return beginning.concat(func.substr(document, 2))


def _tell_sets_apart(connection: Connection, growth: _Growth) -> None:
    """Each copy of a parameter set has an element that says so."""
    number = (_SETS.c.id - 1) % growth.specs
    value = literal('"').concat(cast(number, String)).concat('"')
    element = select(literal(_EXPERIMENT), value, _SETS.c.id).where(number > 0)
    connection.execute(insert(_PARAMETERS).from_select(["name", "value", "parameter_set_id"], element))
