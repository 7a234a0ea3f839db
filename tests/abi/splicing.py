"""Building a case, running it with each build of the library, and asking what is predicted."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.abi.cases import PRELUDE, Case

_GIVE_UP_SECONDS = 300


@dataclass(frozen=True)
class Site:
    """Prefixes: `before` and `after` are the two builds of the library."""

    root: Path

    @property
    def before(self) -> Path:
        return self.root / "prefixA"

    @property
    def after(self) -> Path:
        return self.root / "prefixB"

    @property
    def consumer(self) -> Path:
        return self.root / "consumer"

    @property
    def others(self) -> list[Path]:
        return sorted((self.root / "deps").iterdir())


@dataclass(frozen=True)
class Ran:
    """How a program ended, and what it or the loader said."""

    return_code: int
    said: str


def build(case: Case, root: Path) -> Site:
    """The case's files below `root`."""
    for name in ("prefixA/lib", "prefixB/lib", "consumer", "deps", "scratch"):
        (root / name).mkdir(parents=True)
    site = Site(root)
    environment = {
        **os.environ, "A": str(site.before), "B": str(site.after), "C": str(site.consumer),
        "D": str(root / "deps"), "T": str(root / "scratch"), "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    built = subprocess.run(
        ["bash", "-c", PRELUDE + case.recipe], env=environment, capture_output=True, text=True,
        timeout=_GIVE_UP_SECONDS, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return site


def run(case: Case, site: Site, *, is_after: bool) -> Ran:
    """The programs under LD_BIND_NOW until one fails; the last one's end."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LD_")}
    environment |= {"LD_BIND_NOW": "1", "LC_ALL": "C.UTF-8"}
    consumer = site.consumer
    if case.is_moved and is_after:
        consumer = _moved(site)
    elif not case.is_moved:
        prefixes = [site.after if is_after else site.before, *site.others, site.consumer]
        environment["LD_LIBRARY_PATH"] = ":".join(
            f"{prefix}/{lib}" for prefix in prefixes for lib in ("lib", "lib64")
        )
    ran = Ran(0, "")
    for program in case.run:
        finished = subprocess.run(
            [consumer / program],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_GIVE_UP_SECONDS,
            check=False,
        )
        ran = Ran(finished.returncode, finished.stdout + finished.stderr)
        if ran.return_code:
            break
    return ran


def _moved(site: Site) -> Path:
    """A copy of the consumer in which the path of the one build is the other's, as a relocation makes it."""
    copy = site.root / "spliced" / "consumer"
    shutil.copytree(site.consumer, copy, symlinks=True)
    for path in copy.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.write_bytes(path.read_bytes().replace(str(site.before).encode(), str(site.after).encode()))
    return copy
