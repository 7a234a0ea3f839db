"""Sends what waits in the spool: a process of its own beside an install, or within `spack monitor flush`.

A process, because Spack forks for every build, and a thread's locks do not survive that; of its own session,
so that Ctrl-C ends the install and not the report about it.
"""

import contextlib
import gzip
import hashlib
import json
import os
import select
import sys
import time
import urllib.error
import urllib.request
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from . import files
from . import settings as settings_module
from .packing import Packer
from .settings import Settings
from .spool import Run, Spool

_BATCH_LINES = 200
_BATCH_BYTES = 8 << 20
_TIMEOUT_SECONDS = 60
_LOOK_SECONDS = 0.25
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
# How long a sender goes on trying when its install is over; then the next one or `flush` does.
_LINGER_SECONDS = 60.0
_SHORT_ANSWER_BYTES = 64 << 20
_REFUSAL_BYTES = 64 << 10
_TOO_LARGE = "BODY_TOO_LARGE"


class Away(Exception):  # noqa: N818 -- as below, says what it is about
    """The server takes nothing now; its text says why."""


class Refusing(Away):
    """The server will not take it until somebody changes something, such as the token."""


class TooLarge(Exception):  # noqa: N818
    """The server will not take so much at once."""


class _Batch(NamedTuple):
    names: List[str]
    lines: List[bytes]


