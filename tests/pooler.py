"""The configuration of pgbouncer that the project ships, in a real pgbouncer before a real PostgreSQL."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from tests.waiting import GIVE_UP_SECONDS, until

SHIPPED = Path(__file__).parents[1] / "deploy" / "pgbouncer" / "pgbouncer.ini"
PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_ROOT = 0


@contextmanager
def pooled(url: str, directory: Path, sessions: int) -> Iterator[str]:
    """The address of the database at `url` by a pgbouncer that has so many `sessions` for all its clients.

    `directory` is made, for pgbouncer's own user.
    """
    direct = make_url(url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    directory.mkdir()
    changed = {
        "listen_port": str(port), "default_pool_size": str(sessions),
        "auth_file": str(directory / "userlist.txt"),
        "spackmon": f"host={direct.query['host']} dbname={direct.database}",
    }  # fmt: skip
    lines = SHIPPED.read_text().splitlines()
    for name, value in changed.items():
        (number,) = (number for number, line in enumerate(lines) if line.startswith(f"{name} = "))
        lines[number] = f"{name} = {value}"
    (directory / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    (directory / "userlist.txt").write_text(f'"{direct.username}" "secret"\n')
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(PROGRAM), *_as_nobody(direct.query["host"]), directory / "pgbouncer.ini"],
            stdout=log, stderr=log,
        )  # fmt: skip

    def answers() -> bool:
        assert process.poll() is None, (directory / "log").read_text()
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(answers, "pgbouncer's start")
        yield f"postgresql://{direct.username}:secret@127.0.0.1:{port}/spackmon"
    finally:
        process.terminate()
        process.wait(timeout=GIVE_UP_SECONDS)


def _as_nobody(socket_directory: str | tuple[str, ...]) -> list[str]:
    """pgbouncer refuses to run as root: it is whom PostgreSQL's own files belong to."""
    if os.getuid() != _ROOT:
        return []
    return ["-u", pwd.getpwuid(Path(str(socket_directory)).stat().st_uid).pw_name]
