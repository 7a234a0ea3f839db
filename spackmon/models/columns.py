"""The column types that both databases must agree on, and the base class of every table.

SQLite and PostgreSQL sort text, store times and number rows differently; what is declared here makes
one statement give one answer on both.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, MetaData, Text
from sqlalchemy.dialects.postgresql import TEXT
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from spackmon.viewer import ADMINISTERS, SEES_DETAILS

# SQLite numbers rows by itself only in a column declared INTEGER PRIMARY KEY.
RowId = BigInteger().with_variant(Integer(), "sqlite")

# Four bytes in PostgreSQL instead of eight: of the rows of large tables no site has two billion.
NarrowId = Integer()

# Byte order on both: PostgreSQL would otherwise sort by the locale its cluster was made in, and a
# prefix search could not use the index.
ByteOrderedText = Text().with_variant(TEXT(collation="C"), "postgresql")


# Rows that questions see only where they are counted to a run: others stand for what another claim says
# better.
COUNTED = {"info": {"counted": "attempt_id"}}


# What describes people's machines, and what a site is run by; the name is that of a fact of the viewer,
# without which nobody sees it.
DETAIL: dict[Any, Any] = {"seen_by": SEES_DETAILS}
ADMINISTRATION = {"info": {"seen_by": ADMINISTERS}}


# A count of what most rows have none of: an index has the others alone.
MOSTLY_0: dict[Any, Any] = {"mostly_0": True}


class Word(Text):
    """Text of lowercase letters, digits and underscores, as hashes are: JSON and CSV show it as it is."""


ByteOrderedWord = Word().with_variant(TEXT(collation="C"), "postgresql")

_SQLITE_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class JsonText(TypeDecorator[str]):
    """Compact JSON kept as text, so that key order and numbers leave exactly as they came.

    PostgreSQL's jsonb would reorder keys, and neither database needs to look inside on the way out.
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(TEXT(collation="C") if dialect.name == "postgresql" else Text())


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC with microseconds: timestamptz, or fixed-width ISO 8601 text in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        # A client that names no time zone means UTC, whatever the server's own is.
        moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        if dialect.name == "sqlite":
            # Not strftime, which leaves the zeros before a year out.
            return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        return moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value
        return datetime.strptime(value, _SQLITE_FORMAT).replace(tzinfo=UTC)


def utc_now() -> datetime:
    """The present moment, with its time zone."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Every table; constraint names are fixed so that migrations can name them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class View(DeclarativeBase):
    """What is read as a table is, and holds no rows of its own: it is neither compared nor copied."""
