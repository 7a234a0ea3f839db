"""What `make dist` makes, and what `pip install` brings: the wheel, and the packages that it declares alone.

An environment is made for each set of extras; its packages are those of this one, linked, so that it costs
seconds and no network.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.main import get_command

from spackmon.cli.commands import command_line
from spackmon.formats.bills import is_bill
from tests.cli.command import EXAMPLES
from tests.server import served, served_by_process
from tests.waiting import GIVE_UP_SECONDS

ROOT = Path(__file__).parents[1]
# What the wheel is made of; its files are dated by the commit, and here by a moment.
PACKED = (
    "alembic",
    "deploy",
    "docs",
    "spackmon",
    "pyproject.toml",
    "README.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
)
EPOCH = 1_700_000_000
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
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a release, made from this checkout."""
    directory = tmp_path_factory.mktemp("release") / "dist"
    _make("dist", f"DIST={directory}", SOURCE_DATE_EPOCH=str(EPOCH))
    return directory


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """The wheel in it."""
    (built,) = dist.glob("spackmon-*.whl")
    return built


def _make(*arguments: str, **environment: str) -> None:
    command = ["make", "--silent", *arguments]
    environment = {**os.environ, **environment}
    subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=GIVE_UP_SECONDS
    )


def test_the_same_sources_in_another_place_and_at_another_time_are_the_same_bytes(
    wheel: Path, tmp_path: Path
) -> None:
    place = tmp_path / "elsewhere"
    for name in PACKED:
        if (ROOT / name).is_dir():
            # New files, with times and rights of their own.
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, place / name, copy_function=_copy_for_owner, ignore=ignored)
        else:
            shutil.copyfile(ROOT / name, place / name)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH)}
    subprocess.run(command, cwd=place, env=environment, check=True, timeout=GIVE_UP_SECONDS)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()
    with zipfile.ZipFile(wheel) as packed:
        assert {one.date_time for one in packed.infolist()} == {time.gmtime(EPOCH)[:6]}
        names = set(packed.namelist())
    for needed in (
        "deploy/nginx/spackmon.conf", "documentation/quickstart.md", "systemd/spackmon.service",
        "migrations/versions/0001_the_first_tables.py", "web/templates/home.html",
        "web/static/built/manifest.json",
    ):  # fmt: skip
        assert f"spackmon/{needed}" in names


def _copy_for_owner(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o600)


def test_the_bill_of_a_release_names_what_is_installed_and_what_is_in_the_scripts(dist: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = (dist / "spackmon.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert is_bill(bill)
    versions = {
        one["purl"].partition("@")[0] if one["purl"][4] == "p" else one["name"]: one
        for one in bill["components"]
    }
    shipped = [
        package for extra in ("server", "parquet") for package in _needed(distribution("spackmon"), extra)
    ]
    for package in shipped:
        component = versions[f"pkg:pypi/{canonicalize_name(package.name)}"]
        assert component["version"] == package.version
    assert "pkg:pypi/hypothesis" not in versions
    locked = json.loads((ROOT / "frontend" / "package-lock.json").read_text())["packages"]
    for name in ("react", "graphiql", "@dagrejs/dagre", "monaco-editor"):
        assert versions[name]["version"] == locked[f"node_modules/{name}"]["version"]
    assert all(one["licenses"] for one in bill["components"])


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen")
def test_the_checksums_are_signed_by_the_key_of_whoever_releases(dist: Path, tmp_path: Path) -> None:
    signed = shutil.copytree(dist, tmp_path / "dist")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "release", "-f", key], check=True)
    _make("sign", f"DIST={signed}", f"KEY={key}")
    (tmp_path / "signers").write_text(f"release@example.org {key.with_suffix('.pub').read_text()}")
    # As docs/releases.md has it.
    checked = (
        "ssh-keygen -Y verify -f ../signers -I release@example.org -n spackmon -s SHA256SUMS.sig < SHA256SUMS"
        " && sha256sum --check --strict SHA256SUMS"
    )
    assert subprocess.run(checked, cwd=signed, shell=True, check=False).returncode == 0
    with (signed / "spackmon.cdx.json").open("a") as bill:
        bill.write(" ")
    assert subprocess.run(checked, cwd=signed, shell=True, check=False).returncode != 0
    with (signed / "SHA256SUMS").open("a") as sums:
        sums.write("0" * 64 + "  another\n")
    assert subprocess.run(checked, cwd=signed, shell=True, check=False).returncode == 255


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
    (deploy,) = installed.python("import spackmon.deploy as here; print(*here.__path__)").split()
    assert (Path(deploy) / "nginx" / "spackmon.conf").is_file()
    database_url = f"sqlite:///{tmp_path / 'site.sqlite3'}"
    # The tables are made by the migrations that are in the wheel.
    imported = installed.run("import", EXAMPLES / "nightly.jsonl", SPACKMON_DATABASE_URL=database_url)
    assert (imported.returncode, imported.stderr) == (0, "")
    with served_by_process(database_url, tmp_path, program=installed.program) as server:
        assert server.ask("{ builds(first: 1) { totalCount } }")["builds"]["totalCount"] > 0
        for address in ("/", "/graphql", "/readyz", "/ms1/", "/docs/quickstart"):
            answer = server.http.get(address, headers={"Accept": "text/html"})
            assert answer.status_code == 200, address
