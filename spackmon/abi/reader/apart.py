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
from typing import BinaryIO, Optional, Tuple, Type, Union, cast

from .elf import ELF_TOO_COSTLY, Elf, Unreadable
from .elf_file import read_file

_CPU_SECONDS = 10
_DATA_BYTES = 1 << 30
_LENGTH = struct.Struct("<Q")
_TOO_COSTLY = Unreadable(ELF_TOO_COSTLY, "reading it took more than 10 s of CPU or 1 GiB of memory")
# This package under its own name, wherever it is part of: what is above it is not imported.
_SERVING = """
import importlib, sys, types
from importlib.util import module_from_spec, spec_from_file_location
name, folder = sys.argv[1:]
parts = name.split(".")
for count in range(1, len(parts)):
    above = ".".join(parts[:count])
    sys.modules[above] = types.ModuleType(above)
found = spec_from_file_location(name, folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules[name] = module_from_spec(found)
found.loader.exec_module(sys.modules[name])
importlib.import_module(name + ".apart").serve()
"""


class ReaderApart:
    """Reads files in another process; to be used in a `with` statement, and by one thread."""

    def __init__(self) -> None:
        self._process: Optional[subprocess.Popen[bytes]] = None

    def __enter__(self) -> "ReaderApart":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
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

    def _pipes(self) -> Tuple[BinaryIO, BinaryIO]:
        if self._process is None:
            folder = os.path.dirname(os.path.abspath(__file__))
            self._process = subprocess.Popen(  # noqa: S603 -- our own code, in our own Python
                [sys.executable, "-I", "-S", "-c", _SERVING, __package__ or "", folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.communicate()


def _message(pipe: BinaryIO) -> Optional[bytes]:
    """The next message of a pipe; None when the other end is gone."""
    length = pipe.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(length)
    content = pipe.read(size)
    return content if len(content) == size else None


def _answer(path: str) -> Union[Elf, Exception]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + _CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    try:
        return read_file(path)
    except (Unreadable, OSError) as error:
        return error
    except MemoryError:
        return _TOO_COSTLY


def serve() -> None:
    """Answer until nobody asks any longer; see ReaderApart."""
    resource.setrlimit(resource.RLIMIT_DATA, (_DATA_BYTES, _DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever interrupts the command means the process that asks.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        path = _message(sys.stdin.buffer)
        if path is None:
            return
        answer = pickle.dumps(_answer(os.fsdecode(path)), protocol=pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.write(_LENGTH.pack(len(answer)) + answer)
        sys.stdout.buffer.flush()
