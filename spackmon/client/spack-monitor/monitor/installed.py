"""What is installed already, as a report: all that Spack keeps in the prefix, and what is in the files."""

import os
import time
from typing import Any

import spack.store

from . import elf, facts, files
from .spool import Item


def report(spec: Any, with_symbols: bool) -> Item:
    """One installed spec for the spool: with its log, or with the symbols of its programs and libraries."""
    prefix = str(spec.prefix)
    line = {
        "type": "install",
        "source": {"kind": "PREFIX", "key": files.prefix_key(prefix)},
        "spec_hash": spec.dag_hash(),
        "package": spec.name,
        "status": "SUCCESS",
    }
    collect = {"prefix": prefix, "log": not with_symbols, "at": time.time()}
    # The file is what was built, in the words of the Spack that built it.
    spec_file = os.path.join(prefix, ".spack", "spec.json")
    if os.path.exists(spec_file):
        collect["spec_file"] = spec_file
    else:
        line["spec"] = facts.document_of(spec)
    record = spack.store.STORE.db.get_record(spec)
    if record is not None and record.installation_time:
        line["finished_at"] = record.installation_time
    if with_symbols:
        symbols = elf.findings(prefix)
        if symbols:
            line["attributes"] = {"symbolator": symbols}
    return {"line": line, "collect": collect}
