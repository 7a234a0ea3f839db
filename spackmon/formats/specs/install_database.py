"""`.spack-db/index.json` of an install tree (database versions 5 to 8), and the index of a buildcache.

A row holds one node, without what it depends on, under its DAG hash. Version 5 (Spack 0.16) writes it as
{name: {…}} without a hash, 6 is of 0.17 and 0.18, 7 of 0.19 to 0.23, 8 since 1.0 has compilers as
dependencies. The rows of a buildcache's index have `in_buildcache` and no path: a binary that lies
there is no install here. Source: `spack.database` in these Spacks.
"""

import re
from collections.abc import Iterator
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.damage import Damage, newer
from spackmon.formats.bytes.fields import FieldUnfit, object_of, required, storable_text
from spackmon.formats.bytes.report_values import moment
from spackmon.formats.specs.spec_pool import KeyedNode, read_pool, reports
from spackmon.graph.spec import SpecGraph
from spackmon.status import BuildStatus, InstalledFrom, SourceKind
from spackmon.submission import InstallReport, Source, SpecReport

# Paths may be padded to hundreds of bytes in front; the hash and the time tell installs apart.
_KEY_PATH_CHARACTERS = 100

_SPEC_FORMATS = {"5": 1, "6": 3, "7": 4, "8": 5}


def is_install_database(document: object) -> bool:
    """Whether a parsed document is an install database or a buildcache's index."""
    return isinstance(document, dict) and isinstance(document.get("database"), dict)


def read_install_database(
    document: dict[str, Any], spack_version: str | None
) -> Iterator[SpecReport | InstallReport]:
    """A successful install for each installed row, externals too; the specs that are in none of these.

    Raises Refused DOCUMENT_DAMAGED, and DOCUMENT_INCOMPLETE after all others for rows that cannot be read.
    """
    damage = Damage()
    try:
        database = object_of(document["database"], "database")
        rows = object_of(required(database, "installs", "database."), "database.installs")
        pool = read_pool(_kept(rows, _format_version(database, damage)), damage)
    except FieldUnfit as unfit:
        problem = "; ".join([unfit.sentence, *damage.newer])
        raise Refused(Code.DOCUMENT_DAMAGED, f"the database cannot be read: {problem}") from None
    keys = {identity: key for key, identity in pool.by_key.items()}
    in_graphs: set[str] = set()
    for identity in pool.parents_first():
        row = rows[keys[identity]]
        if not _is_installed(row):
            continue
        graph = pool.graph(identity)
        try:
            yield _install(graph, keys[identity], row, spack_version)
        except FieldUnfit as unfit:
            damage.add(f"{keys[identity]}: {unfit.sentence}")
        else:
            in_graphs.update(graph.nodes)
    yield from reports(pool, (), spack_version, in_graphs)
    damage.settle()


def _format_version(database: dict[str, Any], damage: Damage) -> int:
    version = database.get("version")
    latest = max(_SPEC_FORMATS, key=int)
    if isinstance(version, str) and re.fullmatch("[0-9]{1,3}", version) and int(version) > int(latest):
        damage.newer.append(newer("database.version", version, int(latest)))
        return _SPEC_FORMATS[latest]
    if not isinstance(version, str) or version not in _SPEC_FORMATS:
        raise FieldUnfit(f"database.version must be {', '.join(map(repr, _SPEC_FORMATS))}")
    return _SPEC_FORMATS[version]


def _kept(rows: dict[str, Any], format_version: int) -> Iterator[KeyedNode]:
    for key, row in rows.items():
        spec = row.get("spec") if isinstance(row, dict) else None
        # 0.17 writes the same version as 0.18, but its DAG hash covers no recipe: the spec names none.
        is_of_0_17 = format_version == 3 and isinstance(spec, dict) and "package_hash" not in spec
        yield KeyedNode(key, spec, 2 if is_of_0_17 else format_version)


def _is_installed(row: dict[str, Any]) -> bool:
    return row.get("installed") is True and "in_buildcache" not in row


def _install(graph: SpecGraph, key: str, row: dict[str, Any], spack_version: str | None) -> InstallReport:
    is_external = graph.nodes[graph.root].external is not None
    # An external that a module provides has no path.
    prefix = None if is_external and row.get("path") is None else storable_text(required(row, "path"), "path")
    seconds = row.get("installation_time")
    installed_at = seconds if isinstance(seconds, int | float) else None
    place = (prefix or "")[-_KEY_PATH_CHARACTERS:]
    return InstallReport(
        source=Source(SourceKind.INSTALL_DATABASE, f"{place}#{key}@{installed_at}"),
        graph=graph,
        spack_version=spack_version,
        status=BuildStatus.SUCCESS,
        finished_at=moment(seconds, "installation_time"),
        prefix=prefix,
        installed_from=InstalledFrom.EXTERNAL if is_external else None,
    )
