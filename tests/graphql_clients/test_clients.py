"""The clients that people use, over the schema and all that the documents show, and over a real server."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import gql
import pytest
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXTransport
from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    NameNode,
    OperationDefinitionNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from spackmon.database import Database
from tests.examples import FIRST, ROOT, documented, examples, questions
from tests.ingest.reports import Site, spec
from tests.player import Player
from tests.server import Server, served_by_process, worker_of
from tests.waiting import GIVE_UP_SECONDS

HERE = Path(__file__).parent
NODE = Path(sys.executable).with_name("node")
SCHEMA = ROOT / "schema.graphql"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_url


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    if not (HERE / "node_modules" / "relay-compiler").is_dir():
        pytest.skip("the clients are not installed: make test")


@pytest.fixture
def reported(server: Server) -> Server:
    """A server to which a client of 0.17 reported three builds."""
    assert Player(server.url, server.user, server.token).play("0.17-fail") == []
    return server


def run(program: str | Path, *arguments: str | Path, folder: Path = HERE) -> str:
    """What a program of Node's prints."""
    ended = subprocess.run(
        [NODE, HERE / program, *arguments],
        cwd=folder, env={**os.environ, "NO_PROXY": "127.0.0.1"},
        capture_output=True, text=True, timeout=GIVE_UP_SECONDS,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


class _Renamed(Visitor):
    """Names of one module: Relay wants them so, and codegen wants them all different."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._module = module
        self._numbers = count(1)

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> OperationDefinitionNode:
        number = next(self._numbers)
        name = f"{self._module}{number if number > 1 else ''}{node.operation.value.capitalize()}"
        return replace(node, name=NameNode(value=name))

    def enter_fragment_definition(self, node: FragmentDefinitionNode, *_: Any) -> FragmentDefinitionNode:
        return replace(node, name=NameNode(value=f"{self._module}_{node.name.value}"))

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> FragmentSpreadNode:
        return replace(node, name=NameNode(value=f"{self._module}_{node.name.value}"))


def operations() -> Iterator[tuple[str, DocumentNode]]:
    """Each document that we show: its name as a module, and the names in it after that."""
    shown = {example.name.removesuffix(".graphql"): example.query for example in [*examples(), FIRST]}
    shown |= {f"question-{number}": question.query for number, question in enumerate(questions())}
    shown |= documented()
    for name, text in shown.items():
        module = re.sub(r"\W+(\w)", lambda letter: letter[1].upper(), name)
        yield module, visit(parse(text), _Renamed(module))


def test_gql_checks_by_introspection_and_asks_with_variables(reported: Server) -> None:
    transport = HTTPXTransport(url=f"{reported.url}/graphql", timeout=GIVE_UP_SECONDS, trust_env=False)
    with gql.Client(transport=transport, fetch_schema_from_transport=True) as session:
        query = gql.gql(
            "query ($where: BuildFilter, $n: Int) { builds(where: $where, first: $n) { nodes { status } } }"
        )
        query.variable_values = {"where": {"spec": {"name": {"eq": "brokenlib"}}}, "n": 1}
        assert session.execute(query) == {"builds": {"nodes": [{"status": "FAILED"}]}}
        with pytest.raises(GraphQLError, match="colours"):
            session.execute(gql.gql("{ colours }"))
        with pytest.raises(TransportQueryError, match="9999"):
            session.execute(gql.gql("{ builds(first: 9999) { totalCount } }"))
        local = SCHEMA.read_text(encoding="utf-8")
        assert gql.Client(schema=local).schema.type_map.keys() == session.client.schema.type_map.keys()


def test_apollos_client_persists_its_queries(server: Server) -> None:
    for method in ("POST", "GET"):
        asked = run("apollo.mjs", f"{server.url}/graphql", method)
        # Twice the same: the hash alone is not known, the document comes with it, and then the hash will do.
        assert asked.splitlines() == ["hash", "hash and query", "hash", "Query"], method


def test_subscribers_of_a_server_that_is_killed_come_back_and_miss_nothing(
    sqlite_url: str, tmp_path: Path
) -> None:
    names = [f"live-{number}" for number in range(6)]
    with served_by_process(sqlite_url, tmp_path) as server:
        cursor = server.ask("{ changeCursor }")["changeCursor"]
        address = f"{server.url.replace('http', 'ws', 1)}/graphql"
        listening = subprocess.Popen(
            [NODE, HERE / "live.mjs", address, "20", cursor, names[-1]],
            cwd=HERE, env={**os.environ, "NO_PROXY": "127.0.0.1"}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert listening.stdout is not None
        assert listening.stdout.readline() == "listening\n"
        database = Database(sqlite_url)
        for number, name in enumerate(names):
            if number == 3:
                os.kill(worker_of(server), signal.SIGKILL)
            # Also while nobody serves: what is stored is told, whoever stored it.
            Site(database, has_people=True).build(spec(name, "1.0"))
        database.close()
        said, _ = listening.communicate(timeout=GIVE_UP_SECONDS)
    assert said.splitlines() == [f"true {' '.join(names)}"]


def test_the_rules_of_graphql_over_http_are_kept(server: Server) -> None:
    # Not only what MUST and SHOULD be so: of what MAY be one way or the other, nothing is left out.
    assert run("audit.mjs", f"{server.url}/graphql").splitlines() == ["61 audits"]


def test_codegen_makes_types_of_every_document_that_we_show(tmp_path: Path) -> None:
    documents, generated = tmp_path / "documents", tmp_path / "generated"
    documents.mkdir()
    modules = dict(operations())
    for module, document in modules.items():
        (documents / f"{module}.graphql").write_text(print_ast(document))
    run("codegen.mjs", SCHEMA, documents, generated)
    made = re.findall(
        r"export const (\w+)(?:Query|Subscription)Document\b", (generated / "graphql.ts").read_text()
    )
    assert len(made) == len(set(made)) >= len(modules) > 80

    for name in ("typed.ts", "tsconfig.json"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    run("node_modules/typescript/bin/tsc", folder=tmp_path)


def test_relay_compiles_every_document_that_we_show_and_pages_by_its_own(
    reported: Server, tmp_path: Path
) -> None:
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    for module, document in operations():
        text = print_ast(document).replace("\\", "\\\\").replace("`", "\\`")
        (tmp_path / f"{module}.js").write_text(f"graphql`{text}`;\n")
    shutil.copy(HERE / "relayPages.js", tmp_path)
    shutil.copy(SCHEMA, tmp_path)
    configuration = {
        "src": ".", "schema": "schema.graphql", "artifactDirectory": "artifacts",
        "language": "javascript", "eagerEsModules": False,
    }  # fmt: skip
    (tmp_path / "relay.config.json").write_text(json.dumps(configuration))
    run("node_modules/relay-compiler/cli.js", "relay.config.json", folder=tmp_path)

    held = json.loads(run("relay.mjs", f"{reported.url}/graphql", artifacts))
    children = ["libzeta", "needsbroken"]
    assert held == {"builds": ["4", "1"], "more": False, "status": "FAILED", "children": children}
