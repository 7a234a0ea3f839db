"""What is stored of the ELF files of specs and of their graphs, as facts of a computed field.

Each file and each set of symbols is in the facts once, however many specs have it. Of a spec with several
builds, the latest whose ELF files were read is taken; where a build is asked about, that one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import CTE, ColumnElement, Select, exists, func, literal_column, or_, select, union

from spackmon.abi.reader.packed import ANALYZER
from spackmon.models import (
    Analysis,
    AnalysisHost,
    Attribute,
    Build,
    Closure,
    Dependency,
    ElfFile,
    HostImage,
    HostLibrary,
    InstallFile,
    Package,
    PackageVersion,
    Spec,
    SymbolSet,
    SystemLibrary,
)
from spackmon.query.meanings.meaning import scalar
from spackmon.query.sql.json_text import Json, braced, constant, joined

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

MOST_FILES = 500
"""So many ELF files, and as many links, are read of a prefix."""


_Rows = Select[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose files are read: `specs` are selects of ids of specs, by what they are asked for.

    `build_id` is a build that stands for its spec. Of the specs named in `without_graph` nothing below is
    read. `values` are more facts.
    """

    specs: Mapping[str, Select[Any]]
    build_id: ColumnElement[Any] | None = None
    without_graph: frozenset[str] = frozenset()
    values: tuple[tuple[str, Json], ...] = ()


def installed(statement: "Statement", asked: Asked) -> Json:
    """A JSON object of all that is known; `specs.Installed` reads it."""
    return _Reading(statement, asked).json()


