"""The faults, each made and ended; what they return is what was done, in a few words."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from benchmarks.faults.overload import READERS, overloaded
from benchmarks.faults.site import Site, signalled
from benchmarks.faults.wire import Cut

_LASTS_SECONDS = 4.0
_HOUR = 3600

Fault = Callable[[Site], str]


def _worker_killed(site: Site) -> str:
    for service in site.services:
        signalled(service.worker(), signal.SIGKILL)
        time.sleep(_LASTS_SECONDS / 2)
    return "each in turn"


def _supervisor_killed(site: Site) -> str:
    for service in site.services:
        service.kill_supervisor()
        site.wait_until_ready()
    return "each in turn, and started as systemd does"


def _restarted_in_turn(site: Site) -> str:
    for service in site.services:
        before = service.worker()
        signalled(service.supervisor, signal.SIGHUP)
        give_up_at = time.monotonic() + 60
        while service.worker() in (before, None) and time.monotonic() < give_up_at:
            time.sleep(0.1)
        time.sleep(_LASTS_SECONDS / 2)
        site.wait_until_ready()
    return "SIGHUP to each in turn"


def _backend_killed(site: Site) -> str:
    if site.postgresql is None:
        raise TypeError("there is no PostgreSQL")
    with psycopg.connect(_bare(site.postgresql.url)) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'spackmon writer' LIMIT 1"
        ).fetchone()
    if found is not None:
        signalled(found[0], signal.SIGKILL)
    time.sleep(_LASTS_SECONDS)
    return "PostgreSQL ends all others, and recovers"


def _stopped(mode: str) -> Fault:
    def make(site: Site) -> str:
        if site.postgresql is None:
            raise TypeError("there is no PostgreSQL")
        site.postgresql._control("-m", mode, "stop")
        time.sleep(_LASTS_SECONDS)
        site.postgresql.start()
        return f"away for {_LASTS_SECONDS:g} s and its start"

    return make


def _failed_over(site: Site) -> str:
    if site.postgresql is None or site.standby is None or site.wire is None:
        raise TypeError("there is no standby")
    site.postgresql._control("-m", "immediate", "stop")
    time.sleep(_LASTS_SECONDS / 2)
    site.standby.promote()
    # Its address is the same for the services, as that of a floating address or a HAProxy is.
    site.wire.socket_path = f"{site.standby._directory}/.s.PGSQL.5432"
    site.url = site.standby.url(site.url)
    # Nobody is left who would have to have a commit first.
    with psycopg.connect(_bare(site.url), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        connection.execute("SELECT pg_reload_conf()")
    return "the standby promoted after 2 s"


def _disk(state: str) -> Fault:
    def make(site: Site) -> str:
        site.disk.become(state)  # type: ignore[arg-type]
        time.sleep(_LASTS_SECONDS)
        site.disk.become("well")
        return f"for {_LASTS_SECONDS:g} s"

    return make


def _wire_cut(site: Site) -> str:
    if site.wire is None:
        raise TypeError("there is no wire")
    for _ in range(4):
        site.wire.cut_all()
        time.sleep(_LASTS_SECONDS / 4)
    return "all connections, 4 times"


def _wire(cut: Cut) -> Fault:
    def make(site: Site) -> str:
        if site.wire is None:
            raise TypeError("there is no wire")
        before, site.wire.cut = site.wire.cuts, cut
        time.sleep(_LASTS_SECONDS)
        site.wire.cut = Cut.NOWHERE
        return f"{site.wire.cuts - before} times"

    return make


def _clock(seconds: int) -> Fault:
    def make(site: Site) -> str:
        site.move_clock(seconds)
        time.sleep(_LASTS_SECONDS)
        site.move_clock(0)
        time.sleep(_LASTS_SECONDS / 2)
        return f"for {_LASTS_SECONDS:g} s, and back"

    return make


def _backed_up(site: Site) -> str:
    target = site.directory / f"backup-{time.monotonic_ns()}"
    command = [Path(sys.executable).with_name("spackmon"), "backup", str(target)]
    environment = {**site.services[0].environment, "SPACKMON_DATABASE_URL": site.url}
    environment.pop("LD_PRELOAD", None)
    began = time.monotonic()
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"the backup failed: {run.stderr}")
    return f"in {time.monotonic() - began:.0f} s"


def _locked(site: Site) -> str:
    with contextlib.closing(sqlite3.connect(str(make_url(site.url).database), timeout=60)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(_LASTS_SECONDS)
        connection.rollback()
    return f"for {_LASTS_SECONDS:g} s by another program"


def _overloaded(site: Site) -> str:
    found = overloaded([service.url for service in site.services], 2 * _LASTS_SECONDS)
    answers = ", ".join(f"{number} × {status}" for status, number in sorted(found.items()))
    return f"{READERS} readers of each service: {answers}"


_OF_BOTH: dict[str, Fault] = {
    "10 × as many readers": _overloaded,
    "services restarted": _restarted_in_turn,
    "backup while they report": _backed_up,
    "disk full": _disk("full"),
    "disk slow (20 ms a write)": _disk("slow"),
    "clock an hour ahead": _clock(_HOUR),
    "clock an hour back": _clock(-_HOUR),
    "kill -9 of a worker": _worker_killed,
    "kill -9 of a supervisor": _supervisor_killed,
}
FAULTS: dict[str, dict[str, Fault]] = {
    "sqlite": {**_OF_BOTH, "database locked": _locked, "disk read-only": _disk("read-only")},
    "postgresql": {
        **_OF_BOTH,
        "all connections cut": _wire_cut,
        "cut in mid-transaction": _wire(Cut.BEFORE_STATEMENT),
        "COMMIT without an answer": _wire(Cut.AFTER_COMMIT),
        "kill -9 of a backend": _backend_killed,
        "PostgreSQL restarted (fast)": _stopped("fast"),
        "PostgreSQL restarted (immediate)": _stopped("immediate"),
    },
}
LAST: dict[str, dict[str, Fault]] = {
    "sqlite": {},
    "postgresql": {"failover to the standby": _failed_over},
}
"""What is made once, at the end: nothing leads back."""


def of(database: str, parts: list[str]) -> Iterator[tuple[str, Fault]]:
    """The faults whose names contain one of `parts`; all if there are none."""
    for name, fault in {**FAULTS[database], **LAST[database]}.items():
        if not parts or any(part in name for part in parts):
            yield name, fault


def _bare(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
