"""Reports on their way: one file each, in a directory for each run of a command, until the server has them.

A report is a file that appears whole or not at all, so that builds in several processes write without a lock
and a killed one leaves nothing half. Nothing is synced to the disk: a build would wait for it.
"""

import contextlib
import itertools
import json
import os
import re
import shutil
import time
import uuid
from typing import Any, Dict, Iterator, List, Optional, Tuple

try:
    import fcntl
except ImportError:  # Windows: two senders there may send the same report, which the server knows to be one.
    fcntl = None  # type: ignore[assignment]

Item = Dict[str, Any]

_LOG_BYTES = 1 << 20
_NAME = re.compile(r"\d{17}-\d+-\d+-(?P<about>[0-9a-z]+)\.json\Z")
_NODES = "nodes"
_KEPT = "kept"
_LOCK = "lock"
_OWNER = "owner"
_SILENT_SECONDS = 2 * 86400
_LOCK_TRIES = 100
_AWAY = "away"


class Run:
    """The reports of one run of a command that were not taken yet; `id` tells the run from all others."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.id = os.path.basename(directory)
        self._numbers = itertools.count()

    def add(self, item: Item, about: str) -> str:
        """Keep one report, after all that were kept before; `about` is the hash of its spec.

        The report's name in the run. Raises OSError.
        """
        name = "{:017d}-{}-{}-{}.json".format(
            int(time.time() * 1e6), os.getpid(), next(self._numbers), re.sub("[^0-9a-z]", "", about) or "0"
        )
        self.replace(name, item)
        return name

    def replace(self, name: str, item: Item) -> None:
        """Write a report, or write it anew."""
        write_whole(os.path.join(self.directory, name), json.dumps(item).encode("ascii"))

    def names(self) -> List[str]:
        """The reports, the oldest first."""
        try:
            return sorted(name for name in os.listdir(self.directory) if _NAME.match(name))
        except OSError:
            return []

    def about(self, name: str) -> str:
        """The hash that a report is about, read off its name."""
        found = _NAME.match(name)
        return found.group("about") if found else ""

    def item(self, name: str) -> Item:
        """A report. Raises OSError, ValueError."""
        with open(os.path.join(self.directory, name), "rb") as file:
            item = json.loads(file.read().decode("ascii"))
        if not isinstance(item, dict):
            raise ValueError("not an object")
        return item

    def size_bytes(self, name: str) -> int:
        """How large a report is, 0 when it has gone."""
        try:
            return os.path.getsize(os.path.join(self.directory, name))
        except OSError:
            return 0

    def remove(self, name: str) -> None:
        """Forget a report."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.directory, name))

    def keep(self, path: str) -> Optional[str]:
        """Keep a file that somebody else is about to remove: where it is then, None if that cannot be."""
        kept = os.path.join(self.directory, f"{_KEPT}-{os.getpid()}-{next(self._numbers)}")
        try:
            os.link(os.path.realpath(path), kept)
        except OSError:  # another disk, or one without links
            try:
                shutil.copyfile(path, kept)
            except OSError:
                return None
        return kept

    def add_nodes(self, format_version: int, nodes: Dict[str, Any]) -> None:
        """Keep the nodes of the graphs that are installed, once each; reports name them by hash."""
        name = f"{_NODES}-{os.getpid()}-{next(self._numbers)}"
        text = json.dumps({"version": format_version, "nodes": nodes}).encode("ascii")
        write_whole(os.path.join(self.directory, name), text)

    def nodes(self) -> Iterator[Tuple[int, Dict[str, Any]]]:
        """The kept nodes by hash, with the version of their format."""
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(self.directory)):
                if name.startswith(_NODES + "-"):
                    with contextlib.suppress(OSError, ValueError, KeyError):
                        kept = self.item(name)
                        yield kept["version"], kept["nodes"]

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Whether nobody else sends this run, for as long as the block."""
        try:
            descriptor = os.open(os.path.join(self.directory, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield False
            return
        try:
            yield _lock(descriptor) is not False
        finally:
            os.close(descriptor)

    @property
    def is_away(self) -> bool:
        """Whether the server did not answer when it was last tried."""
        return os.path.exists(os.path.join(self.directory, _AWAY))

    @is_away.setter
    def is_away(self, is_away: bool) -> None:
        path = os.path.join(self.directory, _AWAY)
        with contextlib.suppress(OSError):
            if not is_away:
                os.unlink(path)
            elif not os.path.exists(path):
                write_whole(path, b"")

    def live(self) -> None:
        """Say that the command of this run lives, for as long as it or a process forked from it does."""
        self._owner = os.open(os.path.join(self.directory, _OWNER), os.O_RDWR | os.O_CREAT, 0o600)
        for _ in range(_LOCK_TRIES):
            # Somebody may be asking in this moment whether the command lives.
            if _lock(self._owner) is not False:
                return
            time.sleep(0.001)

    @property
    def is_abandoned(self) -> bool:
        """Whether the command of this run is over, in whatever way."""
        is_locked = None
        silent_seconds = 0.0
        try:
            silent_seconds = time.time() - os.path.getmtime(self.directory)
            descriptor = os.open(os.path.join(self.directory, _OWNER), os.O_RDWR)
            try:
                is_locked = _lock(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            # It is only just being made.
            pass
        except OSError:
            return False
        # Where files cannot be locked, a run in which nothing happens for so long counts as over.
        return silent_seconds > _SILENT_SECONDS if is_locked is None else is_locked

    def end(self) -> None:
        """Remove the run, in which there is nothing left."""
        shutil.rmtree(self.directory, ignore_errors=True)


class Spool:
    """All runs of one user."""

    def __init__(self, directory: str, maximum_bytes: int) -> None:
        self.directory = directory
        self._maximum_bytes = maximum_bytes

    def begin(self) -> Run:
        """A new run. Raises OSError."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        os.chmod(self.directory, 0o700)
        directory = os.path.join(self.directory, str(uuid.uuid4()))
        os.mkdir(directory, 0o700)
        run = Run(directory)
        run.live()
        return run

    def runs(self) -> List[Run]:
        """The runs that left something, the oldest first."""
        try:
            with os.scandir(self.directory) as entries:
                found = [(entry.stat().st_mtime, entry.path) for entry in entries if entry.is_dir()]
        except OSError:
            return []
        return [Run(path) for _, path in sorted(found)]

    def trim(self) -> int:
        """Forget the oldest reports until the rest is small enough; how many that were.

        The newest say how builds stand now: when the server is away for weeks, the home directory must not
        fill up with the others.
        """
        kept = [(name, run.size_bytes(name), run) for run in self.runs() for name in run.names()]
        surplus_bytes = sum(size for _, size, _ in kept) - self._maximum_bytes
        dropped = 0
        for name, size, run in sorted(kept, key=lambda report: report[0]):
            if surplus_bytes <= 0:
                break
            run.remove(name)
            surplus_bytes -= size
            dropped += 1
        return dropped

    def log(self, text: str) -> None:
        """Keep a line for whoever asks why a report did not arrive; never raises for a full disk."""
        path = self.log_path
        with contextlib.suppress(OSError):
            if os.path.exists(path) and os.path.getsize(path) > _LOG_BYTES:
                os.replace(path, path + ".old")
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", errors="backslashreplace") as file:
                file.write("{} {}\n".format(time.strftime("%Y-%m-%dT%H:%M:%S%z"), text.rstrip()))

    def last_lines(self, count: int) -> List[str]:
        """The newest lines of the log."""
        try:
            with open(self.log_path, errors="replace") as file:
                return file.read().splitlines()[-count:]
        except OSError:
            return []

    @property
    def log_path(self) -> str:
        """Where the lines are."""
        return os.path.join(self.directory, "monitor.log")


def write_whole(path: str, content: bytes) -> None:
    """Write a file that only its owner reads, and that nobody sees half. Raises OSError."""
    unfinished = os.path.join(os.path.dirname(path), f".{os.getpid()}-{os.path.basename(path)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(unfinished)
        raise


def _lock(descriptor: int) -> Optional[bool]:
    """Whether the file is ours alone now, None where files cannot be locked."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
