"""What may replace what, of many specs at once: every build of a package, everything that uses one."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import CompoundSelect, Select, select, union

from spackmon.abi.many import Builds, Dependent
from spackmon.abi.splice import Prediction
from spackmon.abi.today import missing_today
from spackmon.errors import Code, Refused
from spackmon.query.abi.installations import LOADED, Installation, Installed, Site
from spackmon.query.abi.installed import Asked, installed
from spackmon.query.abi.pages import (
    MOST_DEPENDENTS,
    MOST_VERSIONS,
    Page,
    above,
    named,
    of_package,
    of_version,
)
from spackmon.query.abi.splicing import as_answer, build_asked, replaced_in, root_of
from spackmon.query.meanings.meaning import At
from spackmon.query.sql.conditions import Filtering
from spackmon.query.sql.json_text import Json
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

Arguments = Mapping[str, Any]
Groups = Callable[["Statement", Mapping[str, Given]], dict[str, Select[Any]]]

MOST_REASONS = 5
"""So many reasons stand beside a verdict of many."""
_CANDIDATES = Page("first", "after", MOST_VERSIONS)
_VERSIONS = Page("versions", "afterVersion", MOST_VERSIONS)
_DEPENDENTS = Page("first", "after", MOST_DEPENDENTS)


def files_of_build(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `missing_now`."""
    build_id, root, number = build_asked(statement, arguments)
    return installed(statement, Asked({"root": root}, build_id, values=(number,)))


