"""Reading files that others made, in a process of its own: what one of them does to it ends there.

The process may take 10 s of CPU for a file and 1 GiB for its data. It is asked for one path after another,
and started anew after a file that ended it.
"""

import contextlib
import os
import pickle
import resource
import signal
import struct
import subprocess
import sys
from types import TracebackType
from typing import BinaryIO, cast

from spackmon.abi.elf import ELF_TOO_COSTLY, Elf, Unreadable
from spackmon.abi.elf_file import read_file

_CPU_SECONDS = 10
_DATA_BYTES = 1 << 30
_LENGTH = struct.Struct("<Q")
_TOO_COSTLY = Unreadable(ELF_TOO_COSTLY, "reading it took more than 10 s of CPU or 1 GiB of memory")


class ReaderApart:
    """Reads files in another process; to be used in a `with` statement, and by one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "ReaderApart":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def read_file(self, path: str) -> Elf:
        """One file. Raises Unreadable, and OSError where it cannot be opened."""
        request, answer = self._pipes()
        encoded = os.fsencode(path)
        request.write(_LENGTH.pack(len(encoded)) + encoded)
        request.flush()
        said = _message(answer)
        if said is None:
            self._end()
            raise _TOO_COSTLY
        found = pickle.loads(said)  # noqa: S301 -- our own process wrote it
        if isinstance(found, Exception):
            raise found
        return cast(Elf, found)

    def _pipes(self) -> tuple[BinaryIO, BinaryIO]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "spackmon.abi.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.communicate()


def _message(pipe: BinaryIO) -> bytes | None:
    """The next message of a pipe; None when the other end is gone."""
    length = pipe.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(length)
    content = pipe.read(size)
    return content if len(content) == size else None


def _answer(path: str) -> Elf | Exception:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + _CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    try:
        return read_file(path)
    except (Unreadable, OSError) as error:
        return error
    except MemoryError:
        return _TOO_COSTLY


def _serve() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (_DATA_BYTES, _DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever interrupts the command means the process that asks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while (path := _message(sys.stdin.buffer)) is not None:
        answer = pickle.dumps(_answer(os.fsdecode(path)), protocol=pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.write(_LENGTH.pack(len(answer)) + answer)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
