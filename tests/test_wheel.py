"""What `pip install` brings: the built wheel, with the packages that it declares and no others.

An environment is made for each set of extras; its packages are those of this one, linked, so that it costs
seconds and no network.
"""

import re
import subprocess
import sys
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.main import get_command

from spackmon.cli.commands import command_line
from tests.cli.command import EXAMPLES
from tests.server import served, served_by_process
from tests.waiting import GIVE_UP_SECONDS

ROOT = Path(__file__).parents[1]
COMMANDS = """
from typer.main import get_command
from spackmon.cli.commands import command_line
print(*get_command(command_line()).commands)
"""


class Environment:
    """A virtual environment in which the wheel is installed with an extra, or with none."""

    def __init__(self, directory: Path, wheel: Path, extra: str) -> None:
        venv.create(directory, symlinks=True)
        self.directory = directory
        self.program = directory / "bin" / "spackmon"
        python = directory / "bin" / "python"
        _pip("--python", python, "install", wheel)
        (site_packages,) = directory.glob("lib/python*/site-packages")
        (metadata,) = site_packages.glob("spackmon-*.dist-info")
        for package in _needed(Distribution.at(metadata), extra):
            for name in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
                if not (site_packages / name).exists():
                    (site_packages / name).symlink_to(Path(str(package.locate_file(name))))

    def run(self, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        """`spackmon …`, in a folder that is no checkout."""
        return subprocess.run(
            [self.program, *map(str, arguments)], cwd=self.directory, env=environment, capture_output=True,
            text=True, timeout=GIVE_UP_SECONDS,
        )  # fmt: skip

    def python(self, program: str) -> str:
        """What a program prints in it."""
        command = [self.directory / "bin" / "python", "-c", program]
        finished = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, timeout=GIVE_UP_SECONDS
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout


def _pip(*arguments: object) -> None:
    offline = ["--no-index", "--no-deps", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", *map(str, arguments), *offline]
    subprocess.run(command, check=True, timeout=GIVE_UP_SECONDS)


def _needed(package: Distribution, extra: str) -> list[Distribution]:
    """What a package requires with this extra, and what that requires."""
    needed: dict[tuple[str, str], Distribution] = {}
    pending = [(package, extra)]
    while pending:
        package, extra = pending.pop()
        for requirement in map(Requirement, package.requires or ()):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            for wanted in requirement.extras or {""}:
                if (requirement.name, wanted) not in needed:
                    needed[requirement.name, wanted] = distribution(requirement.name)
                    pending.append((needed[requirement.name, wanted], wanted))
    return list(needed.values())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    _pip("wheel", ROOT, "--no-build-isolation", "--wheel-dir", directory)
    (built,) = directory.glob("spackmon-*.whl")
    return built


@pytest.fixture(scope="module")
def client(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What `pip install spackmon` makes."""
    return Environment(tmp_path_factory.mktemp("client") / "environment", wheel, extra="")


def test_the_client_alone_reads_sends_and_asks(client: Environment, sqlite_url: str, tmp_path: Path) -> None:
    read = client.run("import", "--dry-run", EXAMPLES / "specs.jsonl")
    assert (read.returncode, read.stderr) == (0, "")
    with served(sqlite_url, tmp_path) as server:
        to_it = {"SPACKMON_TOKEN": server.token}
        sent = client.run("import", EXAMPLES / "nightly.jsonl", "--url", server.url, **to_it)
        assert (sent.returncode, sent.stderr) == (0, "")
        question = f"""
from spackmon.client import Client
print(Client({server.url!r}).query("{{ builds(first: 1) {{ totalCount }} }}")["builds"]["totalCount"])
"""
        assert int(client.python(question)) > 0
    extension = Path(client.run("extension", "path").stdout.strip())
    assert (extension / "monitor" / "cmd" / "monitor.py").is_file()


def test_the_client_alone_reads_build_logs(client: Environment) -> None:
    finished = client.run("log", "events", EXAMPLES / "failed-build.log")
    assert finished.returncode == 1
    assert "nonexistent_header_for_demo.h" in finished.stdout


def test_the_client_alone_says_what_the_commands_of_the_server_need(client: Environment) -> None:
    assert set(client.python(COMMANDS).split()) == set(get_command(command_line()).commands)
    for refused in (client.run("serve", "--port", "80"), client.run("import", EXAMPLES / "specs.jsonl")):
        assert refused.returncode == 1
        assert re.fullmatch(
            r"spackmon: .* needs the server: pip install 'spackmon\[server\]'\n", refused.stderr
        )


def test_the_wheel_of_the_server_has_its_migrations_and_serves(wheel: Path, tmp_path: Path) -> None:
    installed = Environment(tmp_path / "server", wheel, extra="server")
    database_url = f"sqlite:///{tmp_path / 'site.sqlite3'}"
    # The tables are made by the migrations that are in the wheel.
    imported = installed.run("import", EXAMPLES / "nightly.jsonl", SPACKMON_DATABASE_URL=database_url)
    assert (imported.returncode, imported.stderr) == (0, "")
    with served_by_process(database_url, tmp_path, program=installed.program) as server:
        assert server.ask("{ builds(first: 1) { totalCount } }")["builds"]["totalCount"] > 0
        for address in ("/", "/graphql", "/readyz", "/ms1/"):
            answer = server.http.get(address, headers={"Accept": "text/html"})
            assert answer.status_code == 200, address
