"""Moments in PostgreSQL's indexes, as numbers of steps: four bytes instead of eight, and no padding.

What has the same number is there once. Who looks for a moment says its step first, then the moment itself.
SQLite's indexes have moments as they are: there all numbers are short, and a row's own stands behind them.
"""

from typing import Any

from sqlalchemy import ColumnElement, Integer, column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

SECONDS_OF_CLAIMS, SECONDS_OF_BUILDS = 1024, 128
"""Of a step. Of builds of one step the newest is looked for in the table; no shorter has a number of four
bytes for every moment."""


def in_steps(moment: str, seconds: int) -> str:
    """SQL of PostgreSQL for the number of the step that a moment is in."""
    return f"CAST(date_part('epoch', {moment} AT TIME ZONE 'UTC') / {seconds} AS integer)"


class window_ends(FunctionElement[int]):  # noqa: N801 -- a function of SQL
    """When the window of a claim ends, for an index."""

    type = Integer()
    inherit_cache = True

    def __init__(self) -> None:
        super().__init__(column("window_ends_at"))


class began(FunctionElement[int]):  # noqa: N801 -- a function of SQL
    """When a build began. What did at no known moment is before all others, two numbers of builds a step."""

    type = Integer()
    inherit_cache = True

    def __init__(self, started_at: Any, id_: Any) -> None:
        super().__init__(started_at, id_)


@compiles(window_ends)
@compiles(began)
def _as_it_is(element: FunctionElement[int], compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(_moment(element), **options)


@compiles(window_ends, "postgresql")
def _window_ends(element: window_ends, compiler: SQLCompiler, **options: Any) -> str:
    return in_steps(compiler.process(_moment(element), **options), SECONDS_OF_CLAIMS)


@compiles(began, "postgresql")
def _began(element: began, compiler: SQLCompiler, **options: Any) -> str:
    moment, number = (compiler.process(one, **options) for one in element.clauses)
    return f"COALESCE({in_steps(moment, SECONDS_OF_BUILDS)}, {number} / 2 - 2147483647 - 1)"


def _moment(element: FunctionElement[int]) -> ColumnElement[Any]:
    return next(iter(element.clauses))
