"""Operations answered by graphql-core, a resolver call for every field."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
)

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.history import results
from tests.reference import (
    comparison,
    counted,
    durations,
    expected,
    fields,
    flaky,
    graphs,
    related,
    searches,
    splices,
    suspects,
)
from tests.reference.connections import OWN_ORDERS, Order, Page, Sorting, read_order
from tests.reference.filters import named, passes
from tests.reference.language import containing, satisfying
from tests.reference.logs import log_of
from tests.reference.rows import Rows
from tests.reference.walks import graph, is_of

_TYPE_OF_MODEL = {model: name for name, model in related.MODELS.items()}


class Reference:
    """Answers operations over the rows of a site."""

    def __init__(self, printed_schema: str, rows: Rows) -> None:
        self.schema: GraphQLSchema = build_schema(printed_schema)
        self.rows = rows
        moment = self.schema.type_map["DateTime"]
        assert isinstance(moment, GraphQLScalarType)
        moment.coerce_input_value = lambda text: fields.moment(datetime.fromisoformat(text))  # type: ignore[method-assign]
        moment.coerce_input_literal = lambda node: fields.moment(datetime.fromisoformat(node.value))  # type: ignore[union-attr]

    def answer(
        self, query: str, variables: Mapping[str, Any], operation_name: str | None = None
    ) -> tuple[dict[str, Any] | None, set[str]]:
        """The data of the answer, or the codes of its errors."""
        result = execute_sync(
            self.schema,
            parse(query),
            variable_values=dict(variables),
            operation_name=operation_name,
            field_resolver=self._resolve,
            type_resolver=lambda row, *_: _TYPE_OF_MODEL[type(row)],
        )
        return (None, {_code(error) for error in result.errors}) if result.errors else (result.data, set())

    def knows(self, type_name: str, field: str) -> bool:
        """Whether this reference can answer a field."""
        type_ = self.schema.type_map[type_name]
        if isinstance(type_, GraphQLInterfaceType):
            return True
        if type_name.endswith(("Connection", "Edge", "PageInfo")):
            return field in _OF_PAGE or field in ("cursor", "groupBy", "node")
        computed = graphs.TYPES | counted.TYPES | flaky.TYPES | searches.TYPES | splices.TYPES
        if (
            type_name
            in computed
            | fields.BILL_TYPES
            | fields.FOLDER_TYPES
            | durations.TYPES
            | expected.TYPES
            | suspects.TYPES
        ):
            return True
        key = type_name, field
        is_root_connection = type_ is self.schema.query_type and self._is_connection(key)
        return (
            is_root_connection
            or key
            in (
                ("Query", "compareRuns"),
                ("Query", "durationChanges"),
                ("Query", "flaky"),
                ("Query", "logs"),
                ("Query", "matrix"),
            )
            or key in _SPECIAL
            or key in related.TO_ONE
            or key in _TO_MANY
            or fields.is_value(*key)
        )

    def _is_connection(self, key: tuple[str, str]) -> bool:
        return named(self._definition(key).type).endswith("Connection")

    def _resolve(self, source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        key = info.parent_type.name, info.field_name
        if isinstance(source, Page) and key[1] == "groupBy":
            return counted.groups(self.rows, self.schema, source.sorting.type_name, source.found, arguments)
        if isinstance(source, Page):
            return _OF_PAGE[key[1]](source)
        if key in _OF_CELL:
            return self._page(key, source, arguments)
        if key in _OF_DICTIONARY:
            return _OF_DICTIONARY[key](source, arguments)
        if isinstance(source, dict):
            return source.get(key[1])
        if isinstance(source, _Place):
            return source.page.sorting.cursor(source.row) if key[1] == "cursor" else source.row
        return self._field(key, source, arguments)

    def _field(self, key: tuple[str, str], source: Any, arguments: Mapping[str, Any]) -> Any:
        if key in _SPECIAL:
            return _SPECIAL[key](self.rows, source, arguments)
        if key == ("Query", "compareRuns"):
            return comparison.of_sets(self.rows, self.schema, arguments)
        if key == ("Query", "durationChanges"):
            return durations.changes(self.rows, self.schema, arguments)
        if key == ("Query", "flaky"):
            return flaky.flaky(self.rows, self.schema, arguments)
        if key == ("Query", "logs"):
            return searches.logs(self.rows, self._found(key, None, "BuildPhase", arguments), arguments)
        if key == ("Query", "matrix"):
            return counted.matrix(self.rows, self._found(key, None, "Build", arguments), arguments)
        if self._is_connection(key):
            return self._page(key, source, arguments)
        if key in related.TO_ONE:
            return related.TO_ONE[key](self.rows, source)
        if key in _TO_MANY:
            found = self._found(key, source, named(self._definition(key).type), arguments)
            return sorted(found, key=lambda row: related.LIST_ORDER[key](self.rows, row))
        return fields.value(self.rows, *key, source)

    def _page(self, key: tuple[str, str], source: Any, arguments: Mapping[str, Any]) -> Page:
        field = self._definition(key)
        type_name = named(self.schema.type_map[named(field.type)].fields["nodes"].type)  # type: ignore[attr-defined]
        found = self._found(key, source, type_name, arguments)
        sorting = Sorting(self.rows, type_name, self._order(key, arguments))
        return Page(sorting, found, arguments)

    def _order(self, key: tuple[str, str], arguments: Mapping[str, Any]) -> Order:
        given = arguments.get("orderBy")
        return OWN_ORDERS.get(key, []) if given is None else read_order(given)

    def _definition(self, key: tuple[str, str]) -> GraphQLField:
        type_ = self.schema.type_map[key[0]]
        assert isinstance(type_, GraphQLObjectType)
        return type_.fields[key[1]]

    def _found(
        self, key: tuple[str, str], source: Any, type_name: str, arguments: Mapping[str, Any]
    ) -> list[Any]:
        """The rows that arguments leave, in no order."""
        if key in comparison.SINCE:
            found = comparison.since(self.rows, self.schema, key, arguments)
        elif source is None:
            found = list(self.rows.all(related.MODELS[type_name]))
        else:
            found = list(_TO_MANY[key](self.rows, source))
        where, text = arguments.get("where"), arguments.get("satisfying")
        if where is not None:
            input_name = named(self._definition(key).args["where"].type)
            found = [row for row in found if passes(self.rows, self.schema, input_name, where, row)]
        if text is not None:
            ids = satisfying(self.rows, text, arguments.get("as"))
            found = [row for row in found if (row.id if type_name == "Spec" else row.spec_id) in ids]
        return found


class _Place:
    """An edge: a row on its page."""

    def __init__(self, page: Page, row: Any) -> None:
        self.page, self.row = page, row


def _cursor(page: Page, at: int) -> str | None:
    return page.sorting.cursor(page.shown[at]) if page.shown else None


_OF_DICTIONARY: dict[tuple[str, str], Callable[[Any, Mapping[str, Any]], Any]] = {
    ("FlakySpec", "failureRateInterval"): flaky.interval,
    ("FlakySpecs", "nodes"): flaky.page,
}
_OF_PAGE: dict[str, Callable[[Page], Any]] = {
    "nodes": lambda page: page.shown,
    "edges": lambda page: [_Place(page, row) for row in page.shown],
    "pageInfo": lambda page: page,
    "totalCount": lambda page: page.total,
    "hasNextPage": lambda page: page.has_next,
    "hasPreviousPage": lambda page: page.has_previous,
    "startCursor": lambda page: _cursor(page, 0),
    "endCursor": lambda page: _cursor(page, -1),
}


def _code(error: GraphQLError) -> str:
    original = error.original_error
    if isinstance(original, Refused):
        return original.code
    if original is not None:
        raise original
    return "VARIABLES_INVALID"


def _by_id(type_name: str) -> Callable[[Rows, Any, Mapping[str, Any]], Any]:
    def find(rows: Rows, _: Any, arguments: Mapping[str, Any]) -> Any:
        digits = arguments["id"].removeprefix(f"{type_name}:")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            raise Refused(Code.ID_INVALID, "not an id")
        row_id = int(digits)
        merged = rows.get(models.MergedBuild, row_id) if type_name == "Build" else None
        return rows.get(related.MODELS[type_name], row_id if merged is None else merged.build_id)

    return find


def _analysis_diff(rows: Rows, _: Any, arguments: Mapping[str, Any]) -> Any:
    a, b = (_by_id("AnalysisResult")(rows, None, {"id": arguments[side]}) for side in ("a", "b"))
    if a is None or b is None or arguments["first"] > 1000:
        raise Refused(Code.ARGUMENT_INVALID, "no such result")
    texts = [(one.value or one.json_value or "").encode() or one.binary_value or b"" for one in (a, b)]
    if texts[0] == texts[1]:
        return {"areSame": True, "comparedBy": "DIGEST", "changeCount": 0, "changes": []}
    if a.kind == b.kind == "JSON":
        found = results.compare_documents(json.loads(texts[0]), json.loads(texts[1]), arguments["first"])
    else:
        indented = [
            json.dumps(json.loads(text), indent=1).encode() if one.kind == "JSON" else text
            for one, text in zip((a, b), texts, strict=True)
        ]
        found = results.compare_bytes(*indented, arguments["first"])
    return {
        "areSame": False,
        "comparedBy": found.by.name,
        "changeCount": None if found.by is results.By.DIGEST else found.count,
        "changes": [
            {
                "pointer": one.pointer, "lineBefore": one.line_before, "lineAfter": one.line_after,
                "before": one.before, "after": one.after,
            }
            for one in found.changes
        ],
    }  # fmt: skip


def _node(rows: Rows, source: Any, arguments: Mapping[str, Any]) -> Any:
    type_name = arguments["id"].rpartition(":")[0] or "Build"
    if not hasattr(related.MODELS.get(type_name), "id"):
        raise Refused(Code.ID_INVALID, "not an id")
    return _by_id(type_name)(rows, source, arguments)


def _neighbour(rows: Rows, build: Any, *, forward: bool = False, status: str | None = None) -> Any:
    """The build of the package, owner and machine's name that ran last before or first after another."""

    def kind(one: Any) -> Any:
        return one.package_id, one.owner_id, rows.get(models.BuildEnvironment, one.environment_id).hostname

    def when(one: Any) -> Any:
        return one.started_at, one.id

    if build.started_at is None or build.package_id is None:
        return None
    others = [
        one
        for one in rows.all(models.Build)
        if kind(one) == kind(build) and one.started_at is not None and status in (None, one.status)
    ]
    if forward:
        return min((one for one in others if when(one) > when(build)), key=when, default=None)
    return max((one for one in others if when(one) < when(build)), key=when, default=None)


