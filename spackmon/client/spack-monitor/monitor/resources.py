"""What a phase costs the machine, as the system has counted it by its end: nothing is measured meanwhile.

The system counts the largest process of all that ended, and never forgets it: of a phase that came after a
larger one it cannot tell. What is forked counts as large as what it was forked from, so that no phase is
smaller than Spack's own process, which is among the processes of the phase.
"""

import sys
from typing import Any, Dict, NamedTuple, Optional

# Not when it is needed: that is within the build's sandbox, where Python's own files may be out of reach.
try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# Linux counts in KiB, macOS in bytes.
_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


class Usage(NamedTuple):
    """What this process and all that it waited for have used up to a moment."""

    cpu_seconds: float
    own_peak: int
    children_peak: int


def used() -> Optional[Usage]:
    """What was used until now, None where the system does not count it."""
    if resource is None:
        return None
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return Usage(seconds, own.ru_maxrss, children.ru_maxrss)


def since(before: Optional[Usage]) -> Dict[str, Any]:
    """The fields of a phase that began then and ends now."""
    now = used()
    if before is None or now is None:
        return {}
    fields: Dict[str, Any] = {"cpu_seconds": round(max(0.0, now.cpu_seconds - before.cpu_seconds), 6)}
    if now.children_peak > before.children_peak or now.children_peak <= now.own_peak:
        fields["peak_memory_bytes"] = max(now.own_peak, now.children_peak) * _UNIT_BYTES
    return fields
