"""Much to import is read by a process of its own, while this one writes what was read before.

Reading is a third of an import. A thread gains nothing there: it would share one interpreter with the store.
"""

import json
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Thread
from typing import IO

from spackmon.client.reader import SIZE_BYTES
from spackmon.client.reading import Read, is_address, read_paths
from spackmon.errors import Code, Refused
from spackmon.formats.bytes.archives import is_archive
from spackmon.formats.tree_walk import read_tree

# As much is read while a process starts.
_MUCH_BYTES = 8 << 20
_MOST_WAITING_BYTES = 16 << 20
_SECONDS_TO_END = 5.0


@contextmanager
def reading(
    paths: Sequence[str], spack_version: str | None, tags: tuple[str, ...], *, beside: bool
) -> Iterator[Iterator[Read]]:
    """What `read_paths` gives of these; if `beside`, by a process of its own where that is worth it.

    Where that process ends before all is read, the last that it gives is Refused IMPORT_INTERRUPTED.
    """
    if not (beside and _has_other_processor() and _is_much(paths)):
        yield read_paths(paths, spack_version, tags)
        return
    # -P: without modules out of the directory in which the command was typed.
    command = [sys.executable, "-P", "-m", "spackmon.client.reader"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 -- ours
    waiting = _Waiting(process, json.dumps([paths, spack_version, tags]).encode())
    Thread(target=waiting.fill, daemon=True).start()
    try:
        yield waiting.reads(paths)
    finally:
        waiting.leave()
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()


def _has_other_processor() -> bool:
    usable = getattr(os, "sched_getaffinity", None)  # macOS has none
    return (os.cpu_count() or 1 if usable is None else len(usable(0))) > 1


def _is_much(paths: Sequence[str]) -> bool:
    size_bytes = 0
    for path in paths:
        if is_address(path):
            return False
        for part_bytes in _sizes_bytes(Path(path)):
            size_bytes += part_bytes
            if size_bytes > _MUCH_BYTES:
                return True
    return False


def _sizes_bytes(path: Path) -> Iterator[int]:
    """Of what would be read at a path; an archive is not unpacked to see that."""
    with suppress(OSError, ValueError):
        if path.is_file() and is_archive(path):
            yield path.stat().st_size
        else:
            yield from (readable.size_bytes for readable in read_tree(path))


class _Waiting:
    """What the other process read and is still to be written, up to some bytes: it waits for room."""

    def __init__(self, process: subprocess.Popen[bytes], arguments: bytes) -> None:
        self._process = process
        self._arguments = arguments
        self._pickles: deque[bytes] = deque()
        self._size_bytes = 0
        self._is_whole = self._is_ended = self._is_left = False
        self._changed = Condition()

    def fill(self) -> None:
        """Take what comes, until its end or until nobody wants it; for a thread of its own."""
        given, taken = self._process.stdin, self._process.stdout
        if given is None or taken is None:
            raise TypeError("the process has no pipes")
        with taken:
            # It may have ended: then nothing comes.
            with suppress(BrokenPipeError), given:
                given.write(self._arguments)
            while (data := _message(taken)) and self._add(data):
                pass
            with self._changed:
                self._is_whole = data is not None
                self._is_ended = True
                self._changed.notify()

    def _add(self, data: bytes) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._size_bytes < _MOST_WAITING_BYTES or self._is_left)
            self._pickles.append(data)
            self._size_bytes += len(data)
            self._changed.notify()
            return not self._is_left

    def reads(self, paths: Sequence[str]) -> Iterator[Read]:
        """What was read, in its order; `paths` are named where it is not all."""
        while (data := self._next()) is not None:
            read: Read = pickle.loads(data)  # noqa: S301 -- of our own process
            yield read
        if not self._is_whole:
            sentence = "not all of it was read: the process that reads ended, as one does that lacks memory"
            yield Read(", ".join(paths), Refused(Code.IMPORT_INTERRUPTED, sentence), 0, is_last=True)

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pickles or self._is_ended)
            if not self._pickles:
                return None
            data = self._pickles.popleft()
            self._size_bytes -= len(data)
            self._changed.notify()
            return data

    def leave(self) -> None:
        """Nothing more is wanted: its pipe is closed, at which the other process ends."""
        with self._changed:
            self._is_left = True
            self._changed.notify()


def _message(pipe: IO[bytes]) -> bytes | None:
    """The next message, an empty one at the end of all; None where the other process ended before."""
    size_bytes = pipe.read(SIZE_BYTES)
    if len(size_bytes) < SIZE_BYTES:
        return None
    data = pipe.read(int.from_bytes(size_bytes))
    return data if len(data) == int.from_bytes(size_bytes) else None