def _spec(rows: Rows, source: Any, arguments: Mapping[str, Any]) -> Any:
    sought, spec_id = arguments.get("hash"), arguments.get("id")
    if (sought is None) == (spec_id is None):
        raise Refused(Code.ARGUMENT_INVALID, "one of both")
    if sought is None:
        return _by_id("Spec")(rows, source, {"id": spec_id})
    if sought.startswith("Build:"):
        build = _by_id("Build")(rows, None, {"id": sought})
        return None if build is None else rows.get(models.Spec, build.spec_id)
    if len(sought) < 7:
        raise Refused(Code.HASH_TOO_SHORT, "too short")
    shown = [(one, rows.get(models.Spec, one.spec_id)) for one in rows.all(models.SpecHash)]
    whole = [(one.kind == spec.hash_kind, spec.id) for one, spec in shown if one.value == sought]
    if whole:
        return rows.get(models.Spec, max(whole)[1])
    prefixed = {spec.id for one, spec in shown if one.value.startswith(sought)}
    if len(prefixed) > 1:
        raise Refused(Code.SPEC_HASH_AMBIGUOUS, "several")
    return rows.get(models.Spec, min(prefixed, default=None))


def _graph(rows: Rows, spec: Any, arguments: Mapping[str, Any]) -> Any:
    deptypes = arguments.get("deptypes")
    return deptypes, graph(rows, spec.id, arguments.get("depth"), deptypes)