def missing_now(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """What the loader refuses of a build as it is. Raises Refused BUILD_UNKNOWN and BUILD_SPEC_UNKNOWN."""
    known = Installed(facts)
    root = root_of(facts, known, arguments)
    if root.prefix is None or not root.is_known:
        return as_answer(Prediction(undecided={f"no symbols are known of {root.name}"}))
    others = tuple(one.prefix for one in known.graph(root) if one.prefix and one is not root)
    site = known.site(root)
    found = missing_today(site.files, site.system, (root.prefix,), others)
    found.undecided |= known.unknown([root])
    return as_answer(found, site)


def _groups_of_candidates(statement: "Statement", arguments: Mapping[str, Given]) -> dict[str, Select[Any]]:
    specs = of_package(named(statement, arguments, "package"))
    return {"candidates": _CANDIDATES.of(specs, statement, arguments)}


def files_of_candidates(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `splice_candidates`."""
    build_id, root, number = build_asked(statement, arguments)
    groups = {"root": root, **_groups_of_candidates(statement, arguments)}
    return installed(statement, Asked(groups, build_id, values=(number,)))


def splice_candidates(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """Every known spec of a package in the place of a build's. Raises Refused as `splicing.spliced`."""
    known = Installed(facts)
    root = root_of(facts, known, arguments)
    used = replaced_in(known, root, arguments["package"], "package")
    shown, cursor = _CANDIDATES.split(known.named("candidates"), arguments)
    judge = Judge(known).of(known.dependents(root, used), used, known.graph(root))
    return {"outcomes": [{"spec": one.hash, **judge(one)} for one in shown], "endCursor": cursor}


def _groups_of_matrix(statement: "Statement", arguments: Mapping[str, Given]) -> dict[str, Select[Any]]:
    package = of_package(named(statement, arguments, "package"))
    return {
        "versions": _VERSIONS.of(package, statement, arguments),
        "dependents": _DEPENDENTS.of_users(package, LOADED, statement, arguments),
    }


def files_of_matrix(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `splice_matrix`."""
    return installed(statement, Asked(_groups_of_matrix(statement, arguments)))


def splice_matrix(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """Specs of a package by specs that link or run one of them. Raises Refused PAGE_TOO_LARGE."""
    known = Installed(facts)
    versions, versions_cursor = _VERSIONS.split(known.named("versions"), arguments)
    dependents, cursor = _DEPENDENTS.split(known.named("dependents"), arguments)
    judges = Judge(known)
    rows = []
    for one in dependents:
        used = next(iter(known.uses(one, arguments["package"])))
        judge = judges.of([one], used, known.graph(one))
        rows.append({"spec": one.hash, "uses": used.hash, "cells": [judge(other) for other in versions]})
    return {
        "versions": [one.hash for one in versions],
        "versionsEndCursor": versions_cursor,
        "rows": rows,
        "endCursor": cursor,
    }


def _groups_of_rebuilds(statement: "Statement", arguments: Mapping[str, Given]) -> dict[str, Select[Any]]:
    before = of_version(statement, arguments, "from")
    return {
        "from": before,
        "to": of_version(statement, arguments, "to"),
        "dependents": _DEPENDENTS.of(above(before), statement, arguments),
    }


def files_of_rebuilds(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `rebuilds_needed`."""
    groups = _groups_of_rebuilds(statement, arguments)
    return installed(statement, Asked(groups, without_graph=frozenset(("from",))))


def rebuilds_needed(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """What uses some specs of a package, with another one. Raises Refused SPEC_UNKNOWN and PAGE_TOO_LARGE."""
    known = Installed(facts)
    before = {one.id for one in known.named("from")}
    for argument in ("from", "to"):
        if not known.named(argument):
            sentence = f"`{argument}`: no spec of {arguments['package']} has the version or hash"
            raise Refused(Code.SPEC_UNKNOWN, f"{sentence} {arguments[argument]!r}")
    # Of several, the newest whose files are known.
    after = max(known.named("to"), key=lambda one: (one.is_known, one.id))
    shown, cursor = _DEPENDENTS.split(known.named("dependents"), arguments)
    judges = Judge(known)
    outcomes = []
    for one in shown:
        graph = known.graph(one)
        used = next(other for other in graph if other.id in before)
        outcomes.append({"spec": one.hash, **judges.of([one], used, graph)(after)})
    return {"replacement": after.hash, "outcomes": outcomes, "endCursor": cursor}


def specs_of(*groups: Groups) -> Callable[[Scope, Mapping[str, Given], Filtering], CompoundSelect[Any]]:
    """The ids of all specs that an answer may name."""

    def ids(row: Scope, arguments: Mapping[str, Given], statement: Any) -> CompoundSelect[Any]:
        found = chain.from_iterable(group(statement, arguments).values() for group in groups)
        return union(*(select(one.subquery(statement.new_name()).c.id) for one in found))

    return ids


def _used_ones(statement: "Statement", arguments: Mapping[str, Given]) -> dict[str, Select[Any]]:
    return {"package": of_package(named(statement, arguments, "package"))}


CANDIDATES = specs_of(_groups_of_candidates)
MATRIX = specs_of(_groups_of_matrix, _used_ones)
REBUILDS = specs_of(_groups_of_rebuilds)


class Judge:
    """Judges splices whose files are all known, the more of them at once the cheaper each."""

    def __init__(self, known: Installed) -> None:
        self._known = known
        self._builds: dict[Site, Builds] = {}

    def of(
        self, consumers: list[Installation], used: Installation, graph: Iterable[Installation]
    ) -> Callable[[Installation], dict[str, Any]]:
        """Judges builds in the place of `used`, under consumers of which the first is the root."""
        unknown = self._known.unknown([*consumers, used])
        if not consumers or not consumers[0].is_known:
            unknown.add(f"no symbols are known of {consumers[0].name if consumers else used.name}")
        packages = self._known.packages(consumers, used, used, graph)
        dependents: dict[Site, Dependent] = {}

        def judged(other: Installation) -> dict[str, Any]:
            if not (used.is_known and other.is_known and other.prefix):
                return _outcome(Prediction(undecided={f"no symbols are known of both builds of {used.name}"}))
            site = self._known.site(*consumers[:1], used, other)
            if site not in dependents:
                dependents[site] = Dependent(self._builds_of(site), packages)
            found = dependents[site].with_build(other.prefix, self._known.prefixes(other))
            found.undecided |= unknown | self._known.unknown([other])
            return _outcome(found)

        return judged

    def _builds_of(self, site: Site) -> Builds:
        if site not in self._builds:
            self._builds[site] = Builds(site.files, site.system)
        return self._builds[site]


def _outcome(found: Prediction) -> dict[str, Any]:
    gone = [*found.missing_libraries.values(), *found.missing_versions.values(), *found.missing.values()]
    return {
        "verdict": found.verdict.name,
        "missing": len(gone),
        "reasons": [*gone, *sorted(found.undecided)][:MOST_REASONS],
    }
