"""A table of PostgreSQL that a migration writes anew beside the old one, and puts in its place.

Columns in another order, or rows with less in them, would else be changed in place: each row twice in the
table and in all its indexes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Connection, text

_NEXT = "_next"


@dataclass(frozen=True, slots=True)
class Replacing:
    """The table as it will be: `columns` as CREATE TABLE takes them, but for `id`, which is its first.

    `indexes` are what stands behind ON and the table's name, by their names; those that begin with `pk_` or
    `uq_` are constraints. `references` are the tables that its columns refer to. `id_type` is that of `id`,
    None where the table has none. `values` are what is copied into columns that are otherwise than they were.
    """

    table: str
    columns: str
    indexes: Mapping[str, str]
    references: Mapping[str, str]
    id_type: Literal["bigint", "integer"] | None = "bigint"
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def next(self) -> str:
        """The name of the new table as long as it is beside the old one."""
        return self.table + _NEXT

    def create(self, connection: Connection) -> None:
        """Make the new table, with numbers from the old one's sequence."""
        number = f"id {self.id_type} NOT NULL DEFAULT nextval('{self.table}_id_seq'), "
        columns = f"{number if self.id_type else ''}{self.columns}"
        connection.execute(text(f"CREATE TABLE {self.next} ({columns})"))

    def index(self, connection: Connection, name: str) -> None:
        """Make an index of the new table."""
        unique = "UNIQUE " if name.startswith(("pk_", "uq_")) else ""
        connection.execute(text(f"CREATE {unique}INDEX {name}{_NEXT} ON {self.next} {self.indexes[name]}"))

    def put(self, connection: Connection) -> None:
        """Put the new table in the old one's place; what refers to it is looked through when others write."""
        referring = connection.execute(
            text(
                "SELECT CAST(CAST(conrelid AS regclass) AS text), conname, pg_get_constraintdef(oid)"
                " FROM pg_constraint WHERE contype = 'f' AND confrelid = CAST(:table AS regclass)"
            ),
            {"table": self.table},
        ).all()
        statements = [f"ALTER TABLE {table} DROP CONSTRAINT {name}" for table, name, _ in referring]
        if self.id_type:
            statements.append(f"ALTER SEQUENCE {self.table}_id_seq OWNED BY NONE")
        statements += [f"DROP TABLE {self.table}", f"ALTER TABLE {self.next} RENAME TO {self.table}"]
        if self.id_type:
            statements.append(f"ALTER SEQUENCE {self.table}_id_seq OWNED BY {self.table}.id")
        for name in self.indexes:
            statements.append(f"ALTER INDEX {name}{_NEXT} RENAME TO {name}")
            kind = {"pk": "PRIMARY KEY", "uq": "UNIQUE"}.get(name[:2])
            if kind is not None:
                statements.append(f"ALTER TABLE {self.table} ADD CONSTRAINT {name} {kind} USING INDEX {name}")
        for column, other in self.references.items():
            key = f"fk_{self.table}_{column} FOREIGN KEY ({column}) REFERENCES {other} (id)"
            statements.append(f"ALTER TABLE {self.table} ADD CONSTRAINT {key} NOT VALID")
        for table, name, definition in referring:
            if table != self.table:
                statements.append(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID")
        for statement in statements:
            connection.execute(text(statement))
