"""What Spack says of splices beside what the loader does with them: specs that were spliced, `can_splice`."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, literal_column, select, union

from spackmon.abi.splice import Prediction, Verdict
from spackmon.abi.today import missing_today
from spackmon.models import (
    Analysis,
    Attempt,
    Attribute,
    Build,
    Package,
    PackageVersion,
    Spec,
    SpecHash,
)
from spackmon.query.abi.installations import LOADED, Installation, Installed
from spackmon.query.abi.installed import Asked, installed, listed
from spackmon.query.abi.pages import MOST_DEPENDENTS, MOST_VERSIONS, Page, named, users_of
from spackmon.query.abi.replacing import MOST_REASONS, Judge, specs_of
from spackmon.query.meanings.meaning import At
from spackmon.query.sql.json_text import Json, constant
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

Arguments = Mapping[str, Any]

ANALYZER = "can_splice"
"""The analyzer as whose results the extension sends what recipes declare: a statement and a hash each."""

_PAGE = Page("first", "after", MOST_VERSIONS)
# From what is known to be wrong to what is known to be right.
_WORST = (Verdict.BREAKS, Verdict.UNKNOWN, Verdict.WORKS)


def _declared() -> Select[*tuple[Any, ...]]:
    """What recipes declare of the specs of builds, as of their newest runs."""
    return (
        select(Build.spec_id, Attribute.name, Attribute.value)
        .join(Attempt, Attempt.id == Attribute.attempt_id)
        .join(Build, Build.newest_attempt_id == Attempt.id)
        .join(Analysis, Analysis.id == Attribute.analysis_id)
        .where(Analysis.analyzer == constant(ANALYZER), Build.spec_id.is_not(None))
    )


def _groups(statement: "Statement", arguments: Mapping[str, Given]) -> dict[str, Select[Any]]:
    """The specs of which Spack says something, what they may replace, and what uses that."""
    declared = _declared().subquery(statement.new_name())
    spliced = select(Spec.id).where(Spec.built_as.is_not(None))
    said = union(spliced, select(declared.c.spec_id)).subquery(statement.new_name())
    specs = select(said.c.id)
    if "package" in arguments:
        specs = (
            specs.join(Spec, Spec.id == said.c.id)
            .join(PackageVersion, PackageVersion.id == Spec.package_version_id)
            .join(Package, Package.id == PackageVersion.package_id)
            .where(Package.name == named(statement, arguments, "package"))
        )
    page = _PAGE.of(specs, statement, arguments)
    replaced = select(SpecHash.spec_id.label("id")).join(declared, declared.c.value == SpecHash.value)
    replaced = replaced.where(declared.c.spec_id.in_(select(page.subquery(statement.new_name()).c.id)))
    users = users_of(select(replaced.subquery(statement.new_name()).c.id), LOADED)
    newest = users.subquery(statement.new_name())
    most: ColumnElement[Any] = literal_column(str(MOST_DEPENDENTS))
    return {
        "page": page,
        "replaced": replaced.distinct(),
        "users": select(newest.c.id).order_by(newest.c.id.desc()).limit(most),
    }


def files_of_statements(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `splice_statements`."""
    groups = _groups(statement, arguments)
    page = groups["page"].subquery(statement.new_name())
    declared = _declared().subquery(statement.new_name())
    rows = select(declared.c.spec_id, declared.c.name, SpecHash.spec_id.label("replaced_id"))
    rows = rows.outerjoin(SpecHash, SpecHash.value == declared.c.value).where(
        declared.c.spec_id.in_(select(page.c.id))
    )
    spliced = select(Spec.id).where(Spec.id.in_(select(page.c.id)), Spec.built_as.is_not(None))
    values = (("declared", listed(statement, rows.distinct())), ("spliced", listed(statement, spliced)))
    return installed(statement, Asked(groups, values=values))


def splice_statements(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """What Spack says of a page of specs. Raises Refused PAGE_TOO_LARGE and CURSOR_INVALID."""
    known = Installed(facts)
    shown, cursor = _PAGE.split(known.named("page"), arguments)
    spliced = set(facts["spliced"])
    declared: dict[int, list[tuple[str, int | None]]] = defaultdict(list)
    for spec_id, name, replaced_id in facts["declared"]:
        declared[spec_id].append((name, replaced_id))
    declarations = _Declarations(known)
    found = []
    for one in shown:
        if one.id in spliced:
            found.append(_of_spliced(known, one))
        for name, replaced_id in sorted(declared[one.id], key=lambda said: (said[0], said[1] or 0)):
            found.append(declarations.judged(one, name, known.specs.get(replaced_id or 0)))
    wanted = arguments.get("verdict")
    statements = [one for one in found if wanted in (None, one["verdict"])]
    return {"statements": statements, "endCursor": cursor}


def _of_spliced(known: Installed, spec: Installation) -> dict[str, Any]:
    """A spec that Spack runs with others than it was built with, as it is."""
    if spec.prefix is None or not spec.is_known:
        found = Prediction(undecided={f"no symbols are known of {spec.name}"})
    else:
        site = known.site(spec)
        found = missing_today(site.files, site.system, (spec.prefix,), known.prefixes(spec))
        found.undecided |= known.unknown([spec])
    gone = [*found.missing_libraries.values(), *found.missing_versions.values(), *found.missing.values()]
    return {
        "source": "SPLICED", "spec": spec.hash, "statement": None, "replaced": None,
        "verdict": found.verdict.name, "missing": len(gone), "broken": [],
        "reasons": [*gone, *sorted(found.undecided)][:MOST_REASONS],
    }  # fmt: skip


class _Declarations:
    """Judges declarations by what uses the specs that may be replaced."""

    def __init__(self, known: Installed) -> None:
        self._known = known
        self._judge = Judge(known)
        self._users: dict[int, list[Installation]] = defaultdict(list)
        for user in known.named("users"):
            for used in known.used_by(user):
                self._users[used.id].append(user)

    def judged(self, spec: Installation, name: str, replaced: Installation | None) -> dict[str, Any]:
        """The worst that happens to any user of `replaced` with `spec` in its place."""
        users = [] if replaced is None else self._users[replaced.id]
        cells = [
            (user, self._judge.of([user], replaced, self._known.graph(user))(spec))
            for user in users
            if replaced is not None and user is not spec
        ]
        reasons = [reason for _, cell in cells for reason in cell["reasons"]]
        if not cells:
            reasons = ["no spec is known that it may be replaced under"]
        verdicts = {cell["verdict"] for _, cell in cells} or {Verdict.UNKNOWN.name}
        return {
            "source": "CAN_SPLICE", "spec": spec.hash, "statement": name,
            "replaced": replaced and replaced.hash,
            "verdict": next(one.name for one in _WORST if one.name in verdicts),
            "missing": sum(cell["missing"] for _, cell in cells),
            "broken": [user.hash for user, cell in cells if cell["verdict"] == Verdict.BREAKS.name],
            "reasons": list(dict.fromkeys(reasons))[:MOST_REASONS],
        }  # fmt: skip


STATEMENTS = specs_of(_groups)
