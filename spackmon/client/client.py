"""One server, for programs: what was built goes in, questions come back answered (docs/client.md)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spackmon.client import graphql
from spackmon.client.batches import Name, Sent, send_lines
from spackmon.client.ms1 import Ms1Client
from spackmon.client.reading import read_paths
from spackmon.client.transport import ATTEMPTS, TIMEOUT_SECONDS, Transport
from spackmon.errors import Refused
from spackmon.formats.reports.report_json import write
from spackmon.submission import Submission

_NO_VARIABLES: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Uploaded:
    """How many reports were new, added to a known build, or were known; `refused` by place."""

    created: int
    changed: int
    known: int
    refused: tuple[tuple[str, Refused], ...]


class Client:
    """Talks to one server; every method may be called again after whatever it raised.

    All raise spackmon.errors.Refused: SERVER_AWAY when nobody answers for several attempts, the code
    and the HTTP status of the server when the request as a whole is not taken.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        token: str | None = None,
        prefix: str = "ms1",
        timeout_seconds: float = TIMEOUT_SECONDS,
        attempts: int = ATTEMPTS,
    ) -> None:
        """`url` as `http://host:port`, `token` of `spackmon token create`.

        With a `user` the token is only shown to the token endpoint, in exchange for short-lived
        ones. `prefix` is the server's URL_API_PREFIX. Raises Refused URL_INVALID.
        """
        self._transport = Transport(url, user, token, timeout_seconds, attempts)
        self._ms1 = Ms1Client(
            Transport(f"{url.rstrip('/')}/{prefix}", user, token, timeout_seconds, attempts)
        )

    def query(self, document: str, variables: Mapping[str, Any] = _NO_VARIABLES) -> dict[str, Any]:
        """The `data` that answers a GraphQL document. Raises QueryFailed with the codes of its errors."""
        return graphql.query(self._transport, document, variables)

    def iterate(
        self, document: str, variables: Mapping[str, Any] = _NO_VARIABLES
    ) -> Iterator[dict[str, Any]]:
        """All nodes of the one connection that `document` asks for, one page after the other.

        How many a page has is the connection's `first`. Raises Refused DOCUMENT_NOT_PAGED when there is no
        connection or several beside each other, and what `query` raises.
        """
        return graphql.iterate(self._transport, document, variables)

    def send(self, reports: Iterable[tuple[Name, Submission]]) -> Iterator[Sent[Name]]:
        """Send reports with a name each, in batches; what became of each, in order."""
        return send_lines(self._transport, ((name, write(report)) for name, report in reports))

    def upload(
        self, *paths: str | Path, spack_version: str | None = None, tags: tuple[str, ...] = ()
    ) -> Uploaded:
        """Send what can be read in files, trees, archives and at buildcaches' addresses; builds get `tags`.

        `spack_version` is that of documents which do not say it themselves.
        """
        unread: list[tuple[str, Refused]] = []
        counts = {"created": 0, "changed": 0, "known": 0}
        refused: list[tuple[str, Refused]] = []

        def reports() -> Iterator[tuple[str, Submission]]:
            for read in read_paths(map(str, paths), spack_version, tags):
                if isinstance(read.report, Refused):
                    unread.append((read.place, read.report))
                elif read.report is not None:
                    yield read.place, read.report

        for sent in self.send(reports()):
            if sent.refused is None:
                counts[sent.status] += 1
            else:
                refused.append((sent.name, sent.refused))
        return Uploaded(**counts, refused=(*unread, *refused))

    def upload_spec_file(self, path: str | Path, spack_version: str | None = None) -> Uploaded:
        """Specs as `spack spec --json` prints them, `.spack/spec.json`, or 0.16's `spec.yaml`."""
        return self.upload(path, spack_version=spack_version)

    def upload_lock_file(self, path: str | Path, spack_version: str | None = None) -> Uploaded:
        """An environment's `spack.lock`."""
        return self.upload(path, spack_version=spack_version)

    def upload_install_tree(self, path: str | Path, tags: tuple[str, ...] = ()) -> Uploaded:
        """Every installed prefix of a tree, and the databases in it."""
        return self.upload(path, tags=tags)

    def upload_database(self, path: str | Path, tags: tuple[str, ...] = ()) -> Uploaded:
        """An install database, `.spack-db/index.json`."""
        return self.upload(path, tags=tags)

    def upload_buildcache(self, path: str | Path) -> Uploaded:
        """The specs of a buildcache, a directory or the address of one that a web server gives out."""
        return self.upload(path)

    def upload_failed_stage(self, path: str | Path, tags: tuple[str, ...] = ()) -> Uploaded:
        """What a failed build left in its stage."""
        return self.upload(path, tags=tags)

    def upload_cdash(self, *paths: str | Path, tags: tuple[str, ...] = ()) -> Uploaded:
        """Build.xml, Configure.xml, Update.xml and Testing.xml that Spack wrote for a CDash."""
        return self.upload(*paths, tags=tags)

    def upload_junit(self, path: str | Path, tags: tuple[str, ...] = ()) -> Uploaded:
        """A report of `spack install --log-format=junit`."""
        return self.upload(path, tags=tags)

    def upload_local_save(self, dirname: str | Path, tags: tuple[str, ...] = ()) -> Uploaded:
        """What `spack install --monitor-save-local` left."""
        return self.upload(dirname, tags=tags)

    def upload_specfile(self, filename: str | Path, spack_version: str) -> dict[str, Any]:
        """Post one spec document to specs/new, as the old client did; the `data` of the answer."""
        return self._ms1.upload_specfile(Path(filename), spack_version)

    def service_info(self) -> dict[str, Any]:
        """What the server says about itself: `id`, `version`, `status` and more."""
        return self._ms1.service_info()

    def new_configuration(self, documents: Iterable[Any], spack_version: str) -> dict[str, dict[str, Any]]:
        """Post spec documents to specs/new; what was answered, by the name of each root."""
        return self._ms1.new_configuration(documents, spack_version)

    def new_build(
        self,
        full_hash: str,
        environment: Mapping[str, str],
        spack_version: str,
        tags: Iterable[str] = (),
    ) -> int:
        """Begin a build of a spec that was posted; the build's id.

        `environment` has `hostname`, `platform`, `host_os`, `host_target` and `kernel_version`.
        """
        return self._ms1.new_build(full_hash, environment, spack_version, tags)

    def update_build(self, build_id: int, status: str = "SUCCESS") -> dict[str, Any]:
        """Set a build's status: SUCCESS, FAILED, CANCELLED or NOTRUN."""
        return self._ms1.update_build(build_id, status)

    def fail_task(self, build_id: int) -> dict[str, Any]:
        """A build failed."""
        return self._ms1.update_build(build_id, "FAILED")

    def cancel_task(self, build_id: int) -> dict[str, Any]:
        """A build was cancelled."""
        return self._ms1.update_build(build_id, "CANCELLED")

    def send_phase(
        self, build_id: int, phase_name: str, phase_output_file: str | Path | None, status: str
    ) -> dict[str, Any]:
        """A phase ended; its output is in a file, or there is none."""
        output = None if phase_output_file is None else Path(phase_output_file)
        return self._ms1.send_phase(build_id, phase_name, output, status)

    def send_analyze_metadata(self, build_id: int, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """What analyzers found out about a build, by analyzer."""
        return self._ms1.post("analyze/builds", {"build_id": build_id, "metadata": dict(metadata)})
