"""The spool: reports that were acknowledged while the database could not be used, on the service's own disk.

They are applied in the order in which they came, each once: the transaction that applies one leaves a mark,
by which a service that was killed between that and removing the file knows it. Services with the same
directory share it.

A report that fails again and again, or ends the process that applies it, may not stop those behind it: after
some tries it is set aside, with the reason beside it, until somebody puts it back.
"""

from spackmon.ops.spool.files import SetAside, Spooled
from spackmon.ops.spool.queue import Spool

__all__ = ["SetAside", "Spool", "Spooled"]