class _Reading:
    def __init__(self, statement: "Statement", asked: Asked) -> None:
        self._statement, self._asked = statement, asked
        self._groups = {name: self._named(ids) for name, ids in asked.specs.items()}
        self._specs = self._all_specs()
        self._builds = self._read_builds()
        self._files = self._first_of_each(
            select(self._builds.c.spec_id, Attribute.path, Attribute.elf_file_id, Attribute.value)
            .join(Analysis, Analysis.attempt_id == self._builds.c.attempt_id)
            .join(Attribute, Attribute.analysis_id == Analysis.id)
            .where(Analysis.analyzer == constant(ANALYZER), Attribute.path.is_not(None)),
            Attribute.path,
        )
        self._links = self._first_of_each(
            select(self._builds.c.spec_id, InstallFile.path, InstallFile.destination)
            .join(InstallFile, InstallFile.manifest_id == self._builds.c.manifest_id)
            .where(InstallFile.destination.is_not(None)),
            InstallFile.path,
        )

    def json(self) -> Json:
        hosts, images, libraries = self._of_hosts()
        used = union(
            select(self._files.c.elf_file_id),
            select(libraries.subquery(self._statement.new_name()).c.elf_file_id),
        ).subquery(self._statement.new_name())
        is_used = ElfFile.id.in_(select(used.c.elf_file_id))
        elves = select(ElfFile.id, ElfFile.symbol_set_id, ElfFile.head).where(is_used)
        sets = select(SymbolSet.id, SymbolSet.content).where(
            SymbolSet.id.in_(select(ElfFile.symbol_set_id).where(is_used))
        )
        edges = select(Dependency.parent_id, Dependency.child_id, Dependency.deptypes).where(
            Dependency.parent_id.in_(select(self._specs.c.id))
        )
        return braced(
            [
                *((name, listed(self._statement, select(ids.c.id))) for name, ids in self._groups.items()),
                ("specs", listed(self._statement, self._of_specs())),
                ("edges", listed(self._statement, edges)),
                ("builds", listed(self._statement, select(self._builds.c.spec_id, self._builds.c.prefix))),
                ("files", listed(self._statement, select(self._files))),
                ("links", listed(self._statement, select(self._links))),
                ("elves", listed(self._statement, elves)),
                ("sets", listed(self._statement, sets)),
                ("hosts", listed(self._statement, hosts)),
                ("images", listed(self._statement, images)),
                ("libraries", listed(self._statement, libraries)),
                *self._asked.values,
            ]
        )

    def _of_hosts(self) -> tuple[_Rows, _Rows, _Rows]:
        """Which image each spec's files were read on, these images, and their libraries."""
        hosts = (
            select(self._builds.c.spec_id, AnalysisHost.host_image_id)
            .join(Analysis, Analysis.attempt_id == self._builds.c.attempt_id)
            .join(AnalysisHost, AnalysisHost.analysis_id == Analysis.id)
        )
        ids = select(hosts.subquery(self._statement.new_name()).c.host_image_id)
        image = HostImage
        images = select(image.id, image.digest, image.os, image.os_version, image.architecture)
        libraries = (
            select(HostLibrary.host_image_id, HostLibrary.path, HostLibrary.name, SystemLibrary.elf_file_id)
            .join(SystemLibrary, SystemLibrary.id == HostLibrary.system_library_id)
            .where(HostLibrary.host_image_id.in_(ids))
        )
        return hosts, images.where(image.id.in_(ids)), libraries

    def _named(self, ids: Any) -> CTE:
        named: CTE = ids.cte(self._statement.new_name())
        return named

    def _all_specs(self) -> CTE:
        every = [select(ids.c.id) for ids in self._groups.values()]
        below = [
            select(Closure.descendant_id).where(Closure.ancestor_id.in_(select(ids.c.id)))
            for name, ids in self._groups.items()
            if name not in self._asked.without_graph
        ]
        found = union(*every, *below).subquery(self._statement.new_name())
        # An id of no spec is NULL.
        return self._named(select(found.c.id).where(found.c.id.is_not(None)))

    def _of_specs(self) -> Select[*tuple[Any, ...]]:
        return (
            select(Spec.id, Spec.hash, Package.name, PackageVersion.version, Spec.external)
            .join(PackageVersion, PackageVersion.id == Spec.package_version_id)
            .join(Package, Package.id == PackageVersion.package_id)
            .where(Spec.id.in_(select(self._specs.c.id)))
        )

    def _read_builds(self) -> CTE:
        """The build of each spec that counts."""
        is_read = exists().where(
            Analysis.attempt_id == Build.newest_attempt_id, Analysis.analyzer == constant(ANALYZER)
        )
        asked_for = self._asked.build_id
        latest = select(func.max(Build.id).label("id")).where(
            Build.spec_id.in_(select(self._specs.c.id)), Build.prefix.is_not(None), is_read
        )
        chosen = latest.group_by(Build.spec_id)
        if asked_for is not None:
            its_spec = select(Build.spec_id).where(Build.id == asked_for).scalar_subquery()
            chosen = latest.where(
                or_(its_spec.is_(None), Build.spec_id != its_spec, Build.id == asked_for)
            ).group_by(Build.spec_id)
        ids = chosen.subquery(self._statement.new_name())
        return self._named(
            select(
                Build.spec_id, Build.newest_attempt_id.label("attempt_id"), Build.prefix, Build.manifest_id
            ).join(ids, ids.c.id == Build.id)
        )

    def _first_of_each(self, rows: Select[Any], path: Any) -> CTE:
        """At most MOST_FILES and one more of each spec, so that more are seen to be there."""
        number = func.row_number().over(partition_by=self._builds.c.spec_id, order_by=path).label("number")
        numbered = rows.add_columns(number).subquery(self._statement.new_name())
        columns = [column for column in numbered.c if column.name != "number"]
        return self._named(select(*columns).where(numbered.c.number <= literal_column(str(MOST_FILES + 1))))


def listed(statement: "Statement", rows: Select[*tuple[Any, ...]]) -> Json:
    """Rows as JSON lists; those of one column as its values."""
    found = rows.subquery(statement.new_name())
    pieces: list[str | Json] = []
    for column in found.c:
        pieces += [",", statement.json.value(column, nullable=True)]
    body = pieces[1] if len(pieces) == 2 else joined(["[", *pieces[1:], "]"])
    made = select(body.label("body")).subquery(statement.new_name())  # type: ignore[union-attr]
    return scalar(select(statement.json.array(made.c["body"])).select_from(made))
