"""What `spack develop` leaves in a source directory: the logs of the builds in it, as in a stage.

They lie in the directory itself or in those that it was built in, `spack-build-<part of the hash>`, whether
the build failed or not: nothing is removed there.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from spackmon.formats.build_logs import WHOLE_LOG, BuildLogs, read_logs, succeeded
from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.folder import Folder
from spackmon.formats.installs.failed_stage import ARGUMENTS, Failure, changes, failure_of
from spackmon.submission import InstallReport

_BUILD_DIRECTORY = "spack-build-"
# Most have seven letters of the hash, by which no spec is named.
_HASHED = re.compile(r"spack-build-(?P<hash>[a-z2-7]{32})", re.ASCII)
_PACKAGE = re.compile(r"[\w.+-]{1,200}", re.ASCII)
_LAST_PHASE = "install"
# How make, ninja, cmake, configure, Spack and Python end what they could not do.
_COMPLAINT = re.compile(
    rb"^(?:g?make(?:\[\d+\])?: \*\*\* |ninja: build stopped|CMake Error|configure: error: |==> Error: "
    rb"|Traceback \(most recent call last\)|[\w.]{1,100}(?:Error|Exception): )",
    re.MULTILINE,
)
_END_BYTES = 1 << 16


def is_develop_folder(directory: Path, directories: list[str]) -> bool:
    """Whether logs of Spack lie in a directory, or in a build directory among its `directories`."""
    below = (name for name in directories if name.startswith(_BUILD_DIRECTORY))
    logs = (directory / name / WHOLE_LOG for name in ("", *below))
    return any(log.is_file() and not log.is_symlink() for log in logs)


def read_develop_folder(directory: Path, directories: list[str]) -> Iterator[InstallReport]:
    """The builds in a directory that `is_develop_folder`.

    One is FAILED that got no further than before its last phase, or whose end complains; of others only what
    was installed tells. Raises Refused FILE_DAMAGED after the reports.
    """
    damage = Damage()
    for name in ("", *(name for name in directories if name.startswith(_BUILD_DIRECTORY))):
        files = Folder(directory / name)
        logs = damage.attempt(read_logs, files) or BuildLogs({}, None)
        # `spack develop` names the directory after the package where its user does not.
        package = logs.package_name or directory.name
        if not _PACKAGE.fullmatch(package) or not (logs.whole or logs.by_phase):
            continue
        hashed = _HASHED.fullmatch(name)
        build = build_of(
            package, hashed["hash"] if hashed else None, logs, files.modified_at_seconds(WHOLE_LOG)
        )
        yield InstallReport(
            **build,
            configure_arguments=damage.attempt(files.text, ARGUMENTS),
            environment_variables=damage.attempt(changes, files),
        )
    damage.settle()


def build_of(
    package_name: str, spec_hash: str | None, logs: BuildLogs, written_at_seconds: float | None
) -> Failure:
    """What logs tell of a build of which it is not known how it ended: a status only where it has failed."""
    build = failure_of(package_name, spec_hash, logs, written_at_seconds)
    if not _has_failed(logs):
        build |= {"status": None, "phases": succeeded(logs, {})}
    return build


def _has_failed(logs: BuildLogs) -> bool:
    last = list(logs.by_phase)[-1:]
    text = logs.by_phase[last[0]] if last else logs.whole
    return last != [_LAST_PHASE] or _COMPLAINT.search((text or b"")[-_END_BYTES:]) is not None
