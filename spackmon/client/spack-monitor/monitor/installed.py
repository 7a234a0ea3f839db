"""What is installed already, as a report: all that Spack keeps in the prefix, and what the loader reads."""

import os
import time
from typing import Any

import spack.store

from . import ci, facts, files, splicing
from .elf_files import ElfFiles
from .spool import Item


def report(spec: Any, elf_files: ElfFiles, with_log: bool) -> Item:
    """One installed spec for the spool, with its log or without."""
    prefix = str(spec.prefix)
    line = {
        "type": "install",
        "source": {"kind": "PREFIX", "key": files.prefix_key(prefix)},
        "spec_hash": spec.dag_hash(),
        "package": spec.name,
        "status": "SUCCESS",
    }
    collect = {"prefix": prefix, "log": with_log, "at": time.time()}
    # The file is what was built, in the words of the Spack that built it.
    spec_file = os.path.join(prefix, ".spack", "spec.json")
    if os.path.exists(spec_file):
        collect["spec_file"] = spec_file
    else:
        line["spec"] = facts.document_of(spec)
    record = spack.store.STORE.db.get_record(spec)
    if record is not None and record.installation_time:
        line["finished_at"] = record.installation_time
        job = ci.job_of(os.environ)
        if job is not None and ci.is_part(os.environ, record.installation_time):
            line["ci"] = job
    line.update(elf_files.fields(prefix))
    declared = splicing.attributes(spec)
    if declared:
        line.setdefault("attributes", {}).update(declared)
    return {"line": line, "collect": collect}
