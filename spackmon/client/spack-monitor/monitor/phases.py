"""The phases of a build, seen from within the process that builds: names, seconds, resources and logs.

A log is not read here, which would take its time: where it is, and from where to where, is enough.
"""

import array
import os
import sys
import time
from multiprocessing import util
from typing import Any, Dict, Optional, Tuple

from . import resources
from .journal import Journal

# Not when they are needed: that is within the build's sandbox, where Python's own files may be out of reach.
try:
    import fcntl
    import termios
except ImportError:  # Windows
    fcntl = termios = None  # type: ignore[assignment]

# A build shall not lose 20 ms in a phase.
_DRAIN_SECONDS = 0.012
_STILL_SECONDS = 0.001
_PHASE_LINE_BYTES = 300


class PhaseWatch:
    """The phases of a build, in the process that builds: how long each took and where its log is.

    A phase is first written down as failed, to be replaced when it is not; for of a failure nothing is heard
    here. What it had used is added as its process ends, if that ends by itself.
    """

    def __init__(self, journal: Journal) -> None:
        # The new installer has one log for all phases, in the stage or linked from there; the old one a log
        # for each. None: nobody knows.
        self.has_one_log: Optional[bool] = None
        self._journal = journal
        self._number = 0
        self._name: Optional[str] = None
        self._began_at = 0.0
        self._used: Optional[resources.Usage] = None
        self._at_exit: Optional[util.Finalize] = None
        self._start: Optional[int] = None

    def starts(self, original: Any, phase: Any, *arguments: Any, **named: Any) -> Any:
        """Spack is about to run a phase, unless it was told to stop before it."""
        returned = original(phase, *arguments, **named)
        self._journal.guard(self._begin)(phase)
        return returned

    def exits(self, original: Any, phase: Any, *arguments: Any, **named: Any) -> Any:
        """Spack has run it."""
        self._journal.guard(self._end)(phase)
        return original(phase, *arguments, **named)

    def _begin(self, phase: Any) -> None:
        package = phase.builder.pkg
        spec_hash = package.spec.dag_hash()
        self._number += 1
        self._began_at = time.time()
        if self._number == 1:
            has_one = os.path.islink(package.log_path) if self.has_one_log is None else self.has_one_log
            self._start = _start_of_phases(package.log_path) if has_one else None
            stage: Dict[str, Any] = {"name": "stage", "status": "SUCCESS"}
            if self._start:
                stage["log"] = _slice(package, 0, self._start)
            self._journal.phase(spec_hash, stage, until=None)
        failed = {
            "name": phase.name,
            "status": "ERROR",
            "began_at": self._began_at,
            "log": self._log(phase, None),
        }
        self._name = self._journal.phase(spec_hash, failed, until="end")
        self._used = resources.used()
        failing = spec_hash, failed
        self._at_exit = util.Finalize(None, self._journal.guard(self._fail), failing, exitpriority=1)

    def _fail(self, spec_hash: str, failed: Dict[str, Any]) -> None:
        """The process ends within a phase."""
        used = resources.since(self._used)
        self._journal.phase(spec_hash, dict(failed, **used), until="end", instead_of=self._name)

    def _end(self, phase: Any) -> None:
        package = phase.builder.pkg
        seconds, used = time.time() - self._began_at, resources.since(self._used)
        if self._at_exit is not None:
            self._at_exit.cancel()
        end = None if self._start is None else _flushed_size(package.log_path)
        done = {
            "name": phase.name,
            "status": "SUCCESS",
            "duration_seconds": seconds,
            "log": self._log(phase, end),
            **used,
        }
        until = "next" if end is None else None
        self._journal.phase(package.spec.dag_hash(), done, until, instead_of=self._name)
        self._start = end

    def _log(self, phase: Any, end: Optional[int]) -> Any:
        package = phase.builder.pkg
        if self._start is not None:
            return _slice(package, self._start, end)
        name = f"spack-build-{self._number:02d}-{phase.name.lower()}-out.txt"
        return os.path.join(os.path.dirname(package.log_path), name), 0, None, None


def _slice(package: Any, start: int, end: Optional[int]) -> Tuple[str, int, Optional[int], str]:
    later_path = os.path.join(str(package.spec.prefix), ".spack", "spack-build-out.txt.gz")
    return os.path.realpath(package.log_path), start, end, later_path


def _start_of_phases(log_path: str) -> int:
    """Where the log of the first phase begins: at the line that names it, if the installer writes one."""
    size = _flushed_size(log_path)
    with open(log_path, "rb") as log:
        log.seek(max(0, size - _PHASE_LINE_BYTES))
        last_line = log.read(_PHASE_LINE_BYTES).splitlines(True)[-1:]
    if last_line and b": Executing phase: " in last_line[0]:
        size -= len(last_line[0])
    return size


def _flushed_size(log_path: str) -> int:
    """How long a log is, when what the build has written so far has come to it through its pipe."""
    sys.stdout.flush()
    sys.stderr.flush()
    deadline = time.time() + _DRAIN_SECONDS
    while time.time() < deadline:
        # What Spack's thread has taken from the pipe it may still have to write; sleeping, it is let do so.
        size = os.path.getsize(log_path)
        time.sleep(_STILL_SECONDS)
        if not _is_piped() and _are_threads_waiting() and size == os.path.getsize(log_path):
            break
    return os.path.getsize(log_path)


def _is_piped() -> bool:
    """Whether something waits in the pipe behind the standard output."""
    if fcntl is None:
        return False
    waiting = array.array("i", [0])
    try:
        fcntl.ioctl(1, termios.FIONREAD, waiting)
    except OSError:
        return False
    return waiting[0] > 0


def _are_threads_waiting() -> bool:
    """Whether no thread but this one has anything to do, as far as the system tells."""
    tasks = "/proc/self/task"
    try:
        for task in os.listdir(tasks):
            with open(os.path.join(tasks, task, "stat")) as status:
                state = status.read().rpartition(")")[2].split()[0]
            if state != "S" and task != str(os.getpid()):
                return False
    except OSError:
        pass
    return True
