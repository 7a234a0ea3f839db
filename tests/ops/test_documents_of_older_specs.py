"""Documents of specs say what they said before their hashes were packed with them."""

from pathlib import Path

from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.graph.packed_claims import NEWEST, pack, unpack, unpack_hashes
from spackmon.ingest.tables.packing import pack_documents
from spackmon.ops.migrations import upgrade
from tests.ops.landed import upgrade_to

VALUES = {"t": "2024-01-01T00:00:00.000000Z", "b": b"digest"}
FILLED = (
    "INSERT INTO package (id, name) VALUES (1, 'zlib')",
    "INSERT INTO package_version (id, package_id, version, version_key) VALUES (1, 1, '1.2', :b)",
    "INSERT INTO target (id, digest, name, features, parents) VALUES (1, :b, 'zen2', '[]', '[]')",
    "INSERT INTO architecture (id, platform, operating_system, target_id) VALUES (1, 'linux', 'debian12', 1)",
    "INSERT INTO parameter_set (id, digest, document) VALUES (1, :b, '{}')",
    "INSERT INTO spec (id, hash, hash_kind, package_version_id, names_compiler, architecture_id,"
    " parameter_set_id, format_version, recorded_at) VALUES (1, 'a', 'hash', 1, true, 1, 1, 3, :t)",
)
DOCUMENT = text(
    "INSERT INTO spec_document (id, spec_id, format_version, digest, document, edges, hashes, packed,"
    " dictionary, states_all_edges, package_version_id, architecture_id, parameter_set_id, package_hash)"
    " VALUES (:id, 1, 3, :digest, :document, :edges, :hashes, :packed, :dictionary, true, 1, 1, 1, :package)"
)
HASHES = {1: ('[["hash","a"]]', "p"), 2: ('[["hash","b"]]', "q"), 9000: ('[["hash","c"]]', None)}


def test_documents_keep_their_hashes_while_others_write(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(60, empty_url, tmp_path / "before")
    database = Database(empty_url)

    def write(connection: Connection) -> None:
        for statement in FILLED:
            used = {name: value for name, value in VALUES.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
        texts = {"document": '{"name":"zlib"}', "edges": "[]"}
        for number, (hashes, package) in HASHES.items():
            row = {"id": number, "digest": str(number).encode(), "hashes": hashes, "package": package}
            packed = pack(*texts.values(), "", None)
            of_packed = {"packed": packed, "dictionary": NEWEST, "document": None, "edges": None}
            is_text = {"packed": None, "dictionary": None, **texts}
            connection.execute(DOCUMENT, {**row, **(is_text if number == 2 else of_packed)})

    database.write_once(write)

    def change(progress: str) -> None:
        if progress == "what changed meanwhile" or database.is_sqlite:
            changed = text("UPDATE spec_document SET hashes = :hashes WHERE id = 1")
            database.write_once(lambda c: c.execute(changed, {"hashes": '[["hash","z"]]'}))

    if database.is_sqlite:
        change("")
    upgrade(empty_url, tell=change)
    assert database.write_once(pack_documents) == 1
    question = text("SELECT id, packed, dictionary, hashes, package_hash FROM spec_document ORDER BY id")
    rows = database.read_once(lambda c: c.execute(question).all())
    assert {row.id: unpack_hashes(row.packed, row.dictionary) for row in rows} == {
        **HASHES, 1: ('[["hash","z"]]', "p"),
    }  # fmt: skip
    assert {unpack(row.packed, row.dictionary) for row in rows} == {('{"name":"zlib"}', "[]")}
    assert {(row.hashes, row.package_hash) for row in rows} == {(None, None)}
    database.close()
