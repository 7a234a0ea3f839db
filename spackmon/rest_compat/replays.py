"""Reading what was stored as it came: the bodies in the inbox and in the spool, by their kind."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from spackmon.errors import Code, Refused
from spackmon.formats.batch_line import read_line
from spackmon.formats.bytes.json_body import read_json
from spackmon.formats.reports.cdash import INBOX_KIND as CDASH_KIND
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.ingest.batches import INBOX_KIND
from spackmon.ingest.inbox import Reader
from spackmon.large_bytes import AnyBytes
from spackmon.rest_compat.cdash import read_upload
from spackmon.rest_compat.promises import divided
from spackmon.rest_compat.writes import WRITES
from spackmon.submission import BuildReport, Submission


def reader(cdash_projects: Collection[str]) -> Reader:
    """Reads a body as its endpoint would read it now; `cdash_projects` as `read_upload` takes them."""

    known = KnownNodes()

    def read(kind: str, body: AnyBytes) -> Iterable[Submission]:
        if kind == INBOX_KIND:
            return read_line(body, known)
        if kind.startswith(CDASH_KIND):
            uploaded = read_upload(kind.removeprefix(CDASH_KIND), body, cdash_projects).report
            return () if uploaded is None else (uploaded,)
        kind, promised_build_id = divided(kind)
        write = next((write for write in WRITES if write.kind == kind), None)
        if write is None:
            raise Refused(Code.KIND_UNKNOWN, f"{kind!r} is no write of ms1")
        report = write.read(read_json(body), known)
        if isinstance(report, BuildReport):
            report = replace(report, promised_build_id=promised_build_id)
        return (report,)

    return read
