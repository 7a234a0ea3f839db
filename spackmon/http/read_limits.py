"""How much one person, or one address that names nobody, may read; what reports is never counted."""

import structlog
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from spackmon.auth.guesses import network_of, seconds_until
from spackmon.errors import Code, Refused
from spackmon.viewer import Viewer

log = structlog.get_logger()


class ReadLimits:
    """Counts questions in this process, or with others in a store that all of them use."""

    def __init__(
        self,
        of_address: RateLimitItem | None = None,
        of_person: RateLimitItem | None = None,
        store: str | None = None,
    ) -> None:
        """`store` is an address as `redis://host:6379`. Raises ValueError where it cannot be used."""
        self._of_address, self._of_person = of_address, of_person
        try:
            storage = (
                storage_from_string(f"async+{store}", implementation="redispy") if store else MemoryStorage()
            )
        except Exception as error:  # the library raises what the driver of each store raises
            raise ValueError("expected redis://host:port, with the package's extra `redis`") from error
        self._limiter = FixedWindowRateLimiter(storage)
        self._is_store_away = False

    async def check(self, viewer: Viewer, address: str) -> None:
        """Count a question. Raises Refused READS_LIMITED (429), with the seconds to wait."""
        if viewer.person_id is not None:
            limit, who = self._of_person, f"person-{viewer.person_id}"
        else:
            limit, who = self._of_address, network_of(address)
        if limit is None:
            return
        try:
            ends_at_seconds = await self._exceeded(limit, who)
        except Exception as error:
            # Without the store nobody is counted: that is better than answering nobody.
            if not self._is_store_away:
                log.warning("reads_not_counted", reason=type(error).__name__)
            self._is_store_away = True
            return
        self._is_store_away = False
        if ends_at_seconds is not None:
            seconds = seconds_until(ends_at_seconds)
            sentence = f"one may ask {limit.amount:,} questions in {limit.multiples} {limit.GRANULARITY.name}"
            raise Refused(
                Code.READS_LIMITED, f"{sentence}: try again in {seconds} seconds", retry_seconds=seconds
            )

    async def _exceeded(self, limit: RateLimitItem, who: str) -> float | None:
        """Count; when the time ends for which it was too much, if it was."""
        if await self._limiter.hit(limit, who):
            return None
        return (await self._limiter.get_window_stats(limit, who)).reset_time
