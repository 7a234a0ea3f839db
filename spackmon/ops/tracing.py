"""Traces for OpenTelemetry: a span for each request, within it those of operations, transactions and SQL.

Where no exporter is named by the standard OTEL_* variables nothing of this is installed and nothing imported.
OpenTelemetry's own instrumentations are not stable yet, and write statements with what is in them: spans here
have names, codes, numbers and digests.
"""

import re
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from sqlalchemy import Connection, event

from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.query.serve.executed import Executed

_FLUSH_SECONDS = 3.0
_NANOSECONDS = 1_000_000_000
_SPAN, _BEGAN = "spackmon_span", "spackmon_began"
_WRITES = re.compile(r"\b(INSERT) INTO\s+\"?(\w+)|\b(DELETE) FROM\s+\"?(\w+)|\b(UPDATE)\s+\"?(\w+)\"? SET\b")
_READS = re.compile(r"\bFROM\s+\"?(\w+)")
_LOOKED_AT = 4_000
_FAULT = 500


class Tracing:
    """Makes spans and sends them; `start` first, in the process that makes them."""

    def __init__(self) -> None:
        """Raises Refused TRACES_MISSING where OpenTelemetry is not installed."""
        try:
            from opentelemetry import trace
            from opentelemetry.sdk.resources import SERVICE_NAME, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError:
            sentence = "traces need OpenTelemetry: pip install 'spackmon[otel]'"
            raise Refused(Code.TRACES_MISSING, sentence) from None
        own = {"service.version": version("spackmon")}
        resource = Resource.create()
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            own[SERVICE_NAME] = "spackmon"
        self._trace, self._headers = trace, TraceContextTextMapPropagator()
        self._provider = TracerProvider(resource=resource.merge(Resource(own)))
        self._tracer = self._provider.get_tracer("spackmon", own["service.version"])
        self._system = ""

    def start(self, database: Database) -> None:
        """Begin to send spans, in a thread, and to see what is written to the database."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._system = database.dialect_name
        engine = database.engine
        event.listen(engine, "begin", self._transaction_began)
        event.listen(engine, "checkin", self._connection_given_back)
        event.listen(engine, "before_cursor_execute", self._statement_began)
        event.listen(engine, "after_cursor_execute", self._statement_ended)

    def stop(self) -> None:
        """Send what waits, for a moment: a collector that is away holds up no end."""
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(_FLUSH_SECONDS)

    def request(self, method: str, headers: dict[str, str], request_id: str) -> "Traced":
        """The span of a request, within that which its `traceparent` names."""
        span = self._tracer.start_span(
            method,
            context=self._headers.extract(headers),
            kind=self._trace.SpanKind.SERVER,
            attributes={"http.request.method": method, "spackmon.request_id": request_id},
        )
        return Traced(span, method, self._trace)

    def reported(self, kind: str, outcome: str) -> None:
        """Note in the span of the request what became of a report; see Metrics."""
        span = self._trace.get_current_span()
        span.add_event("report", {"spackmon.report.kind": kind, "spackmon.report.outcome": outcome})

    def executed(self, executed: Executed) -> None:
        """The span of an operation and that of its statement; see Observer."""
        if not self._trace.get_current_span().is_recording():
            return
        now, ended = time.perf_counter(), time.time_ns()
        name = executed.name or "operation"
        attributes: dict[str, Any] = {
            "graphql.operation.name": name, "graphql.document.sha256": executed.request.document_key.hex(),
            "spackmon.answer_was_kept": executed.is_kept,
        }  # fmt: skip
        if executed.cost is not None:
            attributes["spackmon.cost"] = executed.cost
        began = ended - _nanoseconds(executed.seconds)
        span = self._tracer.start_span(f"graphql {name}", start_time=began, attributes=attributes)
        if executed.code is not None:
            span.set_attribute("error.type", executed.code)
            span.set_status(self._trace.StatusCode.ERROR)
        if executed.statements:
            asked = ended - _nanoseconds(now - executed.database_began)
            answered = asked + _nanoseconds(executed.database_seconds)
            self._sql("SELECT", asked, answered, self._trace.set_span_in_context(span))
        span.end(ended)

    def _sql(self, summary: str, began: int, ended: int, context: Any) -> None:
        self._tracer.start_span(
            summary,
            context=context,
            kind=self._trace.SpanKind.CLIENT,
            start_time=began,
            attributes={"db.system.name": self._system, "db.query.summary": summary},
        ).end(ended)

    def _transaction_began(self, connection: Connection) -> None:
        # What nobody waits for, such as what is folded each second, would be a trace of its own.
        if self._trace.get_current_span().is_recording():
            connection.info[_SPAN] = self._tracer.start_span("transaction")

    def _connection_given_back(self, _: Any, record: Any) -> None:
        span = record.info.pop(_SPAN, None)
        if span is not None:
            span.end()

    def _statement_began(self, connection: Connection, *_: Any) -> None:
        if _SPAN in connection.info:
            connection.info[_BEGAN] = time.time_ns()

    def _statement_ended(self, connection: Connection, _: Any, statement: str, *__: Any) -> None:
        span = connection.info.get(_SPAN)
        if span is not None:
            began = connection.info[_BEGAN]
            self._sql(summary(statement), began, time.time_ns(), self._trace.set_span_in_context(span))


class Traced:
    """The span of one request; within `current` others are its children."""

    def __init__(self, span: Any, method: str, trace: Any) -> None:
        self._span, self._method, self._trace = span, method, trace
        self.current: Callable[[], Any] = lambda: trace.use_span(span, record_exception=False)

    def end(self, route: str, status: int) -> None:
        """End it, with the pattern of the address: paths hold names, and there is no end of them."""
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attributes({"http.route": route, "http.response.status_code": status})
        if status >= _FAULT:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(self._trace.StatusCode.ERROR)
        self._span.end()


@lru_cache(maxsize=1_000)
def summary(statement: str) -> str:
    """What a statement does to its first table, as `INSERT build`; nothing of what is in it."""
    looked_at = statement[:_LOOKED_AT]
    if found := _WRITES.search(looked_at):
        return " ".join(filter(None, found.groups()))
    found = _READS.search(looked_at)
    return f"SELECT {found[1]}" if found else looked_at.split(None, 1)[0]


def _nanoseconds(seconds: float) -> int:
    return int(seconds * _NANOSECONDS)
