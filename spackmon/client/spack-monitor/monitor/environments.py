"""An environment as a report: its roots in their user's words, as `spack.lock` has them."""

import os
from typing import Any, Dict, Iterator, List, Optional, Tuple

from . import facts, files
from .spool import Item


def reports(environment: Any) -> List[Item]:
    """The environment for the spool, after the specs of those roots that are not installed.

    Nothing where it has no lock file, or none that can be read.
    """
    path = str(environment.lock_path)
    lock = files.read_json(path)
    if lock is None:
        return []
    version = facts.spack_version()[0]
    try:
        roots = list(_roots(None, lock))
        line = {
            "type": "environment",
            # As `spackmon import` names it.
            "name": os.path.basename(os.path.dirname(os.path.abspath(path))),
            "lock_file_version": lock["_meta"]["lockfile-version"],
            "spack_version": version,
            "roots": roots,
        }
    except (KeyError, TypeError, AttributeError):
        return []
    specs = {spec.dag_hash(): spec for spec in environment.all_specs()}
    missing = dict.fromkeys(root["spec_hash"] for root in roots)
    unbuilt = [specs[one] for one in missing if one in specs and not specs[one].installed]
    documents = [
        {"type": "spec", "spec": facts.document_of(spec), "spack_version": version} for spec in unbuilt
    ]
    return [{"line": one} for one in [*documents, line]]


def _roots(included_from: Optional[str], lock: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    """The roots of an environment, and of all that it includes."""
    for root in lock["roots"]:
        told: Tuple[Tuple[str, Any], ...] = (
            ("spec_hash", root["hash"]), ("abstract_spec", root.get("spec")), ("group", root.get("group")),
            ("included_from", included_from),
        )  # fmt: skip
        yield {name: value for name, value in told if value is not None}
    for path, included in (lock.get("include_concrete") or {}).items():
        yield from _roots(path, included)
