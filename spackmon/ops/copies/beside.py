"""What of a service is not in its database: the keys in DATA_DIR, and the reports in the spool."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from spackmon.settings import Settings

_KEYS = ("jwt_server_secret", "notification_secret")
_SPOOL = "spool"
_WAITING = (".report", ".aside", ".reason")
_OWNER_ALONE = 0o600


def read_keys(settings: Settings) -> dict[str, bytes]:
    """The keys that were made here; one that is set is kept where it is set."""
    return _read(settings.data_dir, _KEYS)


def read_spool(settings: Settings) -> dict[str, bytes]:
    """The reports that are acknowledged and wait, or were set aside."""
    names = sorted(path.name for path in settings.spool.glob("*") if path.suffix in _WAITING)
    return {f"{_SPOOL}/{name}": content for name, content in _read(settings.spool, names).items()}


def _read(directory: Path, names: tuple[str, ...] | list[str]) -> dict[str, bytes]:
    found = {}
    for name in names:
        # A report that is applied meanwhile is in the database.
        with suppress(FileNotFoundError):
            found[name] = (directory / name).read_bytes()
    return found


def put(settings: Settings, files: Mapping[str, bytes]) -> list[str]:
    """Write files where they were; the names of those that were there already, which stay. Raises OSError."""
    kept = []
    for name, content in sorted(files.items()):
        place = PurePosixPath(name)
        if place.parts[0] == _SPOOL and place.suffix in _WAITING:
            path = settings.spool / place.name
        elif name in _KEYS:
            path = settings.data_dir / name
        else:
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            path.touch(_OWNER_ALONE, exist_ok=False)
        except FileExistsError:
            kept.append(name)
            continue
        path.write_bytes(content)
    return kept