def _graph_nodes(rows: Rows, source: Any, _: Mapping[str, Any]) -> Any:
    return sorted(source[1], key=lambda spec: (fields.value(rows, "Spec", "name", spec), spec.hash))


def _graph_edges(rows: Rows, source: Any, _: Mapping[str, Any]) -> Any:
    deptypes, specs = source
    hashes = {spec.id: spec.hash for spec in specs}
    edges = [edge for spec in specs for edge in rows.by(models.Dependency, "parent_id", spec.id)]
    inside = [edge for edge in edges if edge.child_id in hashes and is_of(edge, deptypes)]
    return sorted(inside, key=lambda edge: (hashes[edge.parent_id], hashes[edge.child_id], edge.virtuals))


def _satisfies(rows: Rows, source: Any, arguments: Mapping[str, Any]) -> bool:
    found = _spec(rows, source, {"hash": arguments["hash"]})
    ids = satisfying(rows, arguments["spec"], arguments.get("as"))
    if found is None:
        raise Refused(Code.SPEC_UNKNOWN, "no such spec")
    return found.id in ids


def _change_cursor(rows: Rows, _: Any, __: Mapping[str, Any]) -> str:
    numbered = [change for change in rows.all(models.ReportedChange) if change.position is not None]
    newest = max(numbered, key=lambda change: change.position, default=None)
    return "0" if newest is None else f"{newest.position}@{fields.moment(newest.changed_at)}"


