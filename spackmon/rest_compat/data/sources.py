"""Where the rows of a noun come from: its GraphQL documents, and how their pages become the old ones.

The old API's rows go from the lowest id up; in GraphQL the newest come first. So a page here is one from
the end there (`last`, `before`), turned round.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from spackmon.errors import Code, Refused
from spackmon.rest_compat.data import shapes
from spackmon.rest_compat.data.shapes import Row, Shaped
from spackmon.rest_compat.data.window import Listed, Window

Ask = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

LARGEST_PAGE = 100
_SKIPPED_AT_ONCE = 500
_BUILDS_AT_ONCE = 20
# More builds than these are not gone through to say how many variables they have.
_BUILDS_COUNTED = 1000
_POSITION_DIGITS = 5

_LIST = """query Rows($first: Int, $after: String, $last: Int, $before: String) {{
  {connection}({where}first: $first, after: $after, last: $last, before: $before) {{
    totalCount
    pageInfo {{
      hasNextPage
      hasPreviousPage
      startCursor
      endCursor
    }}
    edges {{
      cursor
      node {{
        ...row
      }}
    }}
  }}
}}

"""
_SKIP = """query Skip($last: Int, $before: String) {{
  {connection}({where}last: $last, before: $before) {{ pageInfo {{ hasPreviousPage startCursor }} }}
}}
"""
_NODE = "query Row($id: ID!) { row: node(id: $id) { ...row } }\n\n"
_BUILD = "query Row($id: ID!) { row: build(id: $id) { ...row } }\n\n"
_EDGES = "query Row($id: ID!) { row: spec(id: $id) { dependencies(first: 500) { nodes { ...row } } } }\n\n"
_COUNT = """query Count($before: String) {
  builds(last: 100, before: $before, where: {environmentVariables: {some: {}}}) {
    pageInfo { hasPreviousPage startCursor }
    nodes { environmentVariables { name } }
  }
}
"""


def fragment(name: str) -> str:
    """The text of `name`.graphql, which says what of a row is asked for."""
    return (Path(__file__).parent / f"{name}.graphql").read_text(encoding="utf-8")


class Source(Protocol):
    """The rows of a noun."""

    @property
    def document(self) -> str:
        """The GraphQL document that lists them."""

    async def rows(self, ask: Ask, window: Window) -> Listed:
        """Those in a window."""

    async def row(self, ask: Ask, row_id: int) -> Shaped | None:
        """The one with this id."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The rows of a connection at the root of the schema, each with an id of its own."""

    connection: str
    fragment: str
    shape: Callable[[Row], Shaped | None]
    where: str = ""

    @property
    def document(self) -> str:
        """See Source."""
        return self._text(_LIST) + self.fragment

    async def rows(self, ask: Ask, window: Window) -> Listed:
        """See Source."""
        if window.before is not None:
            page = await self._page(ask, first=window.limit, after=window.before)
            return self._listed(page, is_last=False)
        after, is_there = window.after, True
        if after is None:
            after, is_there = await self._skip(ask, window.offset)
        page = await self._page(ask, last=window.limit if is_there else 0, before=after)
        return self._listed(page, is_last=not (is_there and page["pageInfo"]["hasPreviousPage"]))

    async def row(self, ask: Ask, row_id: int) -> Shaped | None:
        """See Source."""
        type_name = self.fragment.split("{")[0].split()[-1]
        identifier = str(row_id) if type_name == "Build" else f"{type_name}:{row_id}"
        row = (await ask(_NODE + self.fragment, {"id": identifier}))["row"]
        return None if row is None else self.shape(row)

    async def edges(self, ask: Ask, size: int, after: str | None = None) -> AsyncIterator[Any]:
        """All edges of the connection beyond a cursor, the lowest ids first, `size` a statement."""
        more = True
        while more:
            page = await self._page(ask, last=size, before=after)
            for edge in reversed(page["edges"]):
                yield edge
            more, after = page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["startCursor"]

    async def _page(self, ask: Ask, **page: Any) -> Any:
        return (await ask(self.document, page))[self.connection]

    async def _skip(self, ask: Ask, offset: int) -> tuple[str | None, bool]:
        """The cursor of the last of so many rows, and whether there are any after it."""
        cursor = None
        while offset:
            size = min(offset, _SKIPPED_AT_ONCE)
            page = await ask(self._text(_SKIP), {"last": size, "before": cursor})
            info = page[self.connection]["pageInfo"]
            if not info["hasPreviousPage"]:
                return None, False
            offset, cursor = offset - size, info["startCursor"]
        return cursor, True

    def _listed(self, page: Any, *, is_last: bool) -> Listed:
        info = page["pageInfo"]
        shaped = [self.shape(edge["node"]) for edge in reversed(page["edges"])]
        rows = [row for row in shaped if row is not None]
        return Listed(page["totalCount"], rows, is_last, info["startCursor"], info["endCursor"])

    def _text(self, template: str) -> str:
        where = f"where: {self.where}, " if self.where else ""
        return template.format(connection=self.connection, where=where)