class Sender:
    """Sends the runs of one spool to one server."""

    def __init__(self, spool: Spool, settings: Settings) -> None:
        self._spool = spool
        self._settings = settings
        self._packers: Dict[str, Packer] = {}
        self._opener = urllib.request.build_opener(_NoRedirect())

    def send(self, run: Run, is_over: bool) -> Optional[int]:
        """Pack and send what there is of a run; how many reports were taken. Raises Away.

        A run that is over and has nothing left is removed. One that somebody else sends is left alone: None.
        """
        taken = 0
        with run.held() as is_ours:
            if not is_ours:
                return None
            packer = self._packers.setdefault(run.id, Packer(run))
            packer.pack(is_over)
            # Once, but for a full disk, where each report that is sent makes room for the next.
            for _ in run.names() if self._settings.url is not None else ():
                for batch in _batches(run, packer.unwritten):
                    taken += self._deliver(run, batch)
                run.is_away = False
                if not packer.unwritten:
                    break
                packer.pack(is_over)
            if is_over and not run.names():
                run.end()
                del self._packers[run.id]
        return taken

    def send_growing(self, run: Run) -> None:
        """Send what phases that go on have written so far. Raises Away."""
        with run.held() as is_ours:
            packer = self._packers.get(run.id)
            lines = packer.growing(self._settings.log_seconds) if is_ours and packer is not None else []
            for line in lines:
                # The phase's own report has what was too large, or is refused for what it is.
                with contextlib.suppress(TooLarge):
                    self._post(_Batch([], [_line(line)]))

    def try_out(self) -> None:
        """Ask whether the server would take reports from us. Raises Away."""
        self._post(_Batch([], []))

    def pack(self, run: Run) -> None:
        """Read what the disk has of a run's logs as long as it has them."""
        packer = self._packers.setdefault(run.id, Packer(run))
        with run.held() as is_ours:
            # On a full disk it would be read in vain again and again.
            if is_ours and not packer.unwritten:
                packer.pack(is_over=False)

    def _deliver(self, run: Run, batch: _Batch) -> int:
        if not batch.names:
            return 0
        try:
            answers = self._post(batch)
        except TooLarge as problem:
            if len(batch.names) > 1:
                middle = len(batch.names) // 2
                halves = (
                    _Batch(batch.names[:middle], batch.lines[:middle]),
                    _Batch(batch.names[middle:], batch.lines[middle:]),
                )
                return sum(self._deliver(run, half) for half in halves)
            answers = self._post_without_logs(batch, problem)
        taken = 0
        for name, answer in zip(batch.names, answers):
            if answer.get("status") == "refused":
                self._spool.log(
                    "a report was refused, {}: {} (the server kept it as {})".format(
                        answer.get("code"), answer.get("message"), answer.get("inbox")
                    )
                )
            else:
                taken += 1
            run.remove(name)
        if len(answers) < len(batch.names):
            raise Away("the server's answer was cut off")
        return taken

    def _post_without_logs(self, batch: _Batch, problem: TooLarge) -> List[Dict[str, Any]]:
        self._spool.log(f"a report is sent without its logs: {problem}")
        line = json.loads(batch.lines[0].decode("ascii"))
        for owner in [line, *line.get("phases", [])]:
            for field in ("log", "log_base64", "output", "output_base64"):
                owner.pop(field, None)
        try:
            return self._post(_Batch(batch.names, [_line(line)]))
        except TooLarge:
            return [{"status": "refused", "code": _TOO_LARGE, "message": str(problem)}]

    def _post(self, batch: _Batch) -> List[Dict[str, Any]]:
        content = b"".join(batch.lines)
        headers = {
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
            "Idempotency-Key": hashlib.sha256(content).hexdigest(),
            "User-Agent": "spack-monitor",
        }
        if self._settings.token:
            headers["Authorization"] = "Bearer " + self._settings.token
        url = f"{self._settings.url}/api/submissions"
        body = gzip.compress(content, 1)
        request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 -- http(s) alone
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                return _answers(response.read(_SHORT_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                said = _said(error)
            problem = "the server answered {}: {}".format(error.code, said.get("message", error.reason))
            if said.get("error", _TOO_LARGE) == _TOO_LARGE and error.code == 413:
                raise TooLarge(problem) from None
            # An older server, or something between, does not say whether to try again.
            raise (Refusing if said.get("retryable") is False else Away)(problem) from None
        except Exception as error:  # http.client and ssl raise errors of their own beside OSError
            reason = getattr(error, "reason", None) or error
            raise Away(f"{url} does not answer: {reason}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token is for one server: it does not go where an answer points to."""

    def redirect_request(self, *_: Any) -> None:
        return None


def main() -> None:
    """The process beside an install; its arguments: the run's directory, the login's file, the spool.

    The install holds the other end of its input, and with it every process that it has forked.
    """
    run_directory, login_file, spool_directory = sys.argv[1:]
    settings = settings_module.read(login_file, spool_directory)
    spool = Spool(spool_directory, settings.maximum_bytes)
    try:
        _Beside(spool, settings, Run(run_directory)).work()
    except Exception as problem:
        spool.log(f"the sender ended: {problem!r}")


class _Beside:
    def __init__(self, spool: Spool, settings: Settings, run: Run) -> None:
        self._spool, self._settings, self._run = spool, settings, run
        self._sender = Sender(spool, settings)
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._next_try = 0.0
        self._was_logged = ""
        self._is_refused = False

    def work(self) -> None:
        """Until the install is over and everything was sent, or that was tried long enough."""
        deadline: Optional[float] = None
        is_over = False
        while True:
            if not is_over:
                is_over = _is_over(_LOOK_SECONDS)
            elif deadline is None:
                deadline = time.time() + _LINGER_SECONDS
                # The one try that the install may wait for comes at once.
                self._next_try = 0.0
            is_done = self._pass(is_over)
            if is_over and (is_done or (deadline is not None and time.time() > deadline)):
                return
            if is_over:
                time.sleep(_LOOK_SECONDS)

    def _pass(self, is_over: bool) -> bool:
        """Pack, and send if it is time to; whether there is nothing left to do."""
        if time.time() < self._next_try or (self._is_refused and not is_over):
            self._sender.pack(self._run)
            return False
        try:
            self._sender.send(self._run, is_over)
            if self._settings.url is None:
                return is_over
            for run in self._spool.runs():
                if run.id != self._run.id:
                    self._sender.send(run, run.is_abandoned)
            if not is_over:
                self._sender.send_growing(self._run)
        except Away as problem:
            self._log_once(str(problem))
            self._run.is_away = True
            self._spool.trim()
            self._next_try = time.time() + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
            self._is_refused = isinstance(problem, Refusing)
            return self._is_refused
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        return not self._run.names()

    def _log_once(self, problem: str) -> None:
        if problem != self._was_logged:
            self._spool.log(problem)
        self._was_logged = problem


def _batches(run: Run, unwritten: Dict[str, Dict[str, Any]]) -> Iterator[_Batch]:
    """What is packed of a run, in order."""
    names: List[str] = []
    size_bytes = 0
    for name in run.names():
        size = run.size_bytes(name)
        if names and (len(names) >= _BATCH_LINES or size_bytes + size > _BATCH_BYTES):
            yield _batch(run, names, unwritten)
            names, size_bytes = [], 0
        names.append(name)
        size_bytes += size
    yield _batch(run, names, unwritten)


def _batch(run: Run, names: List[str], unwritten: Dict[str, Dict[str, Any]]) -> _Batch:
    packed, lines = [], []
    for name in names:
        try:
            item = run.item(name)
        except (OSError, ValueError):
            continue
        if "collect" not in item or name in unwritten:
            packed.append(name)
            lines.append(_line(unwritten.get(name) or item["line"]))
    return _Batch(packed, lines)


def _line(report: Dict[str, Any]) -> bytes:
    text = json.dumps(report, separators=(",", ":"))
    # Python has a byte of a path that is no UTF-8 as half of a pair; no database takes that, nor NUL.
    if "\\ud" in text or "\\u0000" in text:
        text = json.dumps(files.storable(report), separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def _answers(body: bytes) -> List[Dict[str, Any]]:
    """What the server said of each line; fewer when its answer is cut, none when it is no answer of ours."""
    answers: List[Dict[str, Any]] = []
    for text in body.decode("utf-8", "replace").splitlines():
        try:
            answer = json.loads(text)
        except ValueError:
            break
        if not isinstance(answer, dict) or answer.get("line") != len(answers) + 1:
            break
        answers.append(answer)
    return answers


def _said(error: urllib.error.HTTPError) -> Dict[str, Any]:
    """What the server says of its refusal; nothing where something between it and us answered."""
    try:
        said = json.loads(error.read(_REFUSAL_BYTES).decode("utf-8"))
    except Exception:
        return {}
    return said if isinstance(said, dict) else {}


def _is_over(seconds: float) -> bool:
    """Whether the install ended while this waited."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable) and os.read(sys.stdin.fileno(), 1) == b""
