"""What an installer did that did not say so: what is installed since it began, and the logs of what is not.

For versions of Spack that are not known: of their builds less is told, but how each of them ended.
"""

import os
from typing import Any, Iterable, Optional

import spack.store

from .journal import Journal


def report(journal: Journal, specs: Iterable[Any], began_at: float) -> None:
    """How those ended that were touched since then."""
    for spec in specs:
        if not journal.has_ended(spec.dag_hash()):
            journal.guard(_report)(journal, spec, began_at)


def report_of_nobody(journal: Journal, began_at: float, error: Optional[BaseException]) -> None:
    """As above, where not even what was to be installed is known: all that the database has since then."""
    for spec in spack.store.STORE.db.query():
        if not journal.has_ended(spec.dag_hash()) and _is_installed_since(spec, began_at):
            journal.found(spec)
    package = getattr(error, "pkg", None)
    if package is not None:
        report(journal, package.spec.traverse(), began_at)


def _report(journal: Journal, spec: Any, began_at: float) -> None:
    if spec.external:
        return
    if _is_installed_since(spec, began_at):
        journal.found(spec)
    elif not spec.installed and _is_newer(spec.package.log_path, began_at):
        journal.failed(spec, None, None)


def _is_installed_since(spec: Any, began_at: float) -> bool:
    try:
        record = spack.store.STORE.db.get_record(spec)
    except KeyError:
        return False
    return record is not None and record.installed and record.installation_time >= began_at


def _is_newer(path: str, began_at: float) -> bool:
    try:
        return os.path.getmtime(path) >= began_at
    except OSError:
        return False
