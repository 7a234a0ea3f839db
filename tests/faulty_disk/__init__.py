"""A disk that is full, read-only, slow, or loses its power: what a test says to the library in faulty_disk.c.

The library is loaded into the processes that are to meet it, so that no test needs root or a disk of its
own. It knows what a power failure leaves: of a file what was there at its last fsync, of a directory the
entries at its last.
"""

import os
import random
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_SOURCE = Path(__file__).with_name("faulty_disk.c")
_SECTOR_BYTES = 512

State = Literal["well", "full", "read-only", "slow"]


def built(directory: Path) -> Path:
    """The library, compiled. Raises OSError where there is no compiler."""
    library = directory / "faulty_disk.so"
    command = ["cc", "-O1", "-shared", "-fPIC", "-o", library, _SOURCE, "-ldl", "-pthread"]
    subprocess.run(command, check=True, capture_output=True)
    return library


@dataclass(frozen=True)
class FaultyDisk:
    """The disk below `directory`; `notes` is a place of its own elsewhere."""

    library: Path
    directory: Path
    notes: Path

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._durable.mkdir(parents=True)

    @property
    def _durable(self) -> Path:
        return self.notes / "durable"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process that is to meet this disk."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAULTY_DISK": str(self.directory.resolve()),
            "FAULTY_DISK_STATE": str(self.notes / "state"),
            "FAULTY_DISK_DURABLE": str(self._durable),
        }

    def become(self, state: State) -> None:
        """From now on it is so."""
        draft = self.notes / "state.draft"
        draft.write_text(state)
        draft.replace(self.notes / "state")

    def after_power_loss(self, target: Path, luck: random.Random | None = None) -> None:
        """Write into `target` what is in the directory when the power comes back.

        Without `luck` nothing is there that was not synced; with it, some of the sectors that were not.
        """
        target.mkdir(parents=True)
        for inode, name in self._entries():
            synced = self._durable / inode
            durable = synced.read_bytes() if synced.exists() else b""
            now = self.directory / name
            is_it = now.exists() and str(now.stat().st_ino) == inode
            lucky = durable if luck is None or not is_it else _mixed(durable, now.read_bytes(), luck)
            (target / name).write_bytes(lucky)

    def _entries(self) -> Iterable[tuple[str, str]]:
        listing = self._durable / str(os.stat(self.directory).st_ino)
        for line in listing.read_text().splitlines() if listing.exists() else ():
            inode, _, name = line.partition(" ")
            yield inode, name


def _mixed(durable: bytes, written: bytes, luck: random.Random) -> bytes:
    size = luck.choice([len(durable), len(written)])
    sectors = range(0, size, _SECTOR_BYTES)
    pieces = (
        luck.choice([durable, written])[at : at + _SECTOR_BYTES].ljust(_SECTOR_BYTES, b"\0") for at in sectors
    )
    return b"".join(pieces)[:size]
