"""A site to make faults at: services over an SQLite file, or over a PostgreSQL with a standby."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
from sqlalchemy import create_engine, make_url, text

from benchmarks.databases import DatabaseName
from benchmarks.faults.wire import Wire, wired
from spackmon.ops.migrations import upgrade
from tests.databases import PostgresqlServer, Standby
from tests.faulty_disk import FaultyDisk, built
from tests.nginx import nginx
from tests.server import new_token

SERVICES = 2
_GIVE_UP_SECONDS = 900.0
_LOOK_SECONDS = 0.5
_CLOCK = Path(__file__).with_name("clock.c")


@dataclass(slots=True)
class Service:
    """`spackmon serve` at a socket that outlives it, as systemd's does."""

    listening: socket.socket
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.listening.getsockname()[1]}"

    @property
    def supervisor(self) -> int:
        """The process that was started."""
        if self.process is None:
            raise RuntimeError("it was not started")
        return self.process.pid

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("spackmon"), "serve", "--fd", str(self.listening.fileno())],
                env=self.environment, stdout=subprocess.DEVNULL, stderr=log,
                pass_fds=[self.listening.fileno()],
            )  # fmt: skip

    def worker(self) -> int | None:
        """The process that answers now, if there is one (proc(5), children)."""
        try:
            children = Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children").read_text().split()
        except OSError:
            return None
        return int(children[-1]) if children else None

    def kill_supervisor(self) -> None:
        """`kill -9`; what it started ends with it, and systemd starts it anew."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.start()

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=_GIVE_UP_SECONDS)
        self.listening.close()


@dataclass(slots=True)
class Site:
    """What there is; `clock` is the file that says by how many seconds the services' clock is wrong."""

    url: str
    token: str
    services: list[Service]
    disk: FaultyDisk
    directory: Path
    clock: Path
    fronts: list[str] = field(default_factory=list)
    """The address of the nginx before each service."""
    wire: Wire | None = None
    postgresql: PostgresqlServer | None = None
    standby: Standby | None = None
    is_failed_over: bool = field(default=False)

    def wait_until_ready(self) -> None:
        """Until all services can use the database."""
        for service in self.services:
            _until(lambda service=service: _is_ready(service), "a service that is ready")  # type: ignore[misc]

    def move_clock(self, seconds: int) -> None:
        """Let the services' clock be wrong by so much; the file is theirs as well, and is never shorter."""
        with self.clock.open("r+b") as clock:
            clock.write(struct.pack("q", seconds))

    def settle(self) -> None:
        """Until what waits in the spools is applied."""
        self.wait_until_ready()
        for service in self.services:
            # By its files: what asks over HTTP so often takes from the wire, which is of this process.
            spool = service.log.parent / "spool"
            _until(lambda spool=spool: not any(spool.glob("*.report")), "an empty spool")  # type: ignore[misc]


def _until(holds: object, what: str) -> None:
    give_up_at = time.monotonic() + _GIVE_UP_SECONDS
    while not holds():  # type: ignore[operator]
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"{what} did not come")
        time.sleep(_LOOK_SECONDS)


def _is_ready(service: Service) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{service.url}/readyz", timeout=10).status_code == 200
    return False


@contextlib.contextmanager
def site(name: DatabaseName, directory: Path) -> Iterator[Site]:
    """A site that serves, over a new database, until the end of the block."""
    with contextlib.ExitStack() as stack:
        library = built(directory)
        clock = directory / "clock"
        clock.write_bytes(bytes(8))
        compiler = ["cc", "-O1", "-shared", "-fPIC", "-ldl"]
        subprocess.run([*compiler, "-o", directory / "clock.so", _CLOCK], check=True)
        if name == "sqlite":
            disk = FaultyDisk(library, directory / "disk", directory / "notes")
            url = f"sqlite:///{disk.directory}/site.db"
            upgrade(url)
            found = Site(url, new_token(url), [], disk, directory, clock)
        else:
            found = _on_postgresql(stack, library, directory, clock)
        # Those of one database are two processes on a file as well.
        for number in range(SERVICES if found.wire else 1):
            service = _service(found, number)
            stack.callback(service.stop)
            service.start()
            found.services.append(service)
            before = directory / f"nginx-{number}"
            before.mkdir()
            found.fronts.append(stack.enter_context(nginx(service.url, before))[0])
        found.wait_until_ready()
        yield found
        disk_is_well(found)


def disk_is_well(found: Site) -> None:
    """Whatever the disk was, it is well again."""
    found.disk.become("well")


def _on_postgresql(stack: contextlib.ExitStack, library: Path, directory: Path, clock: Path) -> Site:
    """A primary whose tables lie on a disk of ours, with a standby that has each commit before it is told."""
    primary = PostgresqlServer()
    stack.callback(primary.remove)
    # PostgreSQL's own user goes there.
    shared = Path(str(make_url(primary.url).query["host"]))
    (shared / "faulty_disk.so").write_bytes(library.read_bytes())
    (shared / "faulty_disk.so").chmod(0o755)
    disk = FaultyDisk(shared / "faulty_disk.so", primary.tables, shared / "notes")
    (shared / "notes").chmod(0o755)
    primary.stop()
    with _environment({k: v for k, v in disk.environment.items() if k != "FAULTY_DISK_DURABLE"}):
        primary.start()
    upgrade(primary.url)
    standby = Standby(primary)
    stack.callback(standby.remove)
    engine = create_engine(primary.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync = on", "full_page_writes = on", "synchronous_standby_names = '*'"):
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()
    wire = stack.enter_context(wired(f"{shared}/.s.PGSQL.5432"))
    return Site(primary.url, new_token(primary.url), [], disk, directory, clock, [], wire, primary, standby)


def _service(found: Site, number: int) -> Service:
    data = found.directory / f"data-{number}"
    data.mkdir()
    url = found.url
    if found.wire is not None:
        database = make_url(url)
        url = f"postgresql://{quote(str(database.username))}@127.0.0.1:{found.wire.port}/{database.database}"
    preloaded = [found.directory / "clock.so", *([] if found.wire else [found.disk.library])]
    environment = {
        **os.environ, **({} if found.wire else found.disk.environment),
        "SPACKMON_DATABASE_URL": url, "SPACKMON_DATA_DIR": str(data), "SPACKMON_HOLD_SECONDS": "10",
        "SPACKMON_JWT_SERVER_SECRET": "s" * 32, "SPACKMON_NOTIFICATION_SECRET": "n" * 32,
        "SPACKMON_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    environment.pop("FAULTY_DISK_DURABLE", None)
    environment |= {"CLOCK": str(found.clock), "LD_PRELOAD": ":".join(map(str, preloaded))}
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    return Service(listening, environment, data / "serve.log")


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def signalled(process_id: int | None, number: signal.Signals) -> None:
    """Send a signal to whoever is there still."""
    if process_id is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, number)
