"""Installs at random, as other sources than ms1 report them: with errors, and some without a spec."""

import random
from datetime import UTC, datetime, timedelta

from spackmon.status import BuildStatus, EventKind, InstalledFrom, SourceKind
from spackmon.submission import Environment, Event, InstallPhase, InstallReport, Source

_BEGIN = datetime(2026, 2, 1, tzinfo=UTC)
_ERRORS = [
    "zlib.c:12:3: error: 'é' undeclared",
    "zlib.c:13:3: error: 'é' undeclared",
    "fatal error: mpi.h: No such file or directory",
    "make: *** [Makefile:7: all] Error 2",
    'ld: cannot find -lz\n  in a\\b "quoted"',
]
_WARNINGS = ["warning: unused variable", "", "é: warning: \x7f\u2028"]
_FILES = [None, "zlib.c", "src/é.f90"]
_REVISIONS = [None, "4f2c1b7a9d", "Ab12"]
_TEXTS = [None, "", "l1\nl2\t", "'%_"]


def install_report(dice: random.Random, number: int, spec_hash: str | None) -> InstallReport:
    """One install, of a source of its own; without `spec_hash` at most its package is known."""
    kind = dice.choice([SourceKind.EXTENSION, SourceKind.PREFIX, SourceKind.STAGE])
    if spec_hash is None:
        kind = dice.choice([SourceKind.CDASH, SourceKind.JUNIT])
    began = _BEGIN + timedelta(days=2 * number)
    return InstallReport(
        Source(kind, f"run {number}/é"),
        spec_hash=spec_hash,
        package_name=dice.choice(["zlib", "hdf5", "only told", None]) if spec_hash is None else None,
        environment=Environment(dice.choice(["node-1", "node-9"]), "linux", "debian12", "zen2", ""),
        spack_version=dice.choice([None, "1.2.0"]),
        spack_revision=dice.choice(_REVISIONS),
        status=dice.choice([BuildStatus.SUCCESS, BuildStatus.FAILED, BuildStatus.FAILED]),
        started_at=began,
        finished_at=began + timedelta(seconds=30),
        duration_seconds=dice.choice([None, 30.0]),
        prefix=dice.choice([None, f"/opt/{number}", "/opt/é"]),
        installed_from=dice.choice([None, None, *InstalledFrom]),
        phases=_phases(dice),
        events=tuple(_event(dice) for _ in range(dice.choice([0, 1, 2, 4]))),
    )


def _phases(dice: random.Random) -> tuple[InstallPhase, ...]:
    names = dice.sample(["configure", "build", "install"], dice.randint(0, 3))
    return tuple(
        InstallPhase(name, dice.choice(["SUCCESS", "ERROR"]), dice.choice([None, 0.25, 12.0]), b"made\n")
        for name in names
    )


def _event(dice: random.Random) -> Event:
    kind = dice.choice([EventKind.ERROR, EventKind.ERROR, EventKind.WARNING])
    return Event(
        kind,
        dice.choice(_ERRORS if kind == EventKind.ERROR else _WARNINGS),
        log_line=dice.choice([None, 1, 7, 2**31 - 1]),
        source_file=dice.choice(_FILES),
        source_line=dice.choice([None, 12]),
        pre_context=dice.choice(_TEXTS),
        post_context=dice.choice(_TEXTS),
    )
