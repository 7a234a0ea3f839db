"""What people have noted of phases leads to them since these are known by other numbers than before."""

from pathlib import Path
from typing import Any

from spackmon.database import Database
from spackmon.ingest.tables.contents import logs_of
from spackmon.models.places import number_of
from spackmon.ops.copies.forms import forms, last_numbers, set_last_numbers
from tests.ops.landed import upgrade_to
from tests.ops.meanwhile import run, upgrade_meanwhile
from tests.ops.test_migrations import ERRING
from tests.player import Player
from tests.server import Server, served

_LOG = b"==> made\n"
_BEFORE = [
    *ERRING[:4],
    "INSERT INTO phase_kind (id, name, position, status) VALUES (1, 'build', 1, 'SUCCESS'),"
    " (2, 'install', 2, 'SUCCESS'), (3, 'test', 3, 'SUCCESS')",
    "INSERT INTO phase (id, attempt_id, kind_id, reported_at) VALUES (2, 1, 1, :t), (3, 2, 1, :t),"
    " (4, 1, 2, :t), (1000, 1, 3, :t), (1001, 2, 2, :t), (70000, 9000, 1, :t)",
]
# What a service writes meanwhile: what is after a phase that goes has another place, in other rows.
_CHANGES = [
    "DELETE FROM phase WHERE id = 2",
    "INSERT INTO phase (id, attempt_id, kind_id, reported_at) VALUES (140001, 9000, 2, :t)",
    "UPDATE phase SET attempt_id = 2 WHERE id = 70000",
]
_NOW = {
    3: (2, 1), 4: (1, 1), 1000: (1, 2), 1001: (2, 2), 70000: (2, 3), 140001: (9000, 1),
}  # fmt: skip
_NOBODYS = [0, 1, 2, 5, 999, 1002, 69999, 140002, 2**31 - 1]
_BY_ID = "query($id: ID!, $node: ID!) { phase(id: $id) { id } node(id: $node) { id } }"


def test_earlier_numbers_lead_to_phases(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(77, empty_url, tmp_path / "before")
    database = Database(empty_url)

    run(database, *_BEFORE)
    log_id = database.write_once(lambda c: logs_of(c, [_LOG])[0][0])
    run(database, f"UPDATE phase SET log_id = {log_id} WHERE id = 1000")
    upgrade_meanwhile(
        database,
        empty_url,
        interrupted="an index of phase, pk_earlier",
        copied="an index of phase, ix_phase_log_id",
        change=lambda: run(database, *_CHANGES),
    )
    # Rows had numbers of our own.
    database.write_once(lambda c: set_last_numbers(c, forms(), last_numbers(c, forms())))
    database.close()
    with served(empty_url, tmp_path) as server:
        _assert_found(server)
        assert server.http.get("/phases/1000/log").content == _LOG
        assert "made" in server.http.get("/phases/1000/lines").text
        assert server.http.get("/phases/999/log").status_code == 404
        assert Player(server.url, server.user, server.token).play("0.17-success") == []
        newest = server.ask("{ builds(first: 1) { nodes { phases { nodes { id } } } } }")["builds"]["nodes"]
        numbers = [int(one["id"].partition(":")[2]) for one in newest[0]["phases"]["nodes"]]
        assert min(numbers) >= 2**31


def _assert_found(server: Server) -> None:
    ids = {old: f"BuildPhase:{number_of(*place)}" for old, place in _NOW.items()}
    for old in (*_NOW, *_NOBODYS):
        now = None if old not in ids else {"id": ids[old]}
        found = server.ask(_BY_ID, {"id": str(old), "node": f"BuildPhase:{old}"})
        assert found == {"phase": now, "node": now}, old
        assert server.ask(f'{{ phase(id: "{old}") {{ id }} }}') == {"phase": now}
    several = [f"BuildPhase:{old}" for old in (1000, 5, 4)]
    nodes = server.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": [*several, ids[3]]})[
        "nodes"
    ]
    assert nodes == [{"id": ids[1000]}, None, {"id": ids[4]}, {"id": ids[3]}]

    where = "query($where: BuildPhaseFilter) { phases(where: $where) { nodes { id } } }"

    def filtered(operator: str, value: Any) -> set[str]:
        found = server.ask(where, {"where": {"id": {operator: value}}})["phases"]["nodes"]
        return {one["id"] for one in found}

    everything = set(ids.values())
    assert filtered("eq", "1000") == {ids[1000]} == filtered("eq", ids[1000])
    assert filtered("ne", "1000") == everything - {ids[1000]}
    assert filtered("ne", "999") == everything
    assert filtered("in", ["4", "5", ids[1000]]) == {ids[4], ids[1000]}
    many = [str(number_of(9001, place)) for place in range(20)]
    assert filtered("in", ["4", *many]) == {ids[4]}
    assert filtered("notIn", ["4", "5", *many]) == everything - {ids[4]}
