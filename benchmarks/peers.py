"""The same answers and the same writes as most services would make them: by SQLAlchemy's ORM.

The classes here are mapped to spackmon's own tables. `lazy` follows relationships where it needs them, as a
plain resolver does; `eager` looks ahead and loads all levels beforehand, as a good resolver does.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Index, MetaData, Table, func, or_, select
from sqlalchemy.orm import Session, joinedload, registry, relationship, selectinload

from spackmon import models
from spackmon.graph.closure import by_ways, descendants
from spackmon.graph.compilers import LANGUAGE_BITS
from spackmon.graph.parameters import parameter_rows
from spackmon.graph.spec import SpecGraph, SpecNode
from spackmon.graph.versions import version_key

mapping = registry(metadata=models.Base.metadata)


class _Columns(type):
    if TYPE_CHECKING:  # columns and relations come with the mapping

        def __getattr__(cls, name: str) -> Any: ...


class _Row(metaclass=_Columns):
    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class Package(_Row):
    """A package."""


class PackageVersion(_Row):
    """A version of it."""


class Compiler(_Row):
    """A compiler."""


class Target(_Row):
    """A microarchitecture."""


class Architecture(_Row):
    """Platform, operating system and target."""


class ParameterSet(_Row):
    """Parameters."""


class Parameter(_Row):
    """An element of them."""


class PackageHash(_Row):
    """The hash of a recipe."""


class Dependency(_Row):
    """An edge."""


class Closure(_Row):
    """A pair of the closure."""


class Spec(_Row):
    """A spec."""


class SpecHash(_Row):
    """A hash of it."""


class SpecDocument(_Row):
    """Its document."""


class Environment(_Row):
    """A machine."""


class Tag(_Row):
    """A word."""


class PhaseKind(_Row):
    """Its name, its place and how it ended."""


class Phase(_Row):
    """A phase."""


class Attempt(_Row):
    """A run."""


class Build(_Row):
    """A Build."""


# What spackmon reads as rows and stores otherwise: an ORM's service would store the rows.
_ROWS = MetaData(naming_convention=models.Base.metadata.naming_convention)


def _map(cls: type[_Row], model: Any, **relations: Any) -> None:
    mapping.map_imperatively(cls, model.__table__, properties=relations)


def _map_rows(cls: type[_Row], model: Any) -> None:
    rows = Table(
        f"{model.__tablename__}_row",
        _ROWS,
        *(
            Column(one.name, one.type, primary_key=one.primary_key, autoincrement=False)
            for one in model.__table__.columns
        ),
        *(Index(f"{index.name}_row", *index.columns.keys()) for index in model.__table__.indexes),
    )
    mapping.map_imperatively(cls, rows)


_DEPENDENCY = models.Dependency.__table__.c
_MEMBER: Any = models.TagSetMember.__table__
_map(Package, models.Package)
_map(PackageVersion, models.PackageVersion, package=relationship(Package))
_map(Compiler, models.Compiler)
_map(Target, models.Target)
_map(Architecture, models.Architecture, target=relationship(Target))
_map(ParameterSet, models.ParameterSet)
_map(Parameter, models.Parameter)
_map_rows(Closure, models.Closure)
_map_rows(SpecHash, models.SpecHash)
_map(SpecDocument, models.SpecDocument)
_map(PackageHash, models.PackageHash)
_map(
    Spec, models.Spec, package_version=relationship(PackageVersion), compiler=relationship(Compiler),
    architecture=relationship(Architecture),
    dependencies=relationship(Dependency, foreign_keys=_DEPENDENCY.parent_id, viewonly=True),
)  # fmt: skip
_map(Dependency, models.Dependency, child=relationship(Spec, foreign_keys=_DEPENDENCY.child_id))
_map(Environment, models.BuildEnvironment)
_map(Tag, models.Tag)
_map(PhaseKind, models.PhaseKind)
_map(Phase, models.Phase, kind=relationship(PhaseKind, lazy="joined"))
_map(
    Attempt, models.Attempt, phases=relationship(Phase),
    tags=relationship(
        Tag,
        secondary=_MEMBER,
        primaryjoin=_MEMBER.c.tag_set_id == models.Attempt.__table__.c.tag_set_id,
        secondaryjoin=_MEMBER.c.tag_id == models.Tag.__table__.c.id,
        order_by=models.Tag.__table__.c.name,
        foreign_keys=[_MEMBER.c.tag_set_id, _MEMBER.c.tag_id],
        viewonly=True,
    ),
)  # fmt: skip
_map(
    Build, models.Build, spec=relationship(Spec), environment=relationship(Environment),
    attempts=relationship(Attempt, order_by=models.Attempt.__table__.c.number),
)  # fmt: skip

_VERSION = joinedload(Spec.package_version).joinedload(PackageVersion.package)


def _in_order(phases: Sequence[Any]) -> Sequence[Any]:
    return sorted(phases, key=lambda phase: phase.kind.position)


def _spec_parts(path: Any) -> Sequence[Any]:
    return (
        path.joinedload(Spec.package_version).joinedload(PackageVersion.package),
        path.joinedload(Spec.compiler),
        path.joinedload(Spec.architecture).joinedload(Architecture.target),
    )


def builds_with(session: Session, name: str, version: str, *, eager: bool) -> bytes:
    """The question of issue 2's item 7: the newest 100 builds that contain a dependency version."""
    below = (
        select(models.ClosureAbove.ancestor_id)
        .join(models.Spec, models.Spec.id == models.ClosureAbove.descendant_id)
        .join(models.PackageVersion)
        .join(models.Package)
        .where(models.Package.name == name, models.PackageVersion.version == version)
    )
    statement = select(Build).where(Build.spec_id.in_(below)).order_by(Build.id.desc()).limit(101)
    if eager:
        spec = joinedload(Build.spec).joinedload(Spec.package_version).joinedload(PackageVersion.package)
        statement = statement.options(spec, selectinload(Build.attempts).selectinload(Attempt.phases))
    found = list(session.scalars(statement))
    nodes = [
        {
            "id": str(one.id), "status": one.status, "spec": _named(one.spec),
            "phases": {"nodes": [
                {"name": p.kind.name, "status": p.kind.status} for p in _in_order(one.attempts[-1].phases)
            ]},
        }
        for one in found[:100]
    ]  # fmt: skip
    return _body({"builds": {"nodes": nodes, "pageInfo": {"hasNextPage": len(found) > 100}}})


