"""What a job of `spack ci rebuild` leaves as artifacts: which spec it built, and the logs of that.

Beside each other lie `reproduction`, with `repro.json` and the spec that this names, and `logs`, copied from
the stage or the prefix; both may be called otherwise. Of which pipeline the job was is in none of them:
`spack monitor push` says so within the job.
"""

from collections.abc import Iterator
from pathlib import Path

from spackmon.formats.build_logs import WHOLE_LOG, BuildLogs, read_logs
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.fields import FieldUnfit, required, short_text
from spackmon.formats.bytes.folder import Folder
from spackmon.formats.installs.develop_folder import build_of
from spackmon.formats.specs import spec_json
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.graph.spec import SpecGraph
from spackmon.submission import InstallReport

DETAILS = "repro.json"
_SPEC = "job_spec_json"
_LOGS = (WHOLE_LOG, f"{WHOLE_LOG}.gz")


def jobs_in(directory: Path, directories: list[str]) -> list[tuple[str, str]]:
    """Of the directories in one, what a job left to reproduce it, each with one that has logs beside it."""
    details = [name for name in directories if (directory / name / DETAILS).is_file()]
    logs = [name for name in directories if any((directory / name / log).is_file() for log in _LOGS)]
    return [(one, other) for one in details[:1] for other in logs]


def read_job(reproduction: Path, logs: Path, known: KnownNodes) -> Iterator[InstallReport]:
    """The build of a job, by the two directories; none where the spec or the logs are not there.

    Raises Refused FILE_DAMAGED after the report, naming the files that are not in it.
    """
    damage = Damage()
    spec = damage.attempt(_spec, Folder(reproduction), known)
    found = damage.attempt(read_logs, Folder(logs)) or BuildLogs({}, None)
    if spec is not None and (found.whole or found.by_phase):
        written_at = Folder(logs).modified_at_seconds(WHOLE_LOG)
        yield InstallReport(**build_of(spec.nodes[spec.root].name, spec.root, found, written_at))
    damage.settle()


def _spec(files: Folder, known: KnownNodes) -> SpecGraph | None:
    """The spec of a job. Raises Refused, FieldUnfit."""
    details = files.json(DETAILS)
    name = short_text(required(details or {}, _SPEC), _SPEC)
    if Path(name).name != name:
        raise FieldUnfit(f"{_SPEC} is {name!r}, expected the name of a file beside it")
    document = files.json(name)
    return None if document is None else spec_json.read(document, known)
