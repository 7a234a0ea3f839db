"""Where reports wait while the server is away, the disk is full, or the install is killed."""

import ast
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.client.extension.spack import EXTENSION, TOKEN, VARIANTS, Spack, phases_of, recording
from tests.waiting import GIVE_UP_SECONDS, until

SOURCES = sorted(EXTENSION.rglob("*.py"))


def test_what_a_dead_server_did_not_take_is_sent_by_flush(tmp_path: Path) -> None:
    spack = Spack(tmp_path, url=_dead_address())
    code, _, _ = spack("monitor", "install", "libgreet")
    assert code == 0
    assert [line["status"] for line in spack.waiting() if "status" in line] == ["RUNNING", "SUCCESS"]
    with recording() as server:
        code, output, _ = spack("monitor", "flush", SPACKMON_URL=server.url)
        assert (code, output) == (0, f"sent {len(server.lines)} reports to {server.url}\n")
    assert "compiling" in json.dumps(phases_of(server.of("libgreet")))
    assert spack.waiting() == []
    assert not [path for path in spack.spool.iterdir() if path.is_dir()]


def test_flush_beside_a_running_sender_says_so_and_leaves_the_rest_to_it(tmp_path: Path) -> None:
    with recording() as server:
        server.may_answer.clear()
        spack = Spack(tmp_path, url=server.url)
        assert spack("monitor", "install", "libgreet", SPACKMON_WAIT_SECONDS="0")[0] == 0
        assert server.is_asked.wait(GIVE_UP_SECONDS)
        code, output, complaints = spack("monitor", "flush", SPACKMON_WAIT_SECONDS="0")
        server.may_answer.set()
    assert (code, complaints) == (0, "")
    assert output == f"sent 0 reports to {server.url}; a sender is running and sends the rest\n"


def test_what_waits_is_sent_by_the_next_install(tmp_path: Path) -> None:
    spack = Spack(tmp_path, url=_dead_address())
    spack("monitor", "install", "libgreet")
    _kill_senders(spack)
    with recording() as server:
        spack("monitor", "install", "demo-base", SPACKMON_URL=server.url)
    assert {line.get("package") for line in server.lines} == {"libgreet", "demo-base", None}


def test_a_refused_token_keeps_the_reports_and_is_not_shown_again_and_again(tmp_path: Path) -> None:
    with recording() as server:
        server.status = 401
        server.refusal = {"message": "no", "error": "TOKEN_REVOKED", "retryable": False}
        spack = Spack(tmp_path, url=server.url)
        assert spack("monitor", "install", "libgreet")[0] == 0
        until(lambda: not _processes(str(spack.spool), "monitor.sender"), "the sender's end")
        # When the first report was there, and when the install was over.
        assert server.refused <= 2
        code, _, complaint = spack("monitor", "flush")
        assert code == 1
        assert complaint == "spack monitor: the server answered 401: no\nsent 0 reports; the others wait\n"
        assert spack.waiting()
        _, output, _ = spack("monitor", "status")
        assert "401" in output


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_install_leaves_a_spool_that_flush_sends(variant: str, tmp_path: Path) -> None:
    spack = Spack(tmp_path, variant, url=_dead_address())
    process = spack.start("monitor", "install", "slow")
    _wait_for(tmp_path / "building")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    _kill(str(tmp_path))
    with recording() as server:
        assert spack("monitor", "flush", SPACKMON_URL=server.url)[0] == 0
    assert [line["status"] for line in server.of("slow") if "status" in line] == ["RUNNING", "CANCELLED"]
    assert phases_of(server.of("slow"))["build"]["status"] == "ERROR"
    assert spack.waiting() == []


def test_an_install_alone_is_killed_and_its_sender_says_so(tmp_path: Path) -> None:
    with recording() as server:
        process = Spack(tmp_path, "1.2-new", server.url).start("monitor", "install", "slow")
        _wait_for(tmp_path / "building")
        server.wait_for(2)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        _kill(str(tmp_path), "spack.main")
        until(lambda: "CANCELLED" in [line.get("status") for line in server.lines], "the sender's word")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", ["a file in its place", "nothing can be made there"])
def test_an_install_does_not_fail_of_a_spool_that_cannot_be_written(
    variant: str, kind: str, tmp_path: Path
) -> None:
    place = tmp_path / "spool"
    if kind == "nothing can be made there":
        # The superuser, too, is refused.
        place = Path("/proc/spool")
    else:
        place.write_text("in the way")
    spack = Spack(tmp_path, variant, _dead_address(), environment={"SPACKMON_SPOOL": str(place)})
    code, output, complaints = spack("monitor", "install", "libgreet")
    assert (code, complaints) == (0, "")
    assert "libgreet" in output


def test_where_the_home_cannot_be_written_reports_wait_among_the_temporary_files(tmp_path: Path) -> None:
    places = {"FAKE_HOME": "/proc/nobody", "TMPDIR": str(tmp_path)}
    spack = Spack(tmp_path, url=_dead_address(), environment=places)
    code, _, complaints = spack("monitor", "install", "libgreet")
    assert (code, complaints) == (0, "")
    (place,) = tmp_path.glob("spack-monitor-*")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    with recording() as server:
        assert spack("monitor", "flush", SPACKMON_URL=server.url)[0] == 0
    assert [line["status"] for line in server.of("libgreet") if "status" in line] == ["RUNNING", "SUCCESS"]


