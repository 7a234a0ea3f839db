"""Relay connections (GraphQL Cursor Connections Specification)."""

from typing import Generic, TypeVar

import strawberry

Node = TypeVar("Node")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool = strawberry.field(description="Whether more rows follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether rows come before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the page's first row.")
    end_cursor: str | None = strawberry.field(description="The cursor of the page's last row.")


@strawberry.type(description="A row of a list, with its place in it.")
class Edge(Generic[Node]):
    """A row of a list, with its place in it."""

    cursor: str = strawberry.field(description="The row's place, for `after` and `before`.")
    node: Node = strawberry.field(description="The row.")


@strawberry.type(description="A page of a list, newest row first.")
class Connection(Generic[Node]):
    """A page of a list, newest row first."""

    nodes: list[Node] = strawberry.field(description="The page's rows.")
    edges: list[Edge[Node]] = strawberry.field(description="The page's rows with their cursors.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")
    total_count: int = strawberry.field(
        description="The number of rows in the whole list, exactly. It is kept for the builds and errors of "
        "a group, for all builds, and for those filtered by nothing but package, version, compiler, "
        "architecture, `status` and `installedFrom`; of other lists it counts each row, only when selected."
    )
