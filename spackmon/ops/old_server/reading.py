"""The old server's rows put together: specs with all that is below them, builds with all that is of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spackmon.formats.old_server.rows import (
    AttributeRow,
    BuildRow,
    DependencyRow,
    EventRow,
    FileRow,
    PhaseRow,
    SpecRow,
    TargetRow,
)
from spackmon.ops.old_server.tables import OldTables
from spackmon.status import EventKind

_SPEC = (
    "id, name, spack_version, version, full_hash, build_hash, hash, package_hash, namespace, parameters text,"
    "arch_id, compiler_id, add_date"
)
_BUILD = "id, spec_id, status, config_args, build_environment_id, owner_id, add_date"
_MACHINE = "id, hostname, platform, host_os, host_target, kernel_version"
_FILE = "id, name, ftype, mode, owner, group, hash"
_ATTRIBUTE = "id, analyzer, name, value, binary_value, json_value text, add_date"
_EVENT = "id, text, line_no, source_file, source_line_no, pre_context, post_context"
_EVENT_TABLES = {"main_builderror": EventKind.ERROR, "main_buildwarning": EventKind.WARNING}
# Few are in memory at once: a log may be of hundreds of megabytes.
_BUILDS_AT_ONCE = 10


class Rows:
    """Reads what hangs together; dimensions are read once."""

    def __init__(self, tables: OldTables) -> None:
        self._tables = tables
        self._targets: dict[int, TargetRow] = {}

    def spec_batches(self) -> Iterator[list[int]]:
        """The ids of all specs, some at a time."""
        for rows in self._tables.batches("main_spec", "id"):
            yield [row.id for row in rows]

    def graphs(self, ids: Iterable[int]) -> Mapping[int, SpecRow]:
        """The specs with these ids that there are, and all that are below them."""
        found: dict[int, SpecRow] = {}
        wanted = set(ids)
        while wanted:
            read = self._read_specs(wanted)
            found |= read
            below = {link.spec_id for row in read.values() for link in row.dependencies}
            wanted = below - found.keys() if read else set()
        return found

    def builds(self) -> Iterator[tuple[BuildRow, SpecRow | None]]:
        """All builds, each with what is of it, and its spec if that is there."""
        for rows in self._tables.batches("main_build", _BUILD):
            for start in range(0, len(rows), _BUILDS_AT_ONCE):
                yield from self._builds(rows[start : start + _BUILDS_AT_ONCE])

    def _read_specs(self, ids: set[int]) -> dict[int, SpecRow]:
        tables = self._tables
        rows = [row for of in tables.of("main_spec", _SPEC, "id", ids).values() for row in of]
        links = tables.of("main_spec_dependencies", "id, dependency_id", "spec_id", ids)
        linked = {link.dependency_id for of in links.values() for link in of}
        edges = tables.of("main_dependency", "id, spec_id, dependency_type text", "id", linked)
        arches = tables.of(
            "main_architecture", "id, platform, platform_os, target_id", "id", _known(rows, "arch_id")
        )
        targets = self._read_targets({arch.target_id for of in arches.values() for arch in of})
        compilers = tables.of("main_compiler", "id, name, version", "id", _known(rows, "compiler_id"))
        specs = {}
        for row in rows:
            arch = next(iter(arches.get(row.arch_id, ())), None)
            compiler = next(iter(compilers.get(row.compiler_id, ())), None)
            specs[row.id] = SpecRow(
                row.id, row.name, row.spack_version, row.version, row.full_hash, row.build_hash, row.hash,
                row.package_hash, row.namespace, row.parameters,
                arch and arch.platform, arch and arch.platform_os, arch and targets.get(arch.target_id),
                compiler and (compiler.name, compiler.version), row.add_date,
                tuple(
                    DependencyRow(edge.spec_id, edge.dependency_type)
                    for link in links.get(row.id, ())
                    for edge in edges.get(link.dependency_id, ())
                ),
            )  # fmt: skip
        return specs

    def _read_targets(self, ids: set[int]) -> Mapping[int, TargetRow]:
        missing = {one for one in ids if one is not None} - self._targets.keys()
        tables = self._tables
        rows = tables.of("main_target", "id, name, vendor, generation", "id", missing)
        features = tables.of("main_target_features", "id, feature_id", "target_id", missing)
        parents = tables.of("main_target_parents", "id, to_target_id", "from_target_id", missing)
        feature_names = tables.of("main_feature", "id, name", "id", _all(features, "feature_id"))
        parent_names = tables.of("main_target", "id, name", "id", _all(parents, "to_target_id"))
        for target_id, (row,) in rows.items():
            self._targets[target_id] = TargetRow(
                row.name, row.vendor, row.generation,
                _names(feature_names, features.get(target_id, ()), "feature_id"),
                _names(parent_names, parents.get(target_id, ()), "to_target_id"),
            )  # fmt: skip
        return self._targets

    def _builds(self, rows: Sequence[Any]) -> Iterator[tuple[BuildRow, SpecRow | None]]:
        tables, ids = self._tables, [row.id for row in rows]
        specs = self._read_specs(_known(rows, "spec_id"))
        machines = tables.of("main_buildenvironment", _MACHINE, "id", _known(rows, "build_environment_id"))
        tags, variables = self._tags(ids), self._variables(ids)
        files = tables.of("main_installfile", _FILE, "build_id", ids)
        phases = tables.of("main_buildphase", "id", "build_id", ids)
        for row in rows:
            machine = next(iter(machines.get(row.build_environment_id, ())), None)
            build = BuildRow(
                row.id, row.spec_id, row.status, row.config_args,
                machine and machine.hostname, machine and machine.platform, machine and machine.host_os,
                machine and machine.host_target, machine and machine.kernel_version,
                row.owner_id, row.add_date,
                tags.get(row.id, ()), variables.get(row.id, ()),
                self._phases([phase.id for phase in phases.get(row.id, ())]),
                [FileRow._make(file[1:]) for file in files.get(row.id, ())],
                self._attributes([file.id for file in files.get(row.id, ())]),
                self._events([phase.id for phase in phases.get(row.id, ())]),
            )  # fmt: skip
            yield build, specs.get(row.spec_id)

    def _phases(self, ids: list[int]) -> list[PhaseRow]:
        columns = "id, name, status, output bytes, error, add_date"
        # One after another: what a database sends is in memory beside what is made of it.
        return [
            PhaseRow(r.id, r.name, r.status, r.output, r.error, r.add_date)
            for one in ids
            for r in self._tables.of("main_buildphase", columns, "id", [one]).get(one, ())
        ]

    def _attributes(self, file_ids: list[int]) -> list[AttributeRow]:
        rows = self._tables.of("main_attribute", _ATTRIBUTE, "install_file_id", file_ids)
        found = sorted((row for of in rows.values() for row in of), key=lambda row: row.id)
        return [
            AttributeRow(
                row.of_id, row.analyzer, row.name, row.value,
                None if row.binary_value is None else bytes(row.binary_value), row.json_value, row.add_date,
            )
            for row in found
        ]  # fmt: skip

    def _events(self, phase_ids: list[int]) -> list[EventRow]:
        return [
            EventRow(
                kind, row.of_id, row.text, row.line_no, row.source_file, row.source_line_no, row.pre_context,
                row.post_context,
            )
            for table, kind in _EVENT_TABLES.items()
            for of in self._tables.of(table, _EVENT, "phase_id", phase_ids).values()
            for row in of
        ]  # fmt: skip

    def _tags(self, build_ids: list[int]) -> Mapping[int, list[str]]:
        """Of builds alone: an object's number says nothing without its type."""
        items = self._tables.of("taggit_taggeditem", "id, tag_id, content_type_id", "object_id", build_ids)
        types = self._tables.of(
            "django_content_type", "id, app_label, model", "id", _all(items, "content_type_id")
        )
        of_builds = {i for i, (one,) in types.items() if (one.app_label, one.model) == ("main", "build")}
        names = self._tables.of("taggit_tag", "id, name", "id", _all(items, "tag_id"))
        return {
            build_id: [
                name.name
                for item in of
                if item.content_type_id in of_builds
                for name in names.get(item.tag_id, ())
            ]
            for build_id, of in items.items()
        }

    def _variables(self, build_ids: list[int]) -> Mapping[int, list[tuple[str, str]]]:
        items = self._tables.of("main_build_envars", "id, environmentvariable_id", "build_id", build_ids)
        wanted = _all(items, "environmentvariable_id")
        named = self._tables.of("main_environmentvariable", "id, name, value", "id", wanted)
        return {
            build_id: [
                (one.name, one.value) for item in of for one in named.get(item.environmentvariable_id, ())
            ]
            for build_id, of in items.items()
        }


def _known(rows: Iterable[Any], column: str) -> set[int]:
    return {getattr(row, column) for row in rows} - {None}


def _all(rows: Mapping[int, Iterable[Any]], column: str) -> set[int]:
    return _known((row for of in rows.values() for row in of), column)


def _names(names: Mapping[int, Iterable[Any]], links: Iterable[Any], column: str) -> tuple[str, ...]:
    return tuple(one.name for link in links for one in names.get(getattr(link, column), ()))
