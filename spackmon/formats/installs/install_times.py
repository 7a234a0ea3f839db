"""install_times.json: how long a build and its phases took, as Spack 0.17 and later write it beside the log.

0.17: `{"phases": [{"name", "seconds"}], "total": {"seconds"}}`; later `{"name", "hash", "cache", "total",
"phases": [{"name", "path", "seconds", "count"}]}`, of which `stage` and `post-install` are no phases of the
package, and a path of several names is a part of a phase.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spackmon.formats.bytes.fields import list_of, name_of, object_of, optional_name
from spackmon.formats.bytes.report_values import optional_seconds

_FILE = "install_times.json"


@dataclass(frozen=True, slots=True)
class InstallTimes:
    """`phase_seconds` in the order in which they ran; none where a binary was unpacked, `from_cache`."""

    total_seconds: float | None = None
    phase_seconds: Mapping[str, float | None] = field(default_factory=dict)
    package_name: str | None = None
    spec_hash: str | None = None
    from_cache: bool = False


def read_times(content: dict[str, Any]) -> InstallTimes:
    """The times of the installation. Raises FieldUnfit."""
    total = content.get("total")
    from_cache = content.get("cache") is True
    phase_seconds: dict[str, float | None] = {}
    for position, listed in enumerate(list_of(content.get("phases") or [], f"{_FILE}: phases")):
        path = f"{_FILE}: phases.{position}"
        phase = object_of(listed, path)
        name = name_of(phase, "name", f"{path}.")
        if "/" not in (optional_name(phase, "path", f"{path}.") or name):
            phase_seconds.setdefault(name, optional_seconds(phase, "seconds", f"{path}."))
    return InstallTimes(
        total_seconds=optional_seconds(total, "seconds", f"{_FILE}: total.")
        if isinstance(total, dict)
        else optional_seconds(content, "total", f"{_FILE}: "),
        phase_seconds={} if from_cache else phase_seconds,
        package_name=optional_name(content, "name", f"{_FILE}: "),
        spec_hash=optional_name(content, "hash", f"{_FILE}: "),
        from_cache=from_cache,
    )
