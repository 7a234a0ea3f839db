"""The log of a serving process: one JSON object per line on stderr, libraries' messages among them."""

import logging
import sys

import structlog

# The access log. Its messages are whole JSON lines: structlog's way to them is a tenth of what a small answer
# costs.
requests = logging.getLogger("spackmon.requests")

_STEPS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # As text: structlog's other form shows the local variables, and they hold tokens and passwords.
    structlog.processors.format_exc_info,
]


class _JsonLines(structlog.stdlib.ProcessorFormatter):
    """Makes a JSON line of every message but the access log's, which are JSON lines."""

    def format(self, record: logging.LogRecord) -> str:
        return str(record.msg) if record.name == requests.name else super().format(record)


def configure_logging(level: str = "INFO") -> None:
    """Send structlog and the standard library's logging to stderr as JSON lines, from `level` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonLines(
            foreign_pre_chain=_STEPS,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # A check of the revision, which /readyz makes, is no event.
    logging.getLogger("alembic").setLevel(max(logging.WARNING, logging.getLogger().level))
    # That the database is away is said once; its pool would say so of every try.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    # Through the same handler, whose lock keeps lines of several threads apart.
    structlog.configure(
        processors=[*_STEPS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
