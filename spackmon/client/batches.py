"""Reports sent to `POST /api/submissions`, some at a time; a batch is named after what is in it.

Whoever is cut off and sends the same reports again, even from another process, therefore sends the same
batches, and the server goes on where it was.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from spackmon.client.transport import Answer, Transport, refusal
from spackmon.errors import Code, Refused

try:
    import zstandard
except ImportError:  # what only sends need not have it
    zstandard = None  # type: ignore[assignment]

PATH = "/api/submissions"

# Few enough that a batch is written within a server's patience, and small beside the program.
_BATCH_LINES = 500
_BATCH_BYTES = 4 << 20

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Sent(Generic[Name]):
    """What became of a line: `status` is `created`, `changed`, `known` or `refused` (then why).

    `name` is what the sender calls it; `build_id` and `spec_hash` as in docs/reports.md.
    """

    name: Name
    status: str
    build_id: str | None
    spec_hash: str | None
    refused: Refused | None


def send_lines(transport: Transport, lines: Iterable[tuple[Name, bytes]]) -> Iterator[Sent[Name]]:
    """Send named lines; what became of each, in order. Raises Refused when a batch is not taken at all."""
    names: list[Name] = []
    batch: list[bytes] = []
    batch_bytes = 0
    for name, line in lines:
        if batch and (len(batch) >= _BATCH_LINES or batch_bytes + len(line) > _BATCH_BYTES):
            yield from _send(transport, names, batch)
            names, batch, batch_bytes = [], [], 0
        names.append(name)
        batch.append(line)
        batch_bytes += len(line)
    if batch:
        yield from _send(transport, names, batch)


def _send(transport: Transport, names: list[Name], batch: list[bytes]) -> Iterator[Sent[Name]]:
    body = b"\n".join(batch) + b"\n"
    encoding, packed = _packed(body)
    headers = {
        "Content-Type": "application/x-ndjson",
        "Content-Encoding": encoding,
        "Idempotency-Key": f"sha256:{hashlib.sha256(body).hexdigest()}",
    }
    answer = transport.request("POST", PATH, packed, headers)
    if answer.status != 200:
        raise refusal(answer)
    outcomes = _outcomes(transport, answer)
    if len(outcomes) != len(names):
        raise _no_monitor(transport)
    for name, line in zip(names, outcomes, strict=True):
        yield _sent(name, line)


def _outcomes(transport: Transport, answer: Answer) -> list[dict[str, object]]:
    try:
        lines = [json.loads(line) for line in answer.body.splitlines()]
    except ValueError:
        raise _no_monitor(transport) from None
    if not all(isinstance(line, dict) for line in lines):
        raise _no_monitor(transport)
    return lines


def _sent(name: Name, line: dict[str, object]) -> Sent[Name]:
    status = str(line.get("status"))
    refused = None
    if status == "refused":
        refused = Refused.reported(str(line.get("code")), str(line.get("message")))
    build_id, spec_hash = line.get("build"), line.get("spec")
    return Sent(
        name,
        status,
        None if build_id is None else str(build_id),
        None if spec_hash is None else str(spec_hash),
        refused,
    )


def _packed(body: bytes) -> tuple[str, bytes]:
    if zstandard is not None:
        return "zstd", zstandard.compress(body)
    return "gzip", gzip.compress(body, compresslevel=6, mtime=0)


def _no_monitor(transport: Transport) -> Refused:
    return Refused(Code.NO_MONITOR, f"{transport.base} did not answer as a monitor does")
