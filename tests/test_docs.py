"""What the documents show is run as they show it, against an empty server.

Of a `console` block, lines after `$ ` are commands, others what these print. Then each `python`
block is run as a program and each `graphql` block asked of the server. `sh` blocks install or wait for ever;
their targets must exist. What a newcomer reads first is run by the real program against what `make run`
starts, all else by one with its modules loaded (tests/cli/prepared.py).
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.cli import prepared
from tests.examples import ANSWERS, FIRST, says_nothing
from tests.server import served
from tests.waiting import GIVE_UP_SECONDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [path for pattern in ("*.md", "docs/**/*.md") for path in sorted(ROOT.glob(pattern))]
ADDRESS = "http://127.0.0.1:8000"
PROGRAM = ".venv/bin/spackmon"
# For newcomers: what was reported before it answers their question.
FIRST_READ = {"README.md", "quickstart.md"}
# What curl learnt after 2018, whose version many a site's machines have.
NEW_IN_CURL = re.compile(
    r"--(json|fail-with-body|url-query|variable|expand-\w+|output-dir|remove-on-error|no-clobber|parallel|rate"
    r"|retry-all-errors|etag-save|etag-compare|create-file-mode|skip-existing|no-progress-meter)\b"
)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Spack itself takes minutes to install: what its 0.17 sent stands in, with its options and its environment.
SPACK = f"""#!{sys.executable}
import argparse, os, sys
sys.path.insert(0, {str(ROOT)!r})
from tests.player import Player
parser = argparse.ArgumentParser()
parser.add_argument("command", choices=["install"])
parser.add_argument("--monitor", action="store_true", required=True)
parser.add_argument("--monitor-host", required=True)
parser.add_argument("package")
given = parser.parse_args()
player = Player(given.monitor_host, os.environ["SPACKMON_USER"], os.environ["SPACKMON_TOKEN"])
sys.exit("\\n".join(player.play("0.17-success")) or 0)
"""


@dataclass(frozen=True)
class Site:
    """A server, the environment for commands, and the program that they start."""

    url: str
    environment: dict[str, str]
    program: str = PROGRAM

    def of_the(self, document: str) -> str:
        """What stands there, for this site."""
        return document.replace(ADDRESS, self.url).replace(PROGRAM, self.program)


@dataclass(frozen=True)
class Made(Site):
    """What `make run` started, and its first lines."""

    welcome: str = ""


def _blocks(document: Path, *languages: str) -> list[str]:
    text = document.read_text(encoding="utf-8").replace("\r", "")
    return [block for language, block in _BLOCK.findall(text) if language in languages]


def _with(*languages: str) -> list[Path]:
    # test_examples asks ANSWERS, of the builds that it is about.
    return [path for path in DOCUMENTS if path != ANSWERS and _blocks(path, *languages)]


def _environment(directory: Path, **settings: str) -> dict[str, str]:
    """For commands over a data directory, with a `spack` on the path."""
    (directory / "bin").mkdir()
    spack = directory / "bin" / "spack"
    spack.write_text(SPACK)
    spack.chmod(0o755)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPACKMON_")}
    return {
        **inherited,
        "PATH": f"{spack.parent}:{os.environ['PATH']}",
        "SPACKMON_DATA_DIR": str(directory / "data"),
        **settings,
    }


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """`make run` on an empty directory."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = _environment(tmp_path, SPACKMON_PORT=str(port))
    said = tmp_path / "stderr"
    process = subprocess.Popen(
        ["make", "run"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=said.open("w"),
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield Made(f"http://127.0.0.1:{port}", environment, welcome=_welcome(process, said))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=GIVE_UP_SECONDS)


@contextlib.contextmanager
def _empty(template: Path, directory: Path) -> Iterator[Site]:
    data = directory / "data"
    data.mkdir()
    database = shutil.copy(template, data / "spackmon.sqlite3")
    with served(f"sqlite:///{database}", data) as server:
        yield Site(server.url, _environment(directory), str(prepared.program(directory)))


@pytest.fixture
def unused(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    """What nobody has used yet."""
    with _empty(sqlite_template, tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def used(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all that report nothing."""
    with _empty(sqlite_template, tmp_path_factory.mktemp("used")) as site:
        yield site


def _welcome(process: subprocess.Popen[str], said: Path) -> str:
    """The first lines, which end with the second blank one."""
    assert process.stdout is not None
    lines: list[str] = []
    while lines.count("\n") < 2:
        line = process.stdout.readline()
        assert line, f"make run ended: {said.read_text()}"
        lines.append(line)
    return "".join(lines)


def _shell(site: Site, script: str) -> str:
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, env=site.environment, capture_output=True, text=True, timeout=GIVE_UP_SECONDS, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("document", _with("console", "graphql", "python"), ids=lambda path: path.name)
def test_every_example_does_what_the_document_says(document: Path, request: pytest.FixtureRequest) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    if "gcc " in "".join(_blocks(document, "console")) and shutil.which("gcc") is None:
        pytest.skip("no gcc")
    reports = "user add" in "".join(_blocks(document, "console"))
    is_first = document.name in FIRST_READ
    site: Site = request.getfixturevalue("made" if is_first else "unused" if reports else "used")
    commands: list[str] = []
    wanted: list[str] = []
    for line in "".join(_blocks(document, "console")).splitlines():
        if line.startswith("$ "):
            commands.append(site.of_the(line[2:]))
            wanted.append("")
        else:
            wanted[-1] += site.of_the(line) + "\n"
    for program in _blocks(document, "python"):
        commands.append(f"{sys.executable} - <<'END'\n{site.of_the(program)}END")
        wanted.append("")
    script = "\n".join(f"echo '@@'\n{command}\necho" for command in commands)
    printed = _shell(site, script).split("@@\n")[1:]
    for command, want, got in zip(commands, wanted, printed, strict=True):
        assert not want or got.strip() == want.strip(), command
    first = [FIRST.query] if document.name == "quickstart.md" else []
    for query in [*_blocks(document, "graphql"), *first]:
        if query.startswith("subscription"):
            assert _first_event(site, query).startswith("id: "), query
            continue
        answer = httpx.post(f"{site.url}/graphql", json={"query": query}, timeout=GIVE_UP_SECONDS).json()
        assert "errors" not in answer, query
        if is_first:
            assert not [key for key, value in answer["data"].items() if says_nothing(value)], query


def _first_event(site: Site, query: str) -> str:
    """The first line of a subscription, which goes on for ever; where it is refused that is no id."""
    headers = {"Accept": "text/event-stream"}
    with httpx.stream("POST", f"{site.url}/graphql", json={"query": query}, headers=headers) as events:
        return next(events.iter_lines())


def test_every_curl_line_is_one_for_a_curl_of_2018() -> None:
    places = [*DOCUMENTS, *(ROOT / "spackmon").rglob("*.py"), *(ROOT / "spackmon").rglob("*.html")]
    # A command goes on where its line ends with a backslash.
    lines = [
        line
        for path in places
        for line in path.read_text().replace("\\\n", "").splitlines()
        if "curl " in line
    ]
    assert len(lines) > 10
    assert not [line for line in lines if NEW_IN_CURL.search(line)]


def test_the_first_lines_of_make_run_can_be_pasted_and_a_second_one_installs_nothing(made: Made) -> None:
    page, graphiql = re.findall(r"^\w+ +(http\S+)$", made.welcome, re.MULTILINE)
    assert httpx.get(page).status_code == 200
    assert "GraphiQL" in httpx.get(graphiql, headers={"Accept": "text/html"}).text
    lines = re.findall(r"^  (\S.*)$", made.welcome, re.MULTILINE)
    assert lines[-1].startswith("spack install --monitor ")
    _shell(made, "\n".join(lines).replace("NAME", "ada"))
    answer = httpx.post(f"{made.url}/graphql", json={"query": "{ builds(first: 1) { totalCount } }"}).json()
    assert answer["data"]["builds"]["totalCount"] > 0
    assert subprocess.run(["make", "--question", "install"], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("document", _with("sh"), ids=lambda path: path.name)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    targets = set(re.findall(r"^(\w+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", "".join(_blocks(document, "sh"))))
    assert named <= targets
