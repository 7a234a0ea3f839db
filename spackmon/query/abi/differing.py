"""What differs between the libraries of two specs, and of each version of a package and the next."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Integer,
    LargeBinary,
    Select,
    and_,
    case,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from spackmon.abi.differences import Library, LibraryDifference, differences, unreadable
from spackmon.abi.reader.packed import ANALYZER
from spackmon.abi.splice import Verdict
from spackmon.abi.stored import Export
from spackmon.errors import Code, Refused
from spackmon.graph.versions import version_key
from spackmon.models import Analysis, Build, Package, PackageVersion, Spec
from spackmon.query.abi.described import described_differences, results_of_spec
from spackmon.query.abi.installations import Installation, Installed
from spackmon.query.abi.installed import Asked, installed
from spackmon.query.abi.pages import MOST_VERSIONS, named, number_of_cursor, within
from spackmon.query.abi.replacing import MOST_REASONS, specs_of
from spackmon.query.meanings.meaning import At
from spackmon.query.rows.lookups import spec_by_hash_or_id, without_nul
from spackmon.query.sql.json_text import Json, constant
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

Arguments = Mapping[str, Any]

MOST_LIBRARIES = 100
"""So many libraries stand in one answer."""
MOST_SYMBOLS = 1_000
"""So many symbols stand in one list of an answer."""
_VERDICTS = {Verdict.WORKS: 0, Verdict.UNKNOWN: 1, Verdict.BREAKS: 2}


def files_of_two(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `abi_difference`."""
    found = {name: spec_by_hash_or_id({"hash": arguments[name]}, statement, name) for name in ("a", "b")}
    several = [
        (f"{name}IsAmbiguous", statement.json.value(one.ambiguous, nullable=True))
        for name, one in found.items()
        if one.ambiguous is not None
    ]
    return installed(
        statement,
        Asked(
            {name: select(one.row_id.label("id")) for name, one in found.items()},
            without_graph=frozenset(found),
            values=(
                *several,
                *(
                    (f"{name}Described", results_of_spec(statement, one.row_id))
                    for name, one in found.items()
                ),
            ),
        ),
    )


