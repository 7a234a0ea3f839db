"""`python -m spackmon.client.reader`: reads for another process what lies at some paths.

Standard input is the JSON of `read_paths`' arguments. Standard output has what that gives, pickled, each
after its size in SIZE_BYTES; a size of 0 is the end of it.
"""

import json
import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from functools import partial
from io import BytesIO
from operator import attrgetter
from typing import IO, Any

from spackmon.client.reading import Read, read_paths
from spackmon.errors import Refused
from spackmon.garbage import uncollected
from spackmon.graph.spec import Edge, SpecNode

SIZE_BYTES = 8


def main() -> None:
    """Read until all is read, or until the other process closes its end."""
    # From a terminal it goes to both, and the other one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    paths, spack_version, tags = json.load(sys.stdin)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    with suppress(BrokenPipeError), answers, uncollected():
        for read in read_paths(paths, spack_version, tuple(tags)):
            with uncollected():
                _send(answers, pickled(read))
        _send(answers, b"")


def _send(answers: IO[bytes], data: bytes) -> None:
    rest = memoryview(len(data).to_bytes(SIZE_BYTES) + data)
    while rest:
        rest = rest[answers.write(rest) :]


def pickled(read: Read) -> bytes:
    """What `pickle.loads` makes the same of."""
    written = BytesIO()
    _Pickler(written, pickle.HIGHEST_PROTOCOL).dump(read)
    return written.getvalue()


def _by_fields(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    values = attrgetter(*(field.name for field in fields(kind)))
    return lambda one: (kind, values(one))


def _by_parts(refused: Refused) -> tuple[Any, ...]:
    # What stands in this module is of another one there: here it is the program.
    made = partial(Refused, status=refused.status, position=refused.position)
    return made, (refused.code, refused.sentence)


class _Pickler(pickle.Pickler):
    # The way of dataclasses takes ten times as long: a graph has hundreds of nodes and edges.
    dispatch_table = {  # noqa: RUF012 -- pickle's own form
        SpecNode: _by_fields(SpecNode), Edge: _by_fields(Edge), Refused: _by_parts,
    }  # fmt: skip


if __name__ == "__main__":
    main()
