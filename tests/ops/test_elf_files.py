"""What revision 0025 held of ELF files is one row for each file afterwards."""

from pathlib import Path

from sqlalchemy import Connection, MetaData, insert, select, text

from spackmon.abi.reader.packed import Packed, joined, unpack
from spackmon.database import Database
from spackmon.models import Base
from spackmon.ops.migrations import upgrade
from spackmon.submission import AttributeValue
from tests.abi.packing import elf, packed_first
from tests.ingest.reports import Site, spec
from tests.ops.landed import as_before, upgrade_to

A, B = elf("/opt/a"), elf("/opt/b")
FOUND = {
    "elf": (
        AttributeValue("elf", "/opt/a/lib/1.so", value="a"),
        AttributeValue("elf", "/opt/a/lib/2.so", value="a"),
        AttributeValue("elf", "/opt/a/lib/3.so", value="b"),
        AttributeValue("elf", "/opt/a/lib/4.so", value="it is damaged"),
        AttributeValue("elf", "/opt/a/lib/5.so", value="c"),
    ),
    "note": (AttributeValue("note", None, binary_value=packed_first(A)),),
}
PACKED = {"a": packed_first(A), "b": packed_first(B), "c": b"no packed file"}


def test_files_are_stored_once_after_the_upgrade(empty_url: str, sqlite_url: str, tmp_path: Path) -> None:
    site = Site(Database(sqlite_url))
    site.analysis(site.build(spec("zlib", "1.2")), attributes=FOUND)
    upgrade_to(25, empty_url, tmp_path / "before")
    database = Database(empty_url)

    def write(connection: Connection) -> None:
        connection.execute(text("DELETE FROM person"))
        _copy(site, connection)
        for value, content in PACKED.items():
            connection.execute(
                text("UPDATE attribute SET value = NULL, binary_value = :content WHERE value = :value"),
                {"content": content, "value": value},
            )

    database.write_once(write)
    database.close()
    upgrade(empty_url)
    rows = database.read_once(
        lambda c: c.execute(
            text("""
                SELECT t.path, t.value, t.binary_value, f.id AS file, f.head, s.id AS symbols, s.content
                FROM attribute t LEFT JOIN elf_file f ON f.id = t.elf_file_id
                LEFT JOIN symbol_set s ON s.id = f.symbol_set_id ORDER BY t.id
            """)
        ).all()
    )
    database.close()
    first, same, other, damaged, unknown, note = rows
    assert [unpack(joined(Packed(one.head, one.content))) for one in (first, other)] == [A, B]
    assert (first.file, first.symbols) == (same.file, other.symbols)
    assert first.file != other.file
    assert {one.binary_value for one in (first, same, other, damaged)} == {None}
    assert (damaged.value, damaged.file) == ("it is damaged", None)
    assert (unknown.binary_value, note.binary_value) == (PACKED["c"], PACKED["a"])


def _copy(site: Site, connection: Connection) -> None:
    metadata = MetaData()
    metadata.reflect(connection)
    for table in Base.metadata.sorted_tables:
        # What is packed as it is today was no document then, and no file needs one.
        if table.name in metadata.tables and table.name != "spec_document":
            there = metadata.tables[table.name]
            columns = [column for column in table.columns if column.name in there.columns]
            rows = site.database.read_once(
                lambda c, columns=columns: [dict(row) for row in c.execute(select(*columns)).mappings()]
            )
            if rows:
                connection.execute(insert(as_before(table)), rows)
