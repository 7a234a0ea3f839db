"""What stands directly in a directory of a build's installed files: a tree of 100,000 is read level by level.

Files of a manifest are sorted by path, so that a directory is a range of the index.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from spackmon.errors import Code, Refused
from spackmon.models import InstallFile
from spackmon.query.meanings.computing import Facts
from spackmon.query.meanings.meaning import At, scalar
from spackmon.query.sql.json_text import Json, braced, constant
from spackmon.query.sql.scope import Attribute
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

MOST_ENTRIES = 500
COST = 2_000
"""Reads every file below the directory."""

_ZERO, _ONE = literal_column("0", Integer()), literal_column("1", Integer())


def facts_of_folder(manifest_id: Attribute, prefix: Attribute) -> Facts:
    """Facts of `folder` for rows that have a manifest and, if it is known, where that was installed."""

    def facts(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
        asked = statement.bind(arguments["under"], Text(), _without_slash)
        installed = func.rtrim(func.coalesce(at.row[prefix], constant("")), constant("/"))
        path = case((asked == constant(""), installed), else_=asked)
        file = InstallFile.__table__.alias(statement.new_name())
        inside = [file.c.manifest_id == at.row[manifest_id]]
        # The sign after "/" in the order of bytes.
        inside += [file.c.path > path + constant("/"), file.c.path < path + constant("0")]
        position = func.instr if statement.dialect_name == "sqlite" else func.strpos
        rest = func.substr(file.c.path, func.length(path) + literal_column("2", Integer()), type_=Text())
        slash = position(rest, constant("/"), type_=Integer())
        is_deeper = slash > _ZERO
        name = case((is_deeper, func.substr(rest, _ONE, slash - _ONE, type_=Text())), else_=rest)
        is_directory = and_(file.c.type.is_not(None), file.c.type == constant("dir"))
        listed = statement.rows(
            select(
                name.label("name"),
                case((or_(is_deeper, is_directory), _ONE), else_=_ZERO).label("is_folder"),
                case((is_directory, _ZERO), else_=_ONE).label("is_file"),
                func.coalesce(file.c.size_bytes, _ZERO).label("size_bytes"),
                case((is_deeper, None), else_=file.c.type).label("type"),
                case((is_deeper, None), else_=file.c.destination).label("destination"),
            ).where(*inside)
        )
        # Read once, for the entries and for the totals.
        entries = _grouped(listed).correlate_except(None).cte(statement.new_name(), nesting=True)
        body = braced(
            [
                ("path", statement.json.value(path, nullable=False)),
                ("entries", _entries(entries, arguments, statement)),
                ("totals", _totals(entries, statement)),
            ]
        )
        return scalar(select(body).add_cte(entries, nest_here=True))

    return facts


def _grouped(listed: FromClause) -> Select[Any]:
    column = listed.c
    return select(
        column["name"],
        func.max(column["is_folder"]).label("is_folder"),
        _sum(column["is_file"]).label("file_count"),
        _sum(column["size_bytes"]).label("size_bytes"),
        func.max(column["type"]).label("type"),
        func.max(column["destination"]).label("destination"),
    ).group_by(column["name"])


def _entries(entries: FromClause, arguments: Mapping[str, Given], statement: "Statement") -> Json:
    chosen = select(*entries.c)
    if "after" in arguments:
        chosen = chosen.where(entries.c["name"] > statement.bind(arguments["after"], Text()))
    limit = statement.bind(arguments["first"], Integer(), _one_more)
    rows = statement.rows(chosen.order_by(entries.c["name"]).limit(limit))
    body = _object(
        rows, ("name", "type", "destination"), ("is_folder", "file_count", "size_bytes"), statement
    )
    return statement.listed(select(body.label("body")).select_from(rows).order_by(rows.c["name"]))


def _totals(entries: FromClause, statement: "Statement") -> Json:
    sums = (_sum(entries.c[name]).label(name) for name in ("file_count", "size_bytes"))
    rows = statement.rows(select(func.count().label("entry_count"), *sums).select_from(entries))
    body = _object(rows, (), ("entry_count", "file_count", "size_bytes"), statement)
    return statement.listed(select(body.label("body")).select_from(rows))


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(func.coalesce(func.sum(column), _ZERO), BigInteger)


def _object(
    rows: FromClause, texts: tuple[str, ...], numbers: tuple[str, ...], statement: "Statement"
) -> Json:
    return braced(
        [
            *((name, statement.json.value(rows.c[name], nullable=name != "name")) for name in texts),
            *((name, cast(rows.c[name], Text)) for name in numbers),
        ]
    )


def _without_slash(path: str) -> str:
    return path.rstrip("/")


def _one_more(first: int) -> int:
    if not 1 <= first <= MOST_ENTRIES:
        raise Refused(Code.PAGE_TOO_LARGE, f"`first` must be 1 to {MOST_ENTRIES}, it is {first}")
    return first + 1


def folder(facts: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The schema's InstallFolder, of `facts_of_folder`."""
    entries, (totals,) = facts["entries"], facts["totals"]
    shown = entries[: arguments["first"]]
    return {
        "path": facts["path"] or "/",
        "entryCount": totals["entry_count"],
        "fileCount": totals["file_count"],
        "sizeBytes": totals["size_bytes"],
        "endName": shown[-1]["name"] if len(entries) > len(shown) else None,
        "entries": [
            {
                "name": one["name"],
                "path": f"{facts['path']}/{one['name']}",
                "isFolder": bool(one["is_folder"]),
                "type": one["type"],
                "destination": one["destination"],
                "fileCount": one["file_count"],
                "sizeBytes": one["size_bytes"],
            }
            for one in shown
        ],
    }
