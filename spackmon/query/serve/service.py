"""Runs operations: made ready once, then looked up, bound and sent on.

What is not SQL (introspection) runs in graphql-core; one operation may hold both, stitched at the root.
What a new document takes of the interpreter is taken off the event loop, a little at a time.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import structlog
from graphql import execute_sync
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from strawberry import Schema

from spackmon.database import Database, Reader
from spackmon.errors import Code, Refused
from spackmon.graph.spack_rules import SpackVersion
from spackmon.log_bucket import LogBucket
from spackmon.query.meanings.limits import Limits
from spackmon.query.meanings.registry import read_registry
from spackmon.query.meanings.statement import Plan
from spackmon.query.serve.executed import Executed, Observer
from spackmon.query.serve.export import Export
from spackmon.query.serve.kept_answers import KeptAnswer, KeptAnswers, KeptIntrospection
from spackmon.query.serve.log_chunks import LogChunks
from spackmon.query.serve.log_parts import LogParts
from spackmon.query.serve.preparation import Preparation, Prepared, Ready, Request, Subscribed
from spackmon.query.serve.refusals import (
    InvalidRequestError,
    error_body,
    graphql_error,
    member_of_gaps,
)
from spackmon.query.serve.result_bytes import ResultBytes
from spackmon.query.serve.subscriptions import Subscription, Subscriptions
from spackmon.query.serve.viewed import Privacy, ViewedReader
from spackmon.query.serve.workers import Workers
from spackmon.query.sql.unpack import Gap, is_packed, unpacked_with_gaps
from spackmon.recent import Recent
from spackmon.viewer import OPERATOR, Viewer

CACHE_BYTES = 64_000_000
_DEFAULT_LIMITS = Limits()
# Python runs one thread at a time: a second one would finish nothing sooner, and take the loop its turns.
_THREADS = 1
# A page of panels asks all of its questions at once, and each is read in some hundredths of a second.
_WAITING, _WAIT_SECONDS = 200, 10.0
# Our own documents are few, and never refused; nor is what is answered already.
_OWN_THREADS, _OWN_WAITING = 1, 10_000
_UNPACKING_THREADS = 2
# Larger answers are not searched and unpacked between two requests.
_LARGE_ANSWER_BYTES = 32_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Answer:
    """A response's body, JSON text, and whether the request itself was refused (no data at all).

    `is_kept`: it is about specs alone, and the same until one changes. `gaps` are logs that were not read.
    """

    body: bytes
    refused: bool = False
    is_kept: bool = False
    gaps: Sequence[Gap] = ()

    @property
    def tag(self) -> str:
        """A digest of the body, by which a client may say that it has it."""
        return hashlib.blake2b(self.body, digest_size=16).hexdigest()


def _extensions(executed: Executed) -> bytes:
    """The member of the response that says what it took."""
    spent = {
        "cost": executed.cost,
        "sqlStatements": executed.statements,
        "databaseMilliseconds": round(executed.database_seconds * 1000, 3),
    }
    return b',"extensions":' + json.dumps(spent).encode()


class QueryService:
    """Answers GraphQL operations over one database; what it keeps has room in `kept`."""

    def __init__(
        self,
        schema: Schema,
        database: Database,
        reader: Reader,
        limits: Limits = _DEFAULT_LIMITS,
        kept: Recent | None = None,
        spack: SpackVersion = SpackVersion.SPACK_1_2,
        subscriptions: Subscriptions | None = None,
        observers: Sequence[Observer] = (),
        bucket: LogBucket | None = None,
    ) -> None:
        """`spack` is the one by whose rules specs are judged where the operation names none.

        `bucket` has the texts of logs that are not in the database.
        """
        registry = read_registry(schema)
        self._schema = registry.schema
        self._reader = reader
        self._logs = LogParts(bucket)
        self._limits = limits
        self._exports: set[Export] = set()
        self._kept = kept = Recent(CACHE_BYTES) if kept is None else kept
        self._dialect = driver_dialect(database)
        self._preparation = Preparation(registry, self._dialect, kept, spack)
        self._answers = KeptAnswers(kept, reader)
        self._introspection = KeptIntrospection(kept)
        self._subscriptions = subscriptions
        self._observers = tuple(observers)
        self.workers = Workers(_THREADS, _WAITING, _WAIT_SECONDS)
        self._own_workers = Workers(_OWN_THREADS, _OWN_WAITING)
        self._unpackers = Workers(_UNPACKING_THREADS, _OWN_WAITING)
        self._privacy = Privacy(reader, self._dialect.name)
        self._viewer = OPERATOR

    @property
    def kept_bytes(self) -> int:
        """What documents, plans and answers take that were used before."""
        return self._kept.size_bytes

    @property
    def subscription_count(self) -> int:
        """How many subscriptions are open."""
        return 0 if self._subscriptions is None else self._subscriptions.count

    @property
    def viewer(self) -> Viewer:
        """Who asks."""
        return self._viewer

    def seen_by(self, viewer: Viewer) -> "QueryService":
        """The same service as `viewer` sees it."""
        seen = copy(self)
        seen._viewer = viewer
        seen._reader = self._privacy.reader if viewer.sees_all else ViewedReader(self._privacy, viewer)
        return seen

    async def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        explain: bool = False,
    ) -> Answer:
        """The response to one request, within the limits; every failure is an error in it, with a code.

        `explain` adds what it costs to the response's `extensions`. Raises Refused where the same may be
        answered another time: proxies and clients see that by its status and `Retry-After`.
        """
        request = Request(query, variables or {}, operation_name, self._limits, self._viewer)
        try:
            return await self._run(request, explain=explain)
        except InvalidRequestError as invalid:
            return Answer(error_body(invalid.code, invalid.errors), refused=True)
        except Refused as refused:
            if refused.code.retryable:
                raise
            return Answer(error_body(refused.code, [graphql_error(refused)], with_data=True))

    async def ask(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        is_limited: bool = False,
        takes_gaps: bool = False,
    ) -> dict[str, Any]:
        """The data of one of our own operations; Refused on an error.

        No limit is meant for them, but where a variable is a client's own (`is_limited`). `takes_gaps`: a log
        that cannot be read is null.
        """
        limits = self._limits if is_limited else None
        request = Request(query, variables or {}, None, limits, self._viewer)
        try:
            answer = await self._run(request)
        except InvalidRequestError as invalid:
            raise invalid.as_refused() from invalid
        if answer.gaps and not takes_gaps:
            raise answer.gaps[0].refused
        found: dict[str, Any] = json.loads(answer.body)["data"]
        return found

    async def export(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
    ) -> Export:
        """Streams a whole connection; the limits apply to each row, not to the total.

        Raises Refused where the operation has no answer, or is no export.
        """
        request = Request(query, variables or {}, operation_name, self._limits, self._viewer)
        try:
            planned, coerced, parameters = await self.workers.run(self._preparation.prepare_export, request)
        except InvalidRequestError as invalid:
            raise invalid.as_refused() from invalid
        return Export(planned, coerced, parameters, self._reader, self._exports, self._logs)

    async def is_subscription(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
    ) -> bool:
        """Whether it is to be subscribed to. Raises Refused where that cannot be seen."""
        request = Request(query, variables or {}, operation_name, self._limits, self._viewer)
        try:
            return await self.workers.run(self._preparation.is_subscription, request)
        except InvalidRequestError as invalid:
            raise invalid.as_refused() from invalid

    async def subscribe(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        sender: str = "",
        last_cursor: str | None = None,
    ) -> Subscription:
        """A subscription; `sender` is where it comes from, if nobody knows of whom.

        `last_cursor` is that of the last update that the sender had of it, if any. Raises Refused.
        """
        assert self._subscriptions is not None  # noqa: S101 -- the server has them
        request = Request(query, variables or {}, operation_name, self._limits, self._viewer)
        try:
            subscribed = await self.workers.run(self._preparation.prepare_subscription, request)
        except InvalidRequestError as invalid:
            raise invalid.as_refused() from invalid
        if last_cursor is not None:
            subscribed = replace(subscribed, after=last_cursor)
        if not self._viewer.sees_all:
            subscribed = await self._for_viewer(subscribed)
        person_id = self._viewer.person_id
        return await self._subscriptions.open(subscribed, sender if person_id is None else person_id)

    async def _for_viewer(self, subscribed: Subscribed) -> Subscribed:
        """A subscription to what the viewer may see, shared with those who see the same."""
        viewer = self._viewer
        if not await self._privacy.look():
            # What becomes private from now on is for none of them, until they come back.
            viewer = Viewer()
        seen = "for", viewer.person_id, viewer.is_signed_in
        reader = ViewedReader(self._privacy, viewer)
        return replace(subscribed, key=(subscribed.key, seen), reader=reader)

    def log_chunks(self, digest: bytes) -> LogChunks:
        """The log with a digest, which a question has answered to whoever asks."""
        return LogChunks(self._reader, self._dialect, digest, self._logs)

    def result_bytes(self, result_id: int) -> ResultBytes:
        """The value of the result with an id, which a question has answered to whoever asks."""
        return ResultBytes(self._reader, self._dialect, result_id)

    async def _run(self, request: Request, *, explain: bool = False) -> Answer:
        executed = Executed(request)
        began = time.perf_counter()
        try:
            return await self._answered(executed, explain=explain)
        except (InvalidRequestError, Refused) as refused:
            executed.code = refused.code
            raise
        finally:
            executed.seconds = time.perf_counter() - began
            for observe in self._observers:
                observe(executed)

    async def _answered(self, executed: Executed, *, explain: bool) -> Answer:
        request = executed.request
        # What is explained is what the database does.
        is_shared = self._viewer.sees_all or not self._privacy.is_needed
        kept = await self._answers.get(request) if is_shared and not explain else None
        if kept is not None:
            executed.name, executed.is_kept = kept.name, True
            return Answer(kept.body, is_kept=True)
        body, revision = await self._computed(executed, explain=explain)
        # The same revision of specs does not show the same to everybody.
        is_shared = self._viewer.sees_all or not self._privacy.is_needed
        if explain or revision is None or not is_shared:
            return Answer(body, gaps=executed.gaps)
        return Answer(body, is_kept=self._answers.put(request, KeptAnswer(revision, body, executed.name)))

    async def _computed(self, executed: Executed, *, explain: bool) -> tuple[bytes, bytes | None]:
        """The answer, and the revision of specs in it if it is about them alone."""
        request = executed.request
        workers = self._own_workers if request.limits is None else self.workers
        ready = self._preparation.known(request)
        if ready is None:
            ready = await workers.run(self._preparation.prepare, request)
        prepared = ready.prepared
        executed.name, executed.cost = prepared.name, ready.cost
        data, revision = b"{}", None
        if prepared.plan is not None:
            data, revision = await self._fetched(prepared.plan, ready, executed)
        if prepared.introspection is not None:
            about_schema = self._introspection.get(request)
            if about_schema is None:
                about_schema = await workers.run(self._introspected, prepared, request)
                self._introspection.put(request, about_schema)
            if prepared.plan is None:
                data = _stitched(prepared.keys, about_schema, data)
            else:
                data = await workers.run(_stitched, prepared.keys, about_schema, data)
        extensions = _extensions(executed) if explain else b""
        errors = member_of_gaps(executed.gaps) if executed.gaps else b""
        # One copy: two of an answer of megabytes cost more than all the rest of the request.
        return b"".join((b'{"data":', data, errors, extensions, b"}")), revision

    async def _fetched(self, plan: Plan, ready: Ready, executed: Executed) -> tuple[bytes, bytes | None]:
        began = executed.database_began = time.perf_counter()
        executed.statements += 1
        try:
            answer = await self._reader.fetch(plan.statement, ready.parameters)
        finally:
            executed.database_seconds += time.perf_counter() - began
        revision = None
        if plan.reads_specs_alone:
            answer, _, revision = answer.rpartition(b":")
        given = answer, plan.computations, ready.variables, await self._logs.parts(answer, plan.computations)
        if len(answer) > _LARGE_ANSWER_BYTES and is_packed(answer):
            answer, executed.gaps = await self._unpackers.run(unpacked_with_gaps, *given)
        else:
            answer, executed.gaps = unpacked_with_gaps(*given)
        return answer, revision

    def _introspected(self, prepared: Prepared, request: Request) -> dict[str, bytes]:
        """The members of the answer that are about the schema, as JSON."""
        _log_fallback(prepared.name)
        assert prepared.introspection is not None  # noqa: S101 -- asked for nothing else
        result = execute_sync(self._schema, prepared.introspection, variable_values=dict(request.variables))
        if result.errors:
            raise InvalidRequestError(Code.INTROSPECTION_FAILED, result.errors)
        return {key: json.dumps(value).encode() for key, value in (result.data or {}).items()}


def _stitched(keys: Sequence[str], about_schema: Mapping[str, bytes], data: bytes) -> bytes:
    """The members of both in the order of `keys`; `data` is a JSON object."""
    stored = {key: json.dumps(value).encode() for key, value in json.loads(data).items()}
    members = {**stored, **about_schema}
    return b"{%s}" % b",".join(b"%s:%s" % (json.dumps(key).encode(), members[key]) for key in keys)


def _log_fallback(operation: str | None) -> None:
    log.info(
        "answered_by_graphql_core",
        operation=operation,
        why="introspection is about the schema, which no table holds",
    )


def driver_dialect(database: Database) -> Dialect:
    """The dialect with the parameter style that the bare driver takes dictionaries in."""
    dialect: Any = sqlite.dialect if database.is_sqlite else postgresql.psycopg.dialect
    made: Dialect = dialect(paramstyle="named" if database.is_sqlite else "pyformat")
    return made