def _affected_builds(rows: Rows, impact: list[int]) -> list[Any]:
    specs = {spec.id for spec in containing(rows, impact)}
    return [build for build in rows.all(models.Build) if build.spec_id in specs]


_OF_CELL: dict[tuple[str, str], Callable[[Rows, Any], Any]] = {
    ("MatrixCell", "builds"): counted.in_cell("all"),
    ("MatrixCell", "concretizationFailures"): counted.in_cell("failures"),
}
_TO_MANY: dict[tuple[str, str], Callable[[Rows, Any], Any]] = {
    **_OF_CELL,
    **related.TO_MANY,
    **comparison.LISTS,
    ("Impact", "builds"): _affected_builds,
    ("Impact", "specs"): containing,
}


def _error_group(rows: Rows, _: Any, arguments: Mapping[str, Any]) -> Any:
    found = next(iter(rows.by(models.ErrorGroup, "fingerprint", arguments["fingerprint"])), None)
    merged = found is not None and rows.get(models.ErrorGroup, found.merged_into_id)
    return merged or found


_SPECIAL: dict[tuple[str, str], Callable[[Rows, Any, Mapping[str, Any]], Any]] = {
    ("BuildPhase", "log"): log_of,
    ("Build", "changesSinceLastSuccess"): graphs.build_changes,
    ("BuildEvent", "snippet"): searches.snippet,
    ("Log", "search"): searches.lines_of,
    ("LogEvent", "snippet"): searches.snippet,
    ("Attempt", "installFolder"): fields.install_folder,
    ("Build", "installFolder"): fields.install_folder,
    ("Build", "next"): lambda rows, build, _: _neighbour(rows, build, forward=True),
    ("Build", "previous"): lambda rows, build, _: _neighbour(rows, build),
    ("Build", "previousSuccess"): lambda rows, build, _: _neighbour(rows, build, status="SUCCESS"),
    ("ErrorGroup", "suspects"): suspects.suspects_of,
    ("Query", "advisory"): lambda rows, _, arguments: next(
        iter(rows.by(models.Advisory, "identifier", arguments["identifier"])), None
    ),
    ("Query", "analysisDiff"): _analysis_diff,
    ("Query", "analysisResult"): _by_id("AnalysisResult"),
    ("Query", "build"): _by_id("Build"),
    ("Query", "changeCursor"): _change_cursor,
    ("Query", "ciRun"): _by_id("CiRun"),
    ("Query", "expectedResources"): expected.resources,
    ("BuildEvent", "whyGrouped"): lambda rows, event, _: event if event.fingerprint else None,
    ("Query", "errorGroup"): _error_group,
    ("Query", "file"): lambda rows, _, arguments: min(
        rows.by(models.InstallFile, "hash", arguments["hash"]), key=lambda file: int(file.id), default=None
    ),
    ("Query", "impact"): lambda rows, _, arguments: satisfying(rows, arguments["of"], arguments.get("as")),
    ("Query", "node"): _node,
    ("Query", "nodes"): lambda rows, _, arguments: [
        _node(rows, None, {"id": one}) for one in arguments["ids"]
    ],
    ("Query", "package"): lambda rows, _, arguments: next(
        iter(rows.by(models.Package, "name", arguments["name"])), None
    ),
    ("Query", "phase"): _by_id("BuildPhase"),
    ("Query", "satisfies"): _satisfies,
    ("RunComparison", "baseCount"): lambda rows, compared, _: compared.counted(0),
    ("RunComparison", "headCount"): lambda rows, compared, _: compared.counted(1),
    ("Query", "spec"): _spec,
    ("Spec", "format"): graphs.spec_format,
    ("Spec", "graph"): _graph,
    ("Spec", "tree"): graphs.spec_tree,
    ("Spec", "walk"): graphs.spec_walk,
    ("SpecGraph", "edgeCount"): lambda rows, source, _: len(_graph_edges(rows, source, {})),
    ("SpecGraph", "nodeCount"): lambda rows, source, _: len(source[1]),
    ("SpecGraph", "edges"): _graph_edges,
    ("SpecGraph", "nodes"): _graph_nodes,
    **graphs.roots(_spec),
    **splices.roots(_spec, _by_id("Build")),
}
