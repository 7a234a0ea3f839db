"""A fake Spack in a process of its own, and a server that remembers what was reported to it."""

import base64
import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import spackmon.client
from tests.waiting import GIVE_UP_SECONDS, until

FAKE = Path(__file__).with_name("fake")
EXTENSION = Path(spackmon.client.__file__).with_name("spack-monitor")
VARIANTS = ("0.23", "1.1-new", "1.2-old", "1.2-new")
TOKEN = "a-token"
_LOOK_SECONDS = 0.02

Line = dict[str, Any]


@dataclass
class Spack:
    """One installation of a fake Spack below `root`."""

    root: Path
    variant: str = "1.2-old"
    url: str | None = None
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """`spack ARGUMENTS`, running."""
        known = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FAKE),
            "PYTHONUNBUFFERED": "1",
            "FAKE_SPACK": self.variant,
            "FAKE_ROOT": str(self.root),
            "FAKE_EXTENSION": str(EXTENSION),
            "AWS_SECRET_ACCESS_KEY": "hunter2",
        }
        if self.url is not None:
            # A server that answers is waited for, and no phase counts as long, however busy the machine is.
            known |= {
                "SPACKMON_URL": self.url,
                "SPACKMON_TOKEN": TOKEN,
                "SPACKMON_WAIT_SECONDS": str(GIVE_UP_SECONDS),
                "SPACKMON_LOG_SECONDS": str(GIVE_UP_SECONDS),
            }
        return subprocess.Popen(
            [self.python, "-m", "spack.main", *arguments],
            env=known | self.environment | environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def __call__(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Its exit status, output and complaints."""
        process = self.start(*arguments, **environment)
        output, complaints = process.communicate(timeout=GIVE_UP_SECONDS)
        return process.returncode, output, complaints

    @property
    def spool(self) -> Path:
        """Where reports wait, unless the environment says otherwise."""
        return self.root / "home" / ".spack" / "monitor"

    def waiting(self) -> list[Line]:
        """The lines that wait, in order."""
        paths = [path for path in self.spool.glob("*/*.json") if path.name[:17].isdigit()]
        items = [json.loads(path.read_text()) for path in sorted(paths, key=lambda path: path.name)]
        return [item["line"] for item in items]


@dataclass
class Recorder:
    """A server that takes reports and answers `status`; `lines` is what it took, in order.

    `refusal` is its answer to any other status than 200, `refused` how often it gave it.
    """

    url: str = ""
    lines: list[Line] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    status: int = 200
    refusal: dict[str, Any] = field(default_factory=lambda: {"message": "no"})
    refused: int = 0
    may_answer: threading.Event = field(default_factory=threading.Event)
    is_asked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    def of(self, package: str) -> list[Line]:
        """What was reported of one package; its name is told with the first report."""
        keys = {line["source"]["key"] for line in self.lines if line.get("package") == package}
        return [line for line in self.lines if line.get("source", {}).get("key") in keys]

    def wait_for(self, count: int) -> None:
        """Until so many lines have come."""
        until(lambda: len(self.lines) >= count, f"report {count}")


@contextmanager
def recording() -> Iterator[Recorder]:
    """A recorder that serves for as long as the block."""
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            recorder.authorizations.add(self.headers["Authorization"])
            recorder.is_asked.set()
            recorder.may_answer.wait(GIVE_UP_SECONDS)
            if recorder.status != 200:
                recorder.refused += 1
                answers = json.dumps(recorder.refusal).encode()
            else:
                assert self.path == "/api/submissions", self.path
                lines = [json.loads(line) for line in gzip.decompress(body).splitlines()]
                recorder.lines += lines
                answers = b"".join(
                    json.dumps({"line": number, "status": "created"}).encode() + b"\n"
                    for number in range(1, len(lines) + 1)
                )
            self.send_response(recorder.status)
            self.send_header("Content-Length", str(len(answers)))
            self.end_headers()
            self.wfile.write(answers)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # So often it looks whether it shall stop; the library's half a second would be waited for by every test.
    thread = threading.Thread(target=server.serve_forever, args=[_LOOK_SECONDS], daemon=True)
    thread.start()
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()


def log_of(owner: Line, name: str) -> str | None:
    """A log of a line or of a phase, in whichever form it came."""
    packed = owner.get(f"{name}_base64")
    text: str | None = owner.get(name)
    return text if packed is None else gzip.decompress(base64.b64decode(packed)).decode()


def phases_of(lines: list[Line]) -> dict[str, Line]:
    """What several reports of one build say of its phases, taken together."""
    phases: dict[str, Line] = {}
    for line in lines:
        for phase in line.get("phases", []):
            known = phases.setdefault(phase["name"], {})
            known.update((key, value) for key, value in phase.items() if key not in known)
    return phases