def abi_difference(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """Of all libraries of two specs.

    Raises Refused SPEC_UNKNOWN, SPEC_HASH_AMBIGUOUS, PAGE_TOO_LARGE and CURSOR_INVALID.
    """
    first = within("first", arguments["first"], 1, MOST_LIBRARIES)
    most = within("symbols", arguments["symbols"], 0, MOST_SYMBOLS)
    offset = _offset(arguments)
    known = Installed(facts)
    a, b = (_spec(facts, known, arguments, name) for name in ("a", "b"))
    found, undecided = _compared(known, a, b)
    shown = found[offset : offset + first]
    is_end = len(found) <= offset + first
    return {
        "verdict": _verdict(found, undecided).name,
        "undecided": sorted(undecided),
        "libraries": [_library_as_json(one, most) for one in shown],
        "endCursor": None if is_end else str(offset + first),
        "interfaces": described_differences(facts["aDescribed"], facts["bDescribed"], most),
    }


def _groups_of_history(statement: "Statement", arguments: Mapping[str, Given]) -> dict[str, Select[Any]]:
    """Of each version of the page, and of the one after, the newest spec: with files, where one has them."""
    text = named(statement, arguments, "package")
    versions = (
        select(PackageVersion.id)
        .join(Package, Package.id == PackageVersion.package_id)
        .where(Package.name == text, exists().where(Spec.package_version_id == PackageVersion.id))
    )
    if "after" in arguments:
        after = arguments["after"]
        key = statement.bind(after, LargeBinary, lambda said: version_key(without_nul("after", said)))
        said = named(statement, arguments, "after")
        is_later = and_(PackageVersion.version_key == key, PackageVersion.version >= said)
        versions = versions.where(or_(PackageVersion.version_key > key, is_later))
    # One more than the steps has no step behind it, and another says whether there is a next page.
    count = statement.bind(arguments["first"], Integer, _steps) + literal_column("2")
    page = versions.order_by(PackageVersion.version_key, PackageVersion.version).limit(count)
    of_page = page.cte(statement.new_name())
    is_read = exists().where(
        Build.spec_id == Spec.id,
        Build.prefix.is_not(None),
        Analysis.attempt_id == Build.newest_attempt_id,
        Analysis.analyzer == constant(ANALYZER),
    )
    specs = select(Spec.id, Spec.package_version_id, is_read.label("is_read")).where(
        Spec.package_version_id.in_(select(of_page.c.id))
    )
    each = specs.cte(statement.new_name())
    newest = func.coalesce(func.max(case((each.c.is_read, each.c.id))), func.max(each.c.id))
    return {"versions": select(newest.label("id")).group_by(each.c.package_version_id)}


def files_of_history(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `abi_history`."""
    groups = _groups_of_history(statement, arguments)
    return installed(statement, Asked(groups, without_graph=frozenset(groups)))


def abi_history(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """Each version of a package and the next. Raises Refused PAGE_TOO_LARGE."""
    count = _steps(arguments["first"])
    known = Installed(facts)
    specs = sorted(known.named("versions"), key=lambda one: (version_key(one.version), one.version))
    steps = [_step(known, *pair) for pair in pairwise(specs[: count + 1])]
    is_end = len(specs) <= count + 1
    return {"steps": steps, "endCursor": None if is_end else specs[count].version}


def _step(known: Installed, older: Installation, newer: Installation) -> dict[str, Any]:
    found, undecided = _compared(known, older, newer)
    reasons = [reason for one in found for reason in one.broken]
    reasons += [reason for one in found for reason in one.undecided] + sorted(undecided)
    return {
        "older": older.hash,
        "newer": newer.hash,
        "verdict": _verdict(found, undecided).name,
        "removed": sum(len(one.removed) for one in found),
        "added": sum(len(one.added) for one in found),
        "changed": sum(len(one.changed) for one in found),
        "removedVersions": sum(len(one.removed_versions) for one in found),
        "sonamesChanged": sum(one.has_soname_changed for one in found),
        "librariesRemoved": sum(one.after is None for one in found),
        "reasons": reasons[:MOST_REASONS],
    }


def _compared(known: Installed, a: Installation, b: Installation) -> tuple[list[LibraryDifference], set[str]]:
    """The libraries, and why the answer may not be all."""
    unread = [one for one in (a, b) if not one.is_known]
    if unread or a.prefix is None or b.prefix is None:
        return [], {f"no symbols are known of {one.name}@{one.version}" for one in unread}
    undecided = known.unknown([a, b]) | unreadable(known.files, a.prefix) | unreadable(known.files, b.prefix)
    return differences(known.files, a.prefix, b.prefix), undecided


def _verdict(found: list[LibraryDifference], undecided: set[str]) -> Verdict:
    whole = [Verdict.UNKNOWN if undecided else Verdict.WORKS]
    return max([*whole, *(one.verdict for one in found)], key=_VERDICTS.__getitem__)


def _library_as_json(found: LibraryDifference, most: int) -> dict[str, Any]:
    return {
        "name": found.name,
        "verdict": found.verdict.name,
        "sonameBefore": found.before and found.before.soname,
        "sonameAfter": found.after and found.after.soname,
        "pathBefore": _path(found.before),
        "pathAfter": _path(found.after),
        "removedCount": len(found.removed),
        "addedCount": len(found.added),
        "changedCount": len(found.changed),
        "removed": [
            {**_symbol(one.name, one.version, one.before), "servedBy": one.served_by}
            for one in found.removed[:most]
        ],
        "added": [_symbol(one.name, one.version, one.after) for one in found.added[:most]],
        "changed": [
            {
                "name": one.name,
                "version": one.version,
                "typeBefore": one.before.type,
                "typeAfter": one.after.type,
                "sizeBefore": one.before.size,
                "sizeAfter": one.after.size,
            }
            for one in found.changed[:most]
        ],
        "removedVersions": found.removed_versions[:most],
        "addedVersions": found.added_versions[:most],
        "reasons": [*found.broken, *found.undecided][:MOST_REASONS],
    }


def _symbol(name: str, version: str | None, export: Export) -> dict[str, Any]:
    return {"name": name, "version": version, "type": export.type, "size": export.size}


def _path(library: Library | None) -> str | None:
    return library.place.lstrip("/") if library else None


def _spec(facts: Any, known: Installed, arguments: Arguments, name: str) -> Installation:
    if facts.get(f"{name}IsAmbiguous"):
        raise Refused(Code.SPEC_HASH_AMBIGUOUS, f"`{name}`: several specs have a hash that starts so")
    found = next(iter(known.named(name)), None)
    if found is None:
        raise Refused(Code.SPEC_UNKNOWN, f"`{name}`: no spec has the hash {arguments[name][:100]!r}")
    return found


def _steps(first: Any) -> int:
    return within("first", first, 1, MOST_VERSIONS)


def _offset(arguments: Arguments) -> int:
    after = arguments.get("after")
    if after is None:
        return 0
    return number_of_cursor("after", after, 9)


HISTORY = specs_of(_groups_of_history)
