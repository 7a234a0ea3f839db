"""Fields that are computed in SQL from their row."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Text,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from spackmon.graph.spec import Deptype
from spackmon.models import (
    Closure,
    ClosureAboveCount,
    Dependency,
    InstallFile,
    Phase,
    PhaseKind,
    SpecDocument,
)
from spackmon.query.sql.conditions import Filtering, ValueOf
from spackmon.query.sql.json_text import MARK, JsonWriter, constant, joined
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.unpack import DOCUMENT
from spackmon.query.sql.values import Given, plain


def document(spec: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """The document that the spec's values are from: the longest of the oldest format."""
    documents = SpecDocument.__table__.alias()
    # No database can unpack it.
    version, content = cast(documents.c.dictionary, Text), json.digits(documents.c.packed)
    packed = joined([f"{MARK}{DOCUMENT}", version, ":", content, MARK])
    first = select(func.coalesce(documents.c.document, packed)).where(documents.c.spec_id == spec.row_id)
    # One is NULL in each row. Of both together SQLite's parser has no room for more where this nests; a spec
    # has documents of both kinds only until a service has packed the older ones.
    longest = func.length(documents.c.document).desc(), documents.c.characters.desc()
    first = first.order_by(documents.c.format_version, *longest, documents.c.digest)
    return first.limit(1).correlate_except(documents).scalar_subquery()


def deptypes(dependency: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """The set of bits as a JSON array of names."""
    names = [(type_.value, type_.name) for type_ in Deptype if type_.name]
    arrays = {
        bits: "[" + ",".join(f'"{name}"' for bit, name in names if bits & bit) + "]"
        for bits in range(2 ** len(names))
    }
    value = dependency[Dependency.deptypes]
    # Written into the statement: as parameters they would be a tenth of what a graph costs.
    return case(*((value == literal_column(str(bits)), constant(text)) for bits, text in arrays.items()))


def graph_limits(arguments: Mapping[str, Given], compilation: Filtering) -> dict[str, ColumnElement[Any]]:
    """What a graph is limited by: the depth, and the deptypes as the sum of their bits."""
    limits: dict[str, ColumnElement[Any]] = {}
    if "depth" in arguments:
        limits["depth"] = compilation.bind(arguments["depth"], BigInteger())
    if "deptypes" in arguments:
        limits["deptypes"] = compilation.bind(arguments["deptypes"], BigInteger(), _bits)
    return limits


def _bits(names: Sequence[Any]) -> int:
    return int(sum({Deptype[str(plain(name))] for name in map(_written, names)}))


def _written(name: Any) -> Any:
    return name.value if isinstance(name, Given) else name


def itself_and_descendants(spec: Scope) -> CompoundSelect[Any] | Select[Any]:
    """The ids of the whole graph's specs, or of those within the limits."""
    if spec.limits:
        return _within_limits(spec)
    below = Closure.__table__.alias()
    descendants = select(below.c.descendant_id).where(below.c.ancestor_id == spec.row_id)
    return union_all(
        select(spec.row_id.label("id")).correlate_except(None), descendants.correlate_except(below)
    )


def _within_limits(spec: Scope) -> Select[Any]:
    root = select(spec.row_id.label("id"), cast(0, BigInteger).label("depth"))
    reached = root.correlate_except(None).cte(recursive=True, nesting=True)
    edge = Dependency.__table__.alias()
    step = select(edge.c.child_id, reached.c.depth + 1).join(edge, edge.c.parent_id == reached.c.id)
    step = step.where(is_within_limits(spec, edge.c.deptypes))
    if "depth" in spec.limits:
        step = step.where(reached.c.depth < spec.limits["depth"])
    # UNION drops what was reached by another path of the same length, so that it ends.
    walked = reached.union(step.correlate_except(edge, reached))
    return select(walked.c.id).distinct()


def is_within_limits(spec: Scope, deptypes: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a graph's limits let an edge of these deptypes be followed."""
    bits = spec.limits.get("deptypes")
    return true() if bits is None else deptypes.bitwise_and(bits) != 0


def is_followed(spec: Scope, edge: Scope) -> ColumnElement[bool]:
    """Whether the limits of the spec's graph let this edge be followed."""
    return is_within_limits(spec, edge[Dependency.deptypes])


def phase_status(phase: Scope) -> ColumnElement[Any]:
    """How a phase ended, as one of the three words of the schema."""
    status = phase.follow(Phase.kind_id)[PhaseKind.status]
    known = or_(status == constant("SUCCESS"), status == constant("ERROR"))
    return case((known, status), else_=constant("OTHER"))


def installed_bytes(manifest_id: Attribute) -> ValueOf:
    """The size of all files of a manifest; NULL where there is none."""

    def size(row: Scope) -> ColumnElement[Any]:
        file = InstallFile.__table__.alias()
        total = select(cast(func.coalesce(func.sum(file.c.size_bytes), 0), BigInteger))
        listed = total.where(file.c.manifest_id == row[manifest_id]).correlate_except(file)
        return case((row[manifest_id].is_not(None), listed.scalar_subquery()))

    return size


def dependent_count(spec: Scope) -> ColumnElement[Any]:
    """How many specs depend on a spec, at any depth."""
    above = ClosureAboveCount.__table__.alias()
    count = select(cast(func.coalesce(func.sum(above.c.number), 0), BigInteger))
    return count.where(above.c.descendant_id == spec.row_id).correlate_except(above).scalar_subquery()


def dependent_count_of_all(spec: Scope) -> ColumnElement[Any]:
    """The same of every spec: what is above all of them is read once."""
    above = ClosureAboveCount.__table__.alias()
    number = cast(func.sum(above.c.number), BigInteger).label("number")
    every = select(above.c.descendant_id, number).group_by(above.c.descendant_id).cte()
    # Else each of several parallel workers would read and count all of them.
    counts = every.prefix_with("MATERIALIZED", dialect="postgresql")
    found = spec.attach(counts, lambda one: one.column("descendant_id") == spec.row_id)
    return cast(func.coalesce(found.column("number"), 0), BigInteger)


def node_count(spec: Scope) -> ColumnElement[Any]:
    """How many specs a graph has."""
    node = _nodes(spec).alias()
    count = select(func.count(type_=BigInteger())).select_from(node)
    return count.correlate_except(node).scalar_subquery()


def edge_count(spec: Scope) -> ColumnElement[Any]:
    """How many edges a graph has, both ends of which are in it."""
    edge, parent, child = Dependency.__table__.alias(), _nodes(spec).alias(), _nodes(spec).alias()
    count = select(func.count(type_=BigInteger())).select_from(edge)
    inside = count.where(
        edge.c.parent_id.in_(select(parent.c.id)),
        edge.c.child_id.in_(select(child.c.id)),
        is_within_limits(spec, edge.c.deptypes),
    )
    return inside.correlate_except(edge).scalar_subquery()


def _nodes(spec: Scope) -> FromClause:
    if spec.collected is None:
        raise TypeError("only a graph has nodes")
    return spec.collected
