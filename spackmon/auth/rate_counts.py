"""Where `limits` counts: in the database, so that all processes over it count together."""

from datetime import UTC, datetime, timedelta
from typing import Any

from limits.storage import Storage
from sqlalchemy import Connection, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from spackmon.models import RateCount, utc_now


class ConnectionStorage(Storage):
    """The counts as one transaction sees and changes them."""

    STORAGE_SCHEME = None

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the library may meet here."""
        return DBAPIError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` more in a window of `expiry` seconds, which begins now where none is open."""
        now = utc_now()
        self._connection.execute(delete(RateCount).where(RateCount.ends_at <= now))
        insert: Any = sqlite.insert if self._connection.dialect.name == "sqlite" else postgresql.insert
        values = {"key": key, "count": amount, "ends_at": now + timedelta(seconds=expiry)}
        added = insert(RateCount).values(**values)
        is_over = RateCount.ends_at <= now
        counted = added.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "count": case((is_over, amount), else_=RateCount.count + amount),
                "ends_at": case((is_over, added.excluded.ends_at), else_=RateCount.ends_at),
            },
        )
        return int(self._connection.execute(counted.returning(RateCount.count)).scalar_one())

    def get(self, key: str) -> int:
        """What was counted in the window that is open; 0 where none is."""
        open_ = RateCount.key == key, RateCount.ends_at > utc_now()
        return self._connection.execute(select(RateCount.count).where(*open_)).scalar() or 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds of the epoch; now where none is open."""
        ends_at = self._connection.execute(select(RateCount.ends_at).where(RateCount.key == key)).scalar()
        return (ends_at or datetime.now(UTC)).timestamp()

    def check(self) -> bool:
        """Whether it can be used, which whoever has a connection knows."""
        return True

    def reset(self) -> int | None:
        """Forget every count."""
        return self._connection.execute(delete(RateCount)).rowcount

    def clear(self, key: str) -> None:
        """Forget one count."""
        self._connection.execute(delete(RateCount).where(RateCount.key == key))
