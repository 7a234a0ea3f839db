"""What the documents show is run as they show it, against the server that `make run` starts.

Of a `console` block, lines after `$ ` are commands, others what these print. Then each `python`
block is run as a program and each `graphql` block asked of the server. `sh` blocks install or wait for ever;
their targets must exist.
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

from tests.examples import ANSWERS, FIRST, says_nothing
from tests.waiting import GIVE_UP_SECONDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [path for pattern in ("*.md", "docs/**/*.md") for path in sorted(ROOT.glob(pattern))]
ADDRESS = "http://127.0.0.1:8000"
# A newcomer's question is one that what was reported before it answers.
ANSWERED = {"README.md", "quickstart.md"}
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
class Made:
    """What `make run` started: where, its first lines, and the environment for commands."""

    url: str
    welcome: str
    environment: dict[str, str]


def _blocks(document: Path, *languages: str) -> list[str]:
    text = document.read_text(encoding="utf-8").replace("\r", "")
    return [block for language, block in _BLOCK.findall(text) if language in languages]


def _with(*languages: str) -> list[Path]:
    # test_examples asks ANSWERS, of the builds that it is about.
    return [path for path in DOCUMENTS if path != ANSWERS and _blocks(path, *languages)]


@contextlib.contextmanager
def _make_run(directory: Path) -> Iterator[Made]:
    """`make run` on an empty directory, with a `spack` on the path."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (directory / "bin").mkdir()
    spack = directory / "bin" / "spack"
    spack.write_text(SPACK)
    spack.chmod(0o755)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPACKMON_")}
    environment = {
        **inherited,
        "PATH": f"{spack.parent}:{os.environ['PATH']}",
        "SPACKMON_DATA_DIR": str(directory / "data"),
        "SPACKMON_PORT": str(port),
    }
    said = directory / "stderr"
    process = subprocess.Popen(
        ["make", "run"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=said.open("w"),
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield Made(f"http://127.0.0.1:{port}", _welcome(process, said), environment)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=GIVE_UP_SECONDS)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """What nobody has used yet."""
    with _make_run(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One for all that report nothing."""
    with _make_run(tmp_path_factory.mktemp("used")) as made:
        yield made


def _welcome(process: subprocess.Popen[str], said: Path) -> str:
    """The first lines, which end with the second blank one."""
    assert process.stdout is not None
    lines: list[str] = []
    while lines.count("\n") < 2:
        line = process.stdout.readline()
        assert line, f"make run ended: {said.read_text()}"
        lines.append(line)
    return "".join(lines)


def _shell(made: Made, script: str) -> str:
    finished = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, env=made.environment, capture_output=True, text=True, timeout=GIVE_UP_SECONDS, check=False,
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
    made: Made = request.getfixturevalue("made" if reports else "used")
    commands: list[str] = []
    wanted: list[str] = []
    for line in "".join(_blocks(document, "console")).splitlines():
        if line.startswith("$ "):
            commands.append(line[2:].replace(ADDRESS, made.url))
            wanted.append("")
        else:
            wanted[-1] += line.replace(ADDRESS, made.url) + "\n"
    for program in _blocks(document, "python"):
        commands.append(f"{sys.executable} - <<'END'\n{program.replace(ADDRESS, made.url)}END")
        wanted.append("")
    script = "\n".join(f"echo '@@'\n{command}\necho" for command in commands)
    printed = _shell(made, script).split("@@\n")[1:]
    for command, want, got in zip(commands, wanted, printed, strict=True):
        assert not want or got.strip() == want.strip(), command
    first = [FIRST.query] if document.name == "quickstart.md" else []
    for query in [*_blocks(document, "graphql"), *first]:
        if query.startswith("subscription"):
            assert _first_event(made, query).startswith("id: "), query
            continue
        answer = httpx.post(f"{made.url}/graphql", json={"query": query}, timeout=GIVE_UP_SECONDS).json()
        assert "errors" not in answer, query
        if document.name in ANSWERED:
            assert not [key for key, value in answer["data"].items() if says_nothing(value)], query


def _first_event(made: Made, query: str) -> str:
    """The first line of a subscription, which goes on for ever; where it is refused that is no id."""
    headers = {"Accept": "text/event-stream"}
    with httpx.stream("POST", f"{made.url}/graphql", json={"query": query}, headers=headers) as events:
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


def test_the_first_lines_of_make_run_can_be_pasted(made: Made) -> None:
    page, graphiql = re.findall(r"^\w+ +(http\S+)$", made.welcome, re.MULTILINE)
    assert httpx.get(page).status_code == 200
    assert "GraphiQL" in httpx.get(graphiql, headers={"Accept": "text/html"}).text
    lines = re.findall(r"^  (\S.*)$", made.welcome, re.MULTILINE)
    assert lines[-1].startswith("spack install --monitor ")
    _shell(made, "\n".join(lines).replace("NAME", "ada"))
    answer = httpx.post(f"{made.url}/graphql", json={"query": "{ builds(first: 1) { totalCount } }"}).json()
    assert answer["data"]["builds"]["totalCount"] > 0


def test_a_second_make_run_installs_nothing(used: Made) -> None:
    assert used.url
    assert subprocess.run(["make", "--question", "install"], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("document", _with("sh"), ids=lambda path: path.name)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    targets = set(re.findall(r"^(\w+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", "".join(_blocks(document, "sh"))))
    assert named <= targets