def newest_builds(session: Session, *, eager: bool) -> bytes:
    """The newest 50 builds with their specs, environments, tags, phases and errors, and how many builds."""
    statement = select(Build).order_by(Build.id.desc()).limit(51)
    if eager:
        statement = statement.options(
            *_spec_parts(joinedload(Build.spec)),
            joinedload(Build.environment),
            selectinload(Build.attempts).selectinload(Attempt.phases),
            selectinload(Build.attempts).selectinload(Attempt.tags),
        )
    found = list(session.scalars(statement))
    total = session.scalar(select(func.count()).select_from(Build))
    errors = _error_counts(session, found[:50], eager=eager)
    nodes = [_listed(one, errors) for one in found[:50]]
    return _body(
        {"builds": {"totalCount": total, "nodes": nodes, "pageInfo": {"hasNextPage": len(found) > 50}}}
    )


def many_builds(session: Session, count: int) -> bytes:
    """The newest builds, so many, with fifteen values of each; looked ahead."""
    statement = select(Build).order_by(Build.id.desc()).limit(count)
    options = (*_spec_parts(joinedload(Build.spec)), joinedload(Build.environment))
    nodes = [_many(one) for one in session.scalars(statement.options(*options))]
    return _body({"builds": {"nodes": nodes}})


def whole_graph(session: Session, spec_hash: str, *, eager: bool) -> bytes:
    """All specs and dependencies below one spec."""
    root = session.scalars(select(Spec).where(Spec.hash == spec_hash)).one()
    if eager:
        below = select(models.Closure.descendant_id).where(models.Closure.ancestor_id == root.id)
        statement = select(Spec).where(or_(Spec.id == root.id, Spec.id.in_(below)))
        options = (_VERSION, selectinload(Spec.dependencies))
        specs = {one.id: one for one in session.scalars(statement.options(*options))}
    else:
        specs, waiting = {root.id: root}, [root]
        while waiting:
            for edge in waiting.pop().dependencies:
                if edge.child_id not in specs:
                    specs[edge.child_id] = edge.child
                    waiting.append(edge.child)
    nodes = sorted((_named(one) for one in specs.values()), key=lambda node: (node["name"], node["hash"]))
    edges = [
        (one.hash, specs[edge.child_id].hash, _deptypes(edge.deptypes))
        for one in specs.values()
        for edge in one.dependencies
    ]
    shown = [
        {"parent": {"hash": parent}, "child": {"hash": child}, "deptypes": deptypes}
        for parent, child, deptypes in sorted(edges)
    ]
    return _body({"spec": {**_named(root), "graph": {"nodes": nodes, "edges": shown}}})


