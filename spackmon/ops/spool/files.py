"""The spool's directory: a file for each report, whole or not at all, named by when it came."""

import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
import zstandard

from spackmon.auth.access_tokens import Claims
from spackmon.errors import Code, Refused
from spackmon.large_bytes import AnyBytes, Writer, pieces

log = structlog.get_logger()

_ENDING, _ASIDE, _REASON = ".report", ".aside", ".reason"
_APPLYING, _ORDER = "lock", "order"
# Of a number in a name, so that names are in the order of their numbers.
_DIGITS = 20
_OWNER_ALONE = 0o600
_SMALL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Spooled:
    """A body as it came, of a kind that the inbox knows too; and who sent it, as far as could be seen."""

    kind: str
    claims: Claims
    body: AnyBytes


@dataclass(frozen=True, slots=True)
class SetAside:
    """A report that is not tried any more; `person` and `kind` are None where its file cannot be read."""

    name: str
    arrived_at: datetime
    person: str | None
    kind: str | None
    size_bytes: int
    reason: str


class Files:
    """One directory; it is made when it is needed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._last = -1
        self._waits: Path | None = None

    def is_empty(self) -> bool:
        """Whether nothing waits to be applied."""
        # Each report asks: what was there a moment ago is looked for before all that may be there.
        waits = self._waits
        if waits is None or not waits.exists():
            self._waits = waits = next(self._named(_ENDING), None)
        return waits is None

    def count(self) -> tuple[int, int]:
        """How many reports wait to be applied, and how many were set aside."""
        return sum(1 for _ in self._named(_ENDING)), sum(1 for _ in self._named(_ASIDE))

    def waiting(self) -> list[Path]:
        """What waits to be applied, oldest first."""
        return sorted(self._named(_ENDING))

    def has_room(self) -> bool:
        """Whether a small report could be stored now."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.directory) as file:
                file.write(b"\0" * _SMALL_BYTES)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        return True

    def put(self, spooled: Spooled) -> None:
        """Store a report; it is on the disk when this returns. Raises OSError."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        head = json.dumps({"kind": spooled.kind, **asdict(spooled.claims)}).encode()
        with self._locked(_ORDER) as order:
            name = self._next_name(order)
            draft = self.directory / f".{name}.{os.getpid()}"
            try:
                _write(draft, head, spooled.body)
                self._waits = draft.rename(self.directory / name)
            except OSError:
                draft.unlink(missing_ok=True)
                raise
        self.sync()
        log.info("report_spooled", kind=spooled.kind, bytes=len(spooled.body))

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Nobody else applies what waits meanwhile."""
        with self._locked(_APPLYING):
            yield

    def sync(self) -> None:
        """See to it that files that were made, renamed or removed are so after a power failure, too."""
        descriptor = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def set_aside(self, path: Path, reason: str) -> None:
        """Let a report wait no longer, and be listed with the reason."""
        # A full disk is no reason to let those behind it wait.
        with suppress(OSError):
            path.with_suffix(_REASON).write_text(reason)
        path.rename(path.with_suffix(_ASIDE))
        self.sync()
        log.error("report_set_aside", report=path.stem, reason=reason)

    def aside(self) -> list[SetAside]:
        """What is not tried any more, oldest first."""
        return [_described(path) for path in sorted(self._named(_ASIDE))]

    def put_back(self, name: str) -> None:
        """Let a report that was set aside wait again, before all that came later.

        Raises Refused SPOOL_REPORT_UNKNOWN.
        """
        path = self.directory / f"{name}{_ASIDE}"
        if path not in self._named(_ASIDE):
            raise Refused(Code.SPOOL_REPORT_UNKNOWN, f"the spool has set no report {name!r} aside")
        path.rename(path.with_suffix(_ENDING))
        path.with_suffix(_REASON).unlink(missing_ok=True)

    def _named(self, ending: str) -> Iterator[Path]:
        try:
            with os.scandir(self.directory) as entries:
                for entry in entries:
                    if entry.name.endswith(ending):
                        yield Path(entry.path)
        except FileNotFoundError:
            return

    def _next_name(self, order: int) -> str:
        """Later than all there are, though the clock may have been set back.

        The last one's number stands in the file `order`, of all processes; a process looks itself only once.
        """
        if self.is_empty():
            last = 0
        elif self._last < 0:
            last = int(max((path.name for path in self._named(_ENDING)), default="0").partition("-")[0])
        else:
            said = os.pread(order, _DIGITS, 0)
            last = max(self._last, int(said) if said.isdigit() else 0)
        self._last = max(time.time_ns(), last + 1)
        number = f"{self._last:0{_DIGITS}d}"
        # On a full disk the numbers of one process go on all the same.
        with suppress(OSError):
            os.pwrite(order, number.encode(), 0)
        return f"{number}-{secrets.token_hex(4)}{_ENDING}"

    @contextmanager
    def _locked(self, name: str) -> Iterator[int]:
        """The descriptor of the file of this name, which nobody else has meanwhile."""
        descriptor = os.open(self.directory / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ALONE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def arrived_at(name: str) -> datetime:
    """When a report was put into the spool, by the name of its file."""
    return datetime.fromtimestamp(int(name.partition("-")[0]) / 1e9, UTC)


def read(path: Path) -> Spooled | None:
    """A report; None where its file is damaged. Raises OSError."""
    with path.open("rb") as file, Writer(path.parent) as body:
        try:
            said = json.loads(file.readline())
            claims = Claims(said["person"], said["token_id"])
            for piece in zstandard.ZstdDecompressor().read_to_iter(file):
                body.add(piece)
                if body.is_full:
                    body.flush()
            return Spooled(said["kind"], claims, body.finish())
        except (ValueError, KeyError, TypeError, zstandard.ZstdError):
            return None


def _write(path: Path, head: bytes, body: AnyBytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _OWNER_ALONE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(head + b"\n")
        compressor = zstandard.ZstdCompressor()
        with compressor.stream_writer(file, size=len(body), closefd=False) as compressed:
            for piece in pieces(body):
                compressed.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _described(path: Path) -> SetAside:
    person = kind = None
    with suppress(OSError, ValueError, KeyError, TypeError), path.open("rb") as file:
        head = json.loads(file.readline())
        person, kind = head["person"], head["kind"]
    reason = ""
    with suppress(OSError):
        reason = path.with_suffix(_REASON).read_text()
    return SetAside(path.stem, arrived_at(path.name), person, kind, path.stat().st_size, reason)
