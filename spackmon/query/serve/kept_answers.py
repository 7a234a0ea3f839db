"""Answers about specs alone, kept as bytes until something changes that is stored of specs.

Specs hardly change: a new one is stored, or a document completes one. Each transaction that does so leaves
another revision behind (`ingest.tables.revisions`), which a statement about specs reads in the snapshot of
its answer. An answer is given again if the revision is still the same in a snapshot that began after the
request came. That snapshot is one for all who ask at the same time.
"""

import asyncio
import json
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from spackmon.database import Reader
from spackmon.database.replicas import AS_OF_SECONDS
from spackmon.query.meanings.statement import SPEC_REVISION
from spackmon.query.serve.preparation import FEW_VALUES, Request
from spackmon.query.sql.values import is_deeper, value_count
from spackmon.recent import Recent

_BYTES_OF_AN_ENTRY = 600
_MOST_LEVELS = 20


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A response's body, the revision of specs in the snapshot that it is of, and the operation's name."""

    revision: bytes
    body: bytes
    name: str | None


class KeptIntrospection:
    """What was answered about the schema, within the budget of `kept`: nothing else changes it."""

    def __init__(self, kept: Recent) -> None:
        self._kept = kept

    def get(self, request: Request) -> Mapping[str, bytes] | None:
        """The members of the answer that are introspection, by their keys; None where they are not kept."""
        key = self._key(request)
        members: Mapping[str, bytes] | None = None if key is None else self._kept.get(key)
        return members

    def put(self, request: Request, members: Mapping[str, bytes]) -> None:
        """Keep them."""
        key = self._key(request)
        if key is not None:
            size = sum(_BYTES_OF_AN_ENTRY + len(member) for member in members.values())
            self._kept.put(key, members, size)

    def _key(self, request: Request) -> Hashable:
        asked = _asked(request)
        return None if asked is None else ("introspection", *asked)


class KeptAnswers:
    """The answers, within the budget of `kept`."""

    def __init__(self, kept: Recent, reader: Reader) -> None:
        self._kept = kept
        self._revision = _Revision(reader)

    async def get(self, request: Request) -> KeptAnswer | None:
        """The answer, if it is what the database would answer now. Raises Refused as a Reader does."""
        # Most documents are not about specs alone: what they ask is not looked at further.
        if self._kept.get(_mark(request)) is None:
            return None
        key = self._key(request)
        answer: KeptAnswer | None = None if key is None else self._kept.get(key)
        if answer is None or answer.revision != await self._revision.now():
            return None
        return answer

    def put(self, request: Request, answer: KeptAnswer) -> bool:
        """Keep an answer; False for a request that is not looked up."""
        key = self._key(request)
        if key is None:
            return False
        self._kept.put(_mark(request), True, _BYTES_OF_AN_ENTRY)
        self._kept.put(key, answer, _BYTES_OF_AN_ENTRY + len(answer.body))
        return True

    def _key(self, request: Request) -> Hashable:
        """What an answer depends on beside the database; None for a request that is not looked up."""
        asked = _asked(request)
        if asked is None:
            return None
        viewer = request.viewer
        return "answer", *asked, tuple(viewer.facts.items()), viewer.sees_all, request.limits is None


def _mark(request: Request) -> Hashable:
    """What is kept of a document of which an answer is."""
    return "answered", request.document_key


def _asked(request: Request) -> tuple[Hashable, ...] | None:
    """What a request asks; None where its variables are more than is looked up."""
    variables = request.variables
    if value_count(variables, FEW_VALUES) > FEW_VALUES or is_deeper(variables, _MOST_LEVELS):
        return None
    return request.document_key, request.operation_name, json.dumps(variables)


class _Revision:
    """The revision of specs, read once for all who ask while another reading is under way."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._running: asyncio.Task[bytes] | None = None
        self._next: asyncio.Task[bytes] | None = None

    async def now(self) -> bytes:
        """As it is in a snapshot that begins after this is called."""
        if self._next is None:
            self._next = asyncio.create_task(self._read(self._running))
        # Others wait for it, too, when this request is given up.
        return await asyncio.shield(self._next)

    async def _read(self, before: asyncio.Task[bytes] | None) -> bytes:
        if before is not None and not before.done():
            await asyncio.wait((before,))
        self._running, self._next = self._next, None
        # One reading is for whoever waits for it, each of whom may have written just now.
        AS_OF_SECONDS.set(math.inf)
        return await self._reader.fetch(SPEC_REVISION, {})
