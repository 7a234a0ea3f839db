"""Advisories on their way from files into the database."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from spackmon.cli.console import complain
from spackmon.cli.database import open_database
from spackmon.errors import Refused
from spackmon.formats.advisories import defect_of, read_advisories
from spackmon.ingest.tables.advisories import put_defect
from spackmon.models import utc_now


def store(files: Sequence[Path], names: Mapping[str, str]) -> int:
    """Store what the files hold, and say what of it is not decided; the exit status."""
    count = status = 0
    with open_database() as database:
        for path in files:
            try:
                # A file is stored whole or not at all.
                read = [defect_of(one) for one in read_advisories(path.read_bytes(), names)]
            except (Refused, OSError) as problem:
                status = 2
                complain(f"{path}: {problem.sentence if isinstance(problem, Refused) else problem.strerror}")
                continue
            for defect in read:
                database.write(partial(put_defect, defect=defect, now=utc_now()))
                for sentence in defect.undecided:
                    complain(f"{path}: {defect.identifier}: not decided: {sentence}")
            count += len(read)
    print(f"{count} advisor{'y' if count == 1 else 'ies'} stored")
    return status