def _error_counts(session: Session, builds: Sequence[Any], *, eager: bool) -> dict[int, int]:
    """How many errors the newest attempts have that have any; all at once, or one after the other."""
    event = models.BuildEvent
    count = select(event.attempt_id, func.count()).where(event.kind == "ERROR").group_by(event.attempt_id)
    attempts = [build.attempts[-1].id for build in builds]
    found: dict[int, int] = {}
    for some in [attempts] if eager else [[attempt] for attempt in attempts]:
        rows = session.execute(count.where(event.attempt_id.in_(some)))
        found.update((attempt_id, errors) for attempt_id, errors in rows if attempt_id is not None)
    return found


def _listed(build: Any, errors: Mapping[int, int]) -> dict[str, Any]:
    return {
        **_one(build),
        "tags": {"nodes": [{"name": tag.name} for tag in build.attempts[-1].tags]},
        "phases": {"nodes": [
            {"name": p.kind.name, "status": p.kind.status, "reportedAt": _moment(p.reported_at)}
            for p in _in_order(build.attempts[-1].phases)
        ]},
        "errorCount": errors.get(build.attempts[-1].id, 0),
    }  # fmt: skip


def _many(build: Any) -> dict[str, Any]:
    return {**_one(build), "durationSeconds": build.duration_seconds}


def _one(build: Any) -> dict[str, Any]:
    compiler, architecture, environment = build.spec.compiler, build.spec.architecture, build.environment
    return {
        "id": str(build.id),
        "status": build.status,
        "createdAt": _moment(build.created_at),
        "spec": {
            **_named(build.spec),
            "compiler": {"name": compiler.name, "version": compiler.version},
            "architecture": {
                "platform": architecture.platform, "operatingSystem": architecture.operating_system,
                "target": {"name": architecture.target.name},
            },
        },
        "environment": {
            "hostname": environment.hostname, "operatingSystem": environment.operating_system,
            "kernelVersion": environment.kernel_version,
        },
    }  # fmt: skip


def _named(spec: Any) -> dict[str, Any]:
    version = spec.package_version
    return {"name": version.package.name, "version": version.version, "hash": spec.hash}


def _deptypes(bits: int) -> list[str]:
    return [name for bit, name in ((1, "BUILD"), (2, "LINK"), (4, "RUN"), (8, "TEST")) if bits & bit]


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _body(data: dict[str, Any]) -> bytes:
    return json.dumps({"data": data}, separators=(",", ":"), ensure_ascii=False).encode()


def make_tables(connection: Connection) -> None:
    """Make the tables that `store_row_by_row` fills and spackmon has no more."""
    _ROWS.create_all(connection)


