"""docs/tables.md and its drawings: the tables by the modules of spackmon/models, and who refers to whom."""

import inspect
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from spackmon.models import Base

_NODE = Path(sys.executable).with_name("node")
_LAYOUT = Path(__file__).parents[2] / "frontend" / "layout.mjs"
_HEAD = """\
# The tables

Whoever reads the database itself, or what `spackmon export` writes, finds here what is in it. It is no
interface that stays: what [GraphQL](graphql.md) answers does, and tables change with a migration. An
arrow leads from a table to one that it refers to.

This page and its drawings are written by `make reference` from the models.
"""
_LINE, _LETTER, _PADDING = 16, 7, 8
# A drawing that is an image cannot take its colours from the page.
_STYLE = (
    "text{font:12px ui-monospace,'DejaVu Sans Mono',monospace;fill:#1a2130}"
    "rect{fill:#f3f5f9;stroke:#566074}.other{stroke-dasharray:4 3}"
    "path{fill:none;stroke:#566074}.head{fill:#566074;stroke:none}.name{font-weight:bold}"
    "@media(prefers-color-scheme:dark){text{fill:#e3e8f1}rect{fill:#1a2130;stroke:#a3aec1}"
    "path{stroke:#a3aec1}.head{fill:#a3aec1}}"
)


@dataclass(frozen=True)
class _Drawing:
    """Boxes by the names of tables, each its lines of text, and who refers to whom."""

    title: str
    boxes: Mapping[str, Sequence[str]]
    own: frozenset[str]
    arrows: Sequence[tuple[str, str]]

    def asked(self) -> dict[str, Any]:
        """What frontend/layout.mjs takes."""
        nodes = [
            {"id": name, "width": _width(lines), "height": len(lines) * _LINE + _PADDING}
            for name, lines in self.boxes.items()
        ]
        return {"nodes": nodes, "edges": self.arrows}


def pages() -> dict[str, str]:
    """The page and its drawings, by their names in docs/."""
    modules = _by_module()
    drawings = {"all": _overview(modules), **{name: _of(name, tables) for name, tables in modules.items()}}
    texts = dict(zip(drawings, _drawn(drawings.values()), strict=True))
    drawn = {f"tables/{name}.svg": text for name, text in texts.items()}
    return {"tables.md": "\n".join(_page(modules)), **drawn}


def _by_module() -> dict[str, list[Table]]:
    """The tables by the modules of their classes; one without goes with what it refers to first."""
    modules: dict[str, list[Table]] = {}
    of_table = {mapper.local_table.name: mapper.class_.__module__ for mapper in Base.registry.mappers}
    for name, table in sorted(Base.metadata.tables.items()):
        module = of_table.get(name) or of_table[_references(table)[0]]
        modules.setdefault(module.rpartition(".")[2], []).append(table)
    return dict(sorted(modules.items()))


def _references(table: Table) -> list[str]:
    found = {key.referred_table.name: None for key in table.foreign_key_constraints}
    return sorted(found)


def _of(module: str, tables: Sequence[Table]) -> _Drawing:
    """The tables of a module with their columns, and by their names those of others that they refer to."""
    own = {table.name: [table.name, *(column.name for column in table.columns)] for table in tables}
    arrows = [(table.name, other) for table in tables for other in _references(table)]
    others = {other: [other] for _, other in arrows if other not in own}
    return _Drawing(
        f"The tables of {module}", {**own, **dict(sorted(others.items()))}, frozenset(own), arrows
    )


def _overview(modules: Mapping[str, Sequence[Table]]) -> _Drawing:
    """All that refer to another or are referred to, by their names."""
    tables = [table for module in modules.values() for table in module]
    arrows = [(one.name, other) for one in tables for other in _references(one) if other != one.name]
    names = sorted({name for arrow in arrows for name in arrow})
    return _Drawing("All tables", {name: [name] for name in names}, frozenset(names), arrows)


def _drawn(drawings: Iterable[_Drawing]) -> Iterator[str]:
    drawings = list(drawings)
    asked = json.dumps([drawing.asked() for drawing in drawings])
    placed = subprocess.run([_NODE, _LAYOUT], input=asked, capture_output=True, text=True, check=True).stdout
    return map(_svg, drawings, json.loads(placed))


def _svg(drawing: _Drawing, places: Mapping[str, Any]) -> str:
    width, height = places["width"], places["height"]
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f"<title>{escape(drawing.title)}</title><style>{_STYLE}</style>",
        '<marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"',
        ' orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker>',
    ]
    for points in places["edges"]:
        parts.append(f'<path marker-end="url(#head)" d="M{"L".join(f"{x} {y}" for x, y in points)}"/>')
    for name, lines in drawing.boxes.items():
        x, y = places["nodes"][name]
        left, top = x - _width(lines) // 2, y - (len(lines) * _LINE + _PADDING) // 2
        other = "" if name in drawing.own else ' class="other"'
        box = f'width="{_width(lines)}" height="{len(lines) * _LINE + _PADDING}"'
        parts.append(f'<rect x="{left}" y="{top}" {box} rx="3"{other}/>')
        for number, line in enumerate(lines, start=1):
            style = ' class="name"' if number == 1 else ""
            parts.append(
                f'<text x="{left + _PADDING}" y="{top + number * _LINE}"{style}>{escape(line)}</text>'
            )
    return "\n".join([*parts, "</svg>\n"])


def _width(lines: Sequence[str]) -> int:
    # An even number, so that half of it is whole.
    return (max(map(len, lines)) * _LETTER + 2 * _PADDING + 6) // 2 * 2


def _page(modules: Mapping[str, Sequence[Table]]) -> Iterator[str]:
    yield _HEAD
    yield "![All tables, and which refers to which](tables/all.svg)\n"
    classes = {mapper.local_table.name: mapper.class_ for mapper in Base.registry.mappers}
    for module, tables in modules.items():
        said = inspect.getdoc(import_module(f"{Base.__module__.partition('.')[0]}.models.{module}")) or ""
        yield f"## {module}\n\n{said}\n"
        yield f"![The tables of {module} and what they refer to](tables/{module}.svg)\n"
        for table in tables:
            yield f"### {table.name}\n"
            class_ = classes.get(table.name)
            if class_ is not None:
                yield f"{inspect.getdoc(class_)}\n"
            yield "| column | type | |\n|---|---|---|"
            yield "".join(
                f"| `{column.name}` | {_type(column)} | {_about(column)} |\n" for column in table.columns
            )


def _type(column: Column[Any]) -> str:
    return str(column.type.compile(dialect=postgresql.dialect())).lower()  # type: ignore[no-untyped-call]


def _about(column: Column[Any]) -> str:
    said = ["key"] if column.primary_key else []
    said += [f"of [{key.column.table.name}](#{key.column.table.name})" for key in column.foreign_keys]
    return ", ".join(said + (["may be null"] if column.nullable else []))