def test_an_install_does_not_fail_when_the_spool_goes_away_under_it(tmp_path: Path) -> None:
    spack = Spack(tmp_path, "1.2-new", _dead_address())
    process = spack.start("monitor", "install", "slow")
    _wait_for(tmp_path / "building")
    subprocess.run(["rm", "-rf", spack.spool], check=True)
    (tmp_path / "go").touch()
    _, complaints = process.communicate(timeout=GIVE_UP_SECONDS)
    assert (process.returncode, complaints) == (0, "")


@pytest.mark.parametrize("variant", ["1.2-old", "1.2-new"])
def test_a_phase_costs_a_few_files_and_asks_no_server(variant: str, tmp_path: Path) -> None:
    phases = 40
    asked = []
    for name, monitor in (("plain", []), ("watched", ["monitor"])):
        spack = Spack(tmp_path / name, variant, _dead_address())
        spack.root.mkdir()
        spack(*monitor, "install", "many-phases", FAKE_PHASES=str(phases))
        asked.append(Counter(json.loads((spack.root / "phases-asked").read_text())))
    plain, watched = asked
    added = {event: count / phases for event, count in (watched - plain).items()}
    # A file when it begins and one in its place when it ends; the new installer's log is looked at, too.
    assert added["os.rename"] < 3
    assert added["open"] < 5 or variant == "1.2-new"
    assert not [event for event in added if event.startswith(("socket.", "subprocess.", "os.fork"))]


def test_the_spool_forgets_the_oldest_reports_when_it_is_full(tmp_path: Path) -> None:
    spack = Spack(
        tmp_path,
        url=_dead_address(),
        environment={"SPACKMON_SPOOL_MEGABYTES": "0.005", "SPACKMON_WAIT_SECONDS": "1"},
    )
    for package in ("libgreet", "demo-base", "broken-app"):
        spack("monitor", "install", package)
        _kill_senders(spack)
    spack("monitor", "install", "libgreet")
    assert sum(path.stat().st_size for path in spack.spool.glob("*/*.json")) <= 0.005 * (1 << 20)
    waiting = spack.waiting()
    assert "libgreet" not in {line.get("package") for line in waiting}
    assert waiting[-1]["status"] == "FAILED"


def test_only_their_owner_reads_reports_and_login(tmp_path: Path) -> None:
    spack = Spack(tmp_path, url=_dead_address())
    spack("monitor", "install", "libgreet")
    assert stat.S_IMODE(spack.spool.stat().st_mode) == 0o700
    files = [path for path in spack.spool.rglob("*") if path.is_file()]
    assert files
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_login_is_stored_for_its_owner_alone(tmp_path: Path) -> None:
    with recording() as server:
        spack = Spack(tmp_path)
        process = spack.start("monitor", "login", server.url)
        output, _ = process.communicate(f"{TOKEN}\n", timeout=GIVE_UP_SECONDS)
        login = tmp_path / "home" / ".spack" / "monitor.json"
        assert output == f"stored in {login}\n{server.url} takes reports\n"
        assert stat.S_IMODE(login.stat().st_mode) == 0o600
        spack("monitor", "install", "libgreet")
        assert server.authorizations == {f"Bearer {TOKEN}"}
        assert server.lines
        _, output, _ = spack("monitor", "status")
        assert output.splitlines()[:2] == [f"server   {server.url}", "token    yes"]
        assert TOKEN not in output


def test_the_stored_token_is_shown_to_no_other_server(tmp_path: Path) -> None:
    with recording() as known, recording() as other:
        spack = Spack(tmp_path)
        spack.start("monitor", "login", known.url).communicate(f"{TOKEN}\n", timeout=GIVE_UP_SECONDS)
        spack("monitor", "install", "libgreet", SPACKMON_URL=other.url)
        assert other.lines
        assert other.authorizations == {None}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_extension_is_python_3_6_and_needs_nothing_else(source: Path) -> None:
    tree = ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 6))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            package = name.partition(".")[0]
            assert package == "spack" or package in sys.stdlib_module_names, name
            # Came with 3.7 or later.
            assert name not in ("__future__", "dataclasses", "contextvars", "graphlib", "tomllib", "zoneinfo")
        if isinstance(node, ast.keyword):
            assert node.arg not in ("capture_output", "dirs_exist_ok", "missing_ok")
            assert (node.arg, getattr(node.value, "value", None)) != ("text", True)
        if isinstance(node, ast.Attribute):
            assert node.attr not in (
                "time_ns",
                "nullcontext",
                "removeprefix",
                "removesuffix",
                "fromisoformat",
            )
        assert not isinstance(node, ast.NamedExpr)


def _dead_address() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def _processes(*words: str) -> list[int]:
    """Those with all words in their command line or environment."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and int(directory.name) != os.getpid():
            try:
                told = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
            except OSError:
                continue
            if all(word.encode() in told for word in words):
                found.append(int(directory.name))
    return found


def _kill_senders(spack: Spack) -> None:
    _kill(str(spack.spool), "monitor.sender")


def _kill(*words: str) -> None:
    """End those of `_processes` that have not ended by themselves."""
    for process in _processes(*words):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _wait_for(path: Path) -> None:
    until(path.exists, path.name)
