"""Keeps one worker on the listening sockets, and replaces it without refusing or cutting a connection.

The sockets belong to this process, which never accepts from them. The first worker reads the settings and
hands over the socket that it made by them: what knows settings takes 70 MB, and a quarter of the start. At
SIGHUP this process starts a worker with the program and the settings of now; when that serves, the old one
stops accepting, finishes what it has begun, and ends. A worker that dies is replaced. SIGTERM and SIGINT end
all.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
# A worker that dies again and again must not take the machine with it.
_PAUSE_SECONDS = 1.0
_MESSAGE_BYTES = 4096


@dataclass(slots=True)
class _Worker:
    """A process that serves or is about to; it says so through `link`, whose end ends it."""

    process: subprocess.Popen[bytes]
    link: socket.socket

    def close(self) -> None:
        """Its process is gone."""
        self.link.close()


@dataclass(slots=True)
class Supervisor:
    """`sockets` are those that somebody else made, if any; `environment` is that of the workers.

    The first worker greets whoever started `program`.
    """

    sockets: Sequence[socket.socket]
    environment: dict[str, str]
    program: str
    _serving: _Worker | None = None
    _coming: _Worker | None = None
    _leaving: list[_Worker] = field(default_factory=list)
    _is_stopping: bool = False
    _has_served: bool = False
    _has_terminal: bool = False
    _start_at_seconds: float | None = None

    def run(self) -> int:
        """Serve until a signal ends it; the exit code, which is the worker's if the first never served."""
        wakeup, woken = socket.socketpair()
        wakeup.setblocking(False)
        woken.setblocking(False)
        self._has_terminal = _has_terminal()
        for handled in _SIGNALS:
            signal.signal(handled, lambda *_: None)
        signal.set_wakeup_fd(wakeup.fileno())
        self._start()
        while True:
            self._wait(woken)
            for number in _received(woken):
                self._handle(number)
            if (code := self._look_at_workers()) is not None:
                return code

    def _wait(self, woken: socket.socket) -> None:
        waited_for = [woken]
        if self._coming is not None:
            waited_for.append(self._coming.link)
        pause = (
            None if self._start_at_seconds is None else max(0.0, self._start_at_seconds - time.monotonic())
        )
        select.select(waited_for, (), (), pause)

    def _handle(self, number: int) -> None:
        if number == signal.SIGHUP and not self._is_hung_up():
            # One that is starting may have read the settings before they were changed.
            if self._coming is not None:
                self._coming.process.kill()
                # The address that it listens at must be free for the next.
                self._coming.process.wait()
                self._coming.close()
            self._start()
        elif number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            _notify("STOPPING=1")
            # Whoever connects now is refused at once, or waits at systemd's socket for the next service.
            for listening in self.sockets:
                listening.close()
            for worker in self._workers():
                # Who asks twice does not want to wait for the last requests.
                (worker.process.kill if self._is_stopping else worker.process.terminate)()
            self._is_stopping = True

    def _is_hung_up(self) -> bool:
        """The terminal in which this was started is gone, and whoever watched it with it."""
        return self._has_terminal and not _has_terminal()

    def _workers(self) -> list[_Worker]:
        return [worker for worker in (self._serving, self._coming, *self._leaving) if worker is not None]

    def _start(self) -> None:
        self._start_at_seconds = None
        link, of_worker = socket.socketpair()
        handed_on = [one.fileno() for one in self.sockets]
        greets = [] if self._has_served else [self.program]
        process = subprocess.Popen(  # noqa: S603 -- this program itself
            [sys.executable, "-m", "spackmon.cli.worker",
             ",".join(map(str, handed_on)), str(of_worker.fileno()), *greets],
            env=self.environment, pass_fds=[*handed_on, of_worker.fileno()], stdin=subprocess.DEVNULL,
            # Ctrl-C is for this process, which lets the worker finish.
            start_new_session=True,
        )  # fmt: skip
        of_worker.close()
        self._coming = _Worker(process, link)

    def _look_at_workers(self) -> int | None:
        """See who serves now and who is gone; an exit code when nobody is left."""
        if self._coming is not None and _is_readable(self._coming.link):
            self._arrived(self._coming)
        for worker in self._leaving[:]:
            if worker.process.poll() is not None:
                self._leaving.remove(worker)
                worker.close()
        if self._serving is not None and self._serving.process.poll() is not None:
            worker, self._serving = self._serving, None
            worker.close()
            if not self._is_stopping:
                _log("worker_died", worker)
                self._start_at_seconds = time.monotonic() + _PAUSE_SECONDS
        if self._is_stopping:
            return None if self._workers() else 0
        if self._start_at_seconds is not None and time.monotonic() >= self._start_at_seconds:
            if self._coming is None:
                self._start()
            self._start_at_seconds = None
        if not self._has_served and not self._workers():
            return 1
        return None

    def _arrived(self, worker: _Worker) -> None:
        """The worker that is starting says that it serves, or is gone."""
        self._coming = None
        message, sockets, *_ = socket.recv_fds(worker.link, _MESSAGE_BYTES, maxfds=1)
        if not message:
            self._failed(worker)
            return
        if self._serving is not None:
            self._serving.process.terminate()
            self._leaving.append(self._serving)
        self._serving = worker
        if not self._has_served:
            self._has_served = True
            # Of the next workers, whatever the settings will say: the sockets stay.
            self.environment |= json.loads(message)
            self.sockets = self.sockets or [socket.socket(fileno=one) for one in sockets]
        _notify("READY=1")

    def _failed(self, worker: _Worker) -> None:
        worker.process.wait()
        worker.close()
        if self._is_stopping or not self._has_served:
            return
        # Its own last line says why.
        _log("worker_did_not_start", worker)
        if self._serving is None:
            self._start_at_seconds = time.monotonic() + _PAUSE_SECONDS


def _received(woken: socket.socket) -> bytes:
    try:
        return woken.recv(1024)
    except BlockingIOError:
        return b""


def _is_readable(link: socket.socket) -> bool:
    return bool(select.select((link,), (), (), 0)[0])


def _log(event: str, worker: _Worker) -> None:
    # It hardly ever happens, and the library would be half of this process.
    import structlog

    from spackmon.ops.logging import configure_logging

    configure_logging()
    structlog.get_logger().error(event, exit_code=worker.process.returncode)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _notify(state: str) -> None:
    """Notify systemd (sd_notify(3)), if it asked for that."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        address = f"\0{address[1:]}" if address.startswith("@") else address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.sendto(state.encode(), address)
