"""A noun is said once: a line in its table and a line in its type are a new column everywhere."""

import importlib
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert
from strawberry import Schema

from spackmon.query.serve.service import QueryService
from tests.query.conftest import AskedSite

TABLE = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Drawer(Base):
    __tablename__ = "drawer"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str]
"""
NOUN = """
import drawer_tables as tables
import strawberry

from spackmon.query.meanings.fields import column, connection, identity
from spackmon.schema.connection import Connection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun, object_type


@noun("drawers")
class Drawer(Node):
    '''Where something lies.'''

    id: strawberry.ID = identity(tables.Drawer, is_bare=True)
    label: str = column(tables.Drawer.label, filters=True, sorts=True, description="What is written on it.")
"""
ROOT = """
@object_type
class Query:
    '''The root.'''

    drawers: Connection[Drawer] = connection(tables.Drawer, description="All.")
"""
NEW_IN_TABLE = "    depth_mm: Mapped[int]\n"
NEW_IN_NOUN = (
    "    depth_mm: int = column(tables.Drawer.depth_mm, filters=True, sorts=True, description='Deep.')\n"
)


@pytest.fixture
def drawers(site: AskedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AskedSite:
    """A site of drawers, whose table and whose noun have one line more than they had."""
    (tmp_path / "drawer_tables.py").write_text(TABLE + NEW_IN_TABLE)
    (tmp_path / "drawer_nouns.py").write_text(NOUN + NEW_IN_NOUN + ROOT)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("drawer_tables", "drawer_nouns"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    tables, nouns = (importlib.import_module(name) for name in ("drawer_tables", "drawer_nouns"))
    rows = [{"label": "screws", "depth_mm": 80}, {"label": "nails", "depth_mm": 120}]

    def make(connection: Connection) -> None:
        tables.Base.metadata.create_all(connection)
        connection.execute(insert(tables.Drawer), rows)

    site.database.write(make)
    site.service = QueryService(Schema(nouns.Query), site.database, site.reader)
    return site


def test_a_column_of_two_lines_is_shown_filtered_and_sorted_by(drawers: AskedSite) -> None:
    every = drawers.ask("{ drawers(orderBy: [{depthMm: DESC}]) { nodes { label depthMm } } }")
    assert every["drawers"]["nodes"] == [
        {"label": "nails", "depthMm": 120},
        {"label": "screws", "depthMm": 80},
    ]
    where = {"depthMm": {"lt": 100}, "not": {"label": {"eq": "nails"}}}
    asked = "query($where: DrawerFilter) { drawers(where: $where) { totalCount nodes { depthMm } } }"
    assert drawers.ask(asked, where=where)["drawers"] == {"totalCount": 1, "nodes": [{"depthMm": 80}]}


def test_what_is_said_of_the_column_documents_it_everywhere(drawers: AskedSite) -> None:
    types = ["Drawer", "DrawerFilter", "DrawerOrder"]
    asked = "query($n: String!) { __type(name: $n) { fields { %s } inputFields { %s } } }"
    for name in types:
        type_ = drawers.ask(asked % (("name description",) * 2), n=name)["__type"]
        described = {one["name"]: one["description"] for one in type_["fields"] or type_["inputFields"]}
        assert described["depthMm"] == "Deep."