class Edges(Connected):
    """The edges of all graphs, whose ids are made of their specs'."""

    async def row(self, ask: Ask, row_id: int) -> Shaped | None:
        """See Source."""
        parent = f"Spec:{shapes.edge_parent(row_id)}"
        answer = (await ask(_EDGES + self.fragment, {"id": parent}))["row"]
        edges = [] if answer is None else [self.shape(edge) for edge in answer["dependencies"]["nodes"]]
        return next((edge for edge in edges if edge is not None and edge["id"] == row_id), None)


@dataclass(frozen=True, slots=True)
class Derived:
    """What is made of all targets of which there are some hundred: read whole, and cut here."""

    targets: Connected
    shapes: Callable[[list[Row]], list[Shaped]]

    @property
    def document(self) -> str:
        """See Source."""
        return self.targets.document

    async def rows(self, ask: Ask, window: Window) -> Listed:
        """See Source."""
        rows = await self._all(ask)
        end = window.offset + window.limit
        return Listed(len(rows), rows[window.offset : end], is_last=end >= len(rows))

    async def row(self, ask: Ask, row_id: int) -> Shaped | None:
        """See Source."""
        return next((row for row in await self._all(ask) if row["id"] == row_id), None)

    async def _all(self, ask: Ask) -> list[Shaped]:
        rows = [edge["node"] async for edge in self.targets.edges(ask, LARGEST_PAGE)]
        return sorted(self.shapes(rows), key=lambda row: int(row["id"]))


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment variables of all builds, build by build: they have no list of their own.

    A cursor here is a build's, of which and of all before it every row was shown, with the number of rows
    that were shown of the next one.
    """

    builds: Connected

    @property
    def document(self) -> str:
        """See Source."""
        return self.builds.document

    async def rows(self, ask: Ask, window: Window) -> Listed:
        """See Source."""
        passed, skipped = _variables_after(window)
        count = await _count_variables(ask)
        rows: list[Shaped] = []
        async for edge in self.builds.edges(ask, _BUILDS_AT_ONCE, passed):
            of_build = shapes.environment_variables(edge["node"])
            fresh = of_build[skipped:]
            skipped = max(0, skipped - len(of_build))
            room = window.limit - len(rows)
            rows += fresh[:room]
            if len(fresh) > room:
                shown = len(of_build) - len(fresh) + room
                return Listed(count, rows, is_last=False, after=f"{passed or ''}.{shown}")
            passed = edge["cursor"]
        return Listed(count, rows, is_last=True)

    async def row(self, ask: Ask, row_id: int) -> Shaped | None:
        """See Source."""
        build_id = shapes.variable_build(row_id)
        answer = (await ask(_BUILD + self.builds.fragment, {"id": str(build_id)}))["row"]
        rows = [] if answer is None else shapes.environment_variables(answer)
        return next((row for row in rows if row["id"] == row_id), None)


def _variables_after(window: Window) -> tuple[str | None, int]:
    """The cursor of the last build of which all was shown, and how much of the next one was."""
    if window.before is None and window.after is None:
        return None, window.offset
    cursor, dot, shown = (window.after or "").rpartition(".")
    if not (dot and shown.isascii() and shown.isdecimal() and len(shown) <= _POSITION_DIGITS):
        raise Refused(Code.CURSOR_INVALID, "`after` takes a cursor that this server put into `next`")
    return cursor or None, int(shown)


async def _count_variables(ask: Ask) -> int | None:
    count, cursor = 0, None
    for _ in range(_BUILDS_COUNTED // LARGEST_PAGE):
        page = (await ask(_COUNT, {"before": cursor}))["builds"]
        count += sum(len(build["environmentVariables"]) for build in page["nodes"])
        if not page["pageInfo"]["hasPreviousPage"]:
            return count
        cursor = page["pageInfo"]["startCursor"]
    return None
