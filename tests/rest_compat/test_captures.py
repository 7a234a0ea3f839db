"""Everything that real clients of 0.16 to 0.18, and CDash reporters of 0.23, sent goes in, and they go on."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from spackmon.ingest import inbox
from tests import player
from tests.player import Player
from tests.server import Server, in_database, new_token, served


@pytest.mark.parametrize("name", player.names())
def test_a_recorded_client_goes_on_the_first_time_and_the_second(server: Server, name: str) -> None:
    client = Player(server.url, server.user, server.token)
    assert client.play(name) == []
    first = dict(client.build_ids)
    assert client.play(name) == []
    assert client.build_ids == first


def test_all_recorded_clients_go_on_over_the_same_data(server: Server) -> None:
    client = Player(server.url, server.user, server.token)
    assert [problem for name in player.names() * 2 for problem in client.play(name)] == []


@pytest.mark.parametrize(
    "names", [("0.16-analyze", "0.16-success"), ("0.16-success", "0.16-analyze")], ids=" then ".join
)
def test_what_one_client_leaves_out_of_a_spec_another_adds(server: Server, names: tuple[str, str]) -> None:
    client = Player(server.url, server.user, server.token)
    assert [problem for name in names for problem in client.play(name)] == []
    question = '{ specs(where: {dependency: {name: "cmake"}}, orderBy: {name: ASC}) { nodes { name } } }'
    nodes = server.ask(question)["specs"]["nodes"]
    assert [node["name"] for node in nodes] == ["cmakedemo", "zapp", "zbundle"]


ROOT_EVENT = """{ attempts(where: {rootEvent: {kind: {eq: ERROR}}}) { nodes {
  build { package { name } }
  rootEvent { errorClass blame message sourceFile sourceLine logLine phase { name } }
} } }"""


@pytest.mark.parametrize("name", ["0.17-fail", "0.19dev-fail"])
def test_a_failed_run_names_the_error_to_read_first(server: Server, name: str) -> None:
    assert Player(server.url, server.user, server.token).play(name) == []
    (attempt,) = server.ask(ROOT_EVENT)["attempts"]["nodes"]
    assert attempt["build"]["package"]["name"] == "brokenlib"
    assert attempt["rootEvent"] == {
        "errorClass": "missing-header", "blame": "PACKAGE",
        "message": "nonexistent_header_for_demo.h: No such file or directory",
        "sourceFile": "bad.c", "sourceLine": 1, "logLine": 29, "phase": {"name": "build"},
    }  # fmt: skip


ROOT_FAILURE = """{ builds(where: {status: {ne: NOTRUN}}, orderBy: {name: ASC}) { nodes {
  status package { name } rootFailure { build { package { name } } rootEvent { sourceFile sourceLine } }
} } }"""


@pytest.mark.parametrize("name", ["0.17-fail", "0.19dev-fail"])
def test_what_failed_without_a_run_names_the_one_that_broke_it(server: Server, name: str) -> None:
    assert Player(server.url, server.user, server.token).play(name) == []
    builds = {one["package"]["name"]: one for one in server.ask(ROOT_FAILURE)["builds"]["nodes"]}
    event = {"sourceFile": "bad.c", "sourceLine": 1}
    brokenlib = {"build": {"package": {"name": "brokenlib"}}, "rootEvent": event}
    failures = {name: one["rootFailure"] for name, one in builds.items() if one["rootFailure"]}
    assert failures == {"brokenlib": brokenlib, "topbroken": brokenlib}


def test_what_was_cancelled_names_the_run_that_broke_it(server: Server) -> None:
    for exchange in player.exchanges("0.17-success"):
        if exchange["path"].endswith(("specs/new/", "builds/new/")):
            server.post(exchange["path"], json.loads(exchange["request_body"]))
    question = "{ builds(orderBy: {name: ASC}) { nodes { id package { name } } } }"
    ids = {one["package"]["name"]: one["id"] for one in server.ask(question)["builds"]["nodes"]}
    server.post("/ms1/builds/update/", {"build_id": int(ids["cmakedemo"]), "status": "FAILED"})
    broken = {
        one["package"]["name"]: one["rootFailure"]["build"]["package"]["name"]
        for one in server.ask(ROOT_FAILURE)["builds"]["nodes"]
        if one["rootFailure"]
    }
    assert broken == dict.fromkeys(("cmakedemo", "zapp", "zbundle"), "cmakedemo")


def test_the_paths_work_without_their_last_slash_and_never_redirect(server: Server) -> None:
    client = Player(server.url, server.user, server.token)
    spec, build = list(player.exchanges("0.17-success"))[1:3]
    for path in (spec["path"], spec["path"].rstrip("/")):
        status, _ = client.write(path, spec["request_body"].encode())
        assert status in player.GO_ON
    assert client.write(build["path"].rstrip("/"), build["request_body"].encode())[0] == 201
    assert server.http.get("/ms1").json()["id"] == "spackmon"


def test_the_prefix_is_a_setting(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path, url_api_prefix="monitor/old") as server:
        assert server.http.get("/monitor/old/").json()["status"] == "running"
        assert server.http.get("/ms1/").status_code == 404
        assert server.post("/monitor/old/builds/update/", {}).status_code == 400


def test_a_build_has_one_id_for_its_owner_and_is_closed_to_others(server: Server) -> None:
    client = Player(server.url, server.user, server.token)
    assert client.play("0.17-fail") == []
    build_id = client.build_ids[1]
    other = new_token(server.database_url, "other")
    for path, body in [
        ("builds/update", {"build_id": build_id, "status": "SUCCESS"}),
        (
            "builds/phases/update",
            {"build_id": build_id, "phase_name": "x", "status": "SUCCESS", "output": ""},
        ),
        ("analyze/builds", {"build_id": build_id, "metadata": {"config_args": "--x"}}),
    ]:
        answer = server.post(f"/ms1/{path}/", body, token=other)
        assert (answer.status_code, answer.json()["code"]) == (403, 403)
    announced = next(e for e in player.exchanges("0.17-fail") if e["path"].endswith("builds/new/"))
    body = json.loads(announced["request_body"])
    assert server.post("/ms1/builds/new/", body).json()["data"]["build"]["build_id"] == build_id
    theirs = server.post("/ms1/builds/new/", body, token=other)
    assert theirs.status_code == 201
    assert theirs.json()["data"]["build"]["build_id"] != build_id


@pytest.mark.parametrize(
    ("path", "body", "status", "named"),
    [
        ("builds/update", {"build_id": 999, "status": "SUCCESS"}, 404, "999"),
        ("builds/update", {"build_id": 999}, 400, "status"),
        ("builds/update", {"build_id": "x", "status": "SUCCESS"}, 400, "build_id"),
        ("builds/phases/update", {"build_id": 999, "phase_name": "a", "status": "b"}, 404, "999"),
        ("analyze/builds", {"build_id": 999, "metadata": {}}, 404, "999"),
        ("builds/new", {**player.MACHINE, "full_hash": "unknown", "spack_version": "0.17"}, 404, "unknown"),
        ("builds/new", {**player.MACHINE, "spack_version": "0.17"}, 400, "full_hash"),
        ("specs/new", {"spack_version": "0.17"}, 400, "spec"),
        ("specs/new", b"[]", 400, "JSON"),
        ("specs/new", b"", 400, "JSON"),
    ],
)
def test_what_cannot_be_applied_is_named_and_kept(
    server: Server, path: str, body: object, status: int, named: str
) -> None:
    answer = server.post(f"/ms1/{path}/", body)
    message = answer.json()["message"]
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert named in message
    ((entry, kept),) = in_inbox(server)
    assert message.endswith(f"(kept as inbox entry {entry.id})")
    assert (entry.kind, entry.person, entry.error_message in message) == (path, server.user, True)
    assert kept == (body if isinstance(body, bytes) else answer.request.content)


def test_a_build_is_announced_with_its_whole_machine(server: Server) -> None:
    body = {**player.MACHINE, "full_hash": "f" * 32, "spack_version": "0.17.0"}
    for field in body:
        for without in ({**body, field: ""}, {**body, field: None}, {k: body[k] for k in body if k != field}):
            answer = server.post("/ms1/builds/new/", without)
            assert answer.status_code == 400
            assert answer.json()["message"].startswith(f"{field} ")


def test_what_nobody_signed_is_not_kept(server: Server) -> None:
    assert server.http.post("/ms1/builds/update/", json={"build_id": 1}).status_code == 401
    assert in_inbox(server) == []


def test_a_fault_of_the_server_is_json_and_loses_nothing(server: Server) -> None:
    recorded = next(e for e in player.exchanges("0.17-success") if e["path"].endswith("specs/new/"))
    rename = "ALTER TABLE {} RENAME TO {}"
    execute(server, rename.format("dependency", "elsewhere"))
    answer = server.post("/ms1/specs/new/", recorded["request_body"].encode())
    execute(server, rename.format("elsewhere", "dependency"))
    assert (answer.status_code, answer.json()["code"]) == (500, 500)
    assert answer.headers["X-Request-ID"] in answer.json()["message"]
    ((entry, kept),) = in_inbox(server)
    assert (entry.kind, kept.decode()) == ("specs/new", recorded["request_body"])
    assert server.post("/ms1/specs/new/", kept).status_code == 201


def test_no_address_under_the_prefix_answers_anything_but_json(server: Server) -> None:
    for method, path, status in [("GET", "/ms1/nothing/", 404), ("GET", "/ms1/specs/new/", 405),
                                 ("PUT", "/ms1/", 405), ("GET", "/auth/nothing/", 404)]:  # fmt: skip
        answer = server.http.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (status, status)


def test_every_answer_carries_a_request_id_and_takes_over_the_clients(server: Server) -> None:
    assert len(server.http.get("/healthz").headers["X-Request-ID"]) == 32
    given = {"X-Request-ID": "build-17.a_b"}
    assert server.http.get("/healthz", headers=given).headers["X-Request-ID"] == "build-17.a_b"
    forged = {"X-Request-ID": 'x","level":"y'}
    assert server.http.get("/healthz", headers=forged).headers["X-Request-ID"] != forged["X-Request-ID"]


def test_a_large_log_meets_an_expired_token_and_arrives(server: Server) -> None:
    client = Player(server.url, server.user, server.token)
    assert client.play("0.17-success") == []
    client.bearer = "expired.expired.expired"
    output = "a line of the log\n" * 1_000_000
    report = {"build_id": client.build_ids[1], "phase_name": "build", "status": "SUCCESS", "output": output}
    # 18 MB: far more than the socket takes before the 401 has to be read.
    status, _ = client.write("/ms1/builds/phases/update/", json.dumps(report).encode())
    assert status == 200
    assert client.token_requests == 2


def in_inbox(server: Server) -> list[tuple[inbox.Entry, bytes]]:
    """What the inbox holds, with the bodies."""
    return in_database(
        server, lambda connection: [inbox.show(connection, e.id) for e in inbox.entries(connection)]
    )


def execute(server: Server, statement: str) -> None:
    in_database(server, lambda connection: connection.execute(text(statement)))