def store_row_by_row(session: Session, graph: SpecGraph) -> None:
    """Store a graph as an ORM's get-or-create does: each row looked for and added by itself."""
    below = descendants(graph.nodes)
    ways = by_ways(graph.nodes, below)
    ids: dict[str, int] = {}
    for hash_, nearest in below.items():
        node = graph.nodes[hash_]
        found = session.scalars(select(Spec).filter_by(hash=node.hash, hash_kind=node.hash_kind)).first()
        if found is None:
            found = _spec(session, node, graph.format_version)
            for edge in node.edges:
                virtuals = json.dumps(edge.virtuals, separators=(",", ":"))
                row = {"parent_id": found.id, "child_id": ids[edge.child], "virtuals": virtuals}
                _get_or_create(session, Dependency, row, deptypes=int(edge.deptypes))
            depths = {child: depth for depth, level in enumerate(ways[hash_].by_depth, 1) for child in level}
            for child in nearest:
                row = {"ancestor_id": found.id, "descendant_id": ids[child]}
                way = ways[hash_]
                _get_or_create(
                    session, Closure, row, by_caret=child in way.by_caret,
                    by_link_run=child in way.by_link_run, by_build=child in way.by_build, depth=depths[child],
                )  # fmt: skip
        ids[hash_] = found.id


def _spec(session: Session, node: SpecNode, format_version: int) -> Any:
    package = _get_or_create(session, Package, {"name": node.name})
    key = {"package_id": package.id, "version": node.version}
    version = _get_or_create(session, PackageVersion, key, version_key=version_key(node.version))
    name, number = node.compiler or ("", "")
    compiler = _get_or_create(
        session, Compiler, {"name": name, "version": number}, version_key=version_key(number)
    )
    target = _get_or_create(
        session, Target, {"digest": _digest(node.target.document)}, name=node.target.name,
        vendor=node.target.vendor, generation=node.target.generation,
        features=json.dumps(node.target.features), parents=json.dumps(node.target.parents),
    )  # fmt: skip
    key = {
        "platform": node.platform, "operating_system": node.operating_system, "target_id": target.id,
    }  # fmt: skip
    architecture = _get_or_create(session, Architecture, key)
    parameters = _get_or_create(
        session, ParameterSet, {"digest": _digest(node.parameters)}, document=node.parameters
    )  # fmt: skip
    for name, value in parameter_rows(node.parameters):
        _get_or_create(session, Parameter, {"name": name, "value": value, "parameter_set_id": parameters.id})
    recipe = _get_or_create(session, PackageHash, {"value": node.package_hash})
    facts = {
        "package_version_id": version.id, "namespace": node.namespace, "compiler_id": compiler.id,
        "architecture_id": architecture.id, "parameter_set_id": parameters.id,
        "external": node.external, "format_version": format_version,
    }  # fmt: skip
    spec = _get_or_create(
        session, Spec, {"hash": node.hash, "hash_kind": node.hash_kind}, names_compiler=True,
        compiler_languages=sum(LANGUAGE_BITS.values()), package_hash_id=recipe.id,
        recorded_at=models.utc_now(), **facts,
    )  # fmt: skip
    for kind, value in node.hashes:
        _get_or_create(session, SpecHash, {"value": value, "kind": kind, "spec_id": spec.id})
    edges = [["hash", edge.child, int(edge.deptypes), edge.virtuals] for edge in node.edges]
    key = {"spec_id": spec.id, "digest": _digest(node.document)}
    _get_or_create(
        session, SpecDocument, key, document=node.document, hashes=json.dumps(node.hashes),
        edges=json.dumps(edges), states_all_edges=True, package_hash=node.package_hash, **facts,
    )  # fmt: skip
    return spec


def _get_or_create(session: Session, cls: type[_Row], key: dict[str, Any], **others: Any) -> Any:
    found = session.scalars(select(cls).filter_by(**key)).first()
    if found is None:
        found = cls(**key, **others)
        session.add(found)
        session.flush()
    return found


def _digest(document: str) -> bytes:
    return hashlib.sha1(document.encode(), usedforsecurity=False).digest()
