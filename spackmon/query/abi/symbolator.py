"""Splices by what symbolator found: names of symbols, as the server of before predicted them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, exists, func, literal_column, or_, select

from spackmon.abi.names import Corpus, NotCorpora, missing_names, read_corpora
from spackmon.abi.splice import MissingSymbol, Prediction
from spackmon.models import Analysis, Attribute, Build
from spackmon.query.abi.installed import listed
from spackmon.query.sql.json_text import Json, constant

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

_ANALYZER = "symbolator"
_MOST_RESULTS = 20


def results_of_splice(
    statement: "Statement", build_id: ColumnElement[Any], replacement: ColumnElement[Any]
) -> tuple[tuple[str, Json], ...]:
    """The results of a build, and of the latest build of a spec that has some, as facts."""
    has_results = exists().where(
        Analysis.attempt_id == Build.newest_attempt_id, Analysis.analyzer == constant(_ANALYZER)
    )
    latest = select(func.max(Build.id)).where(Build.spec_id == replacement, has_results)
    return (
        ("before", _results(statement, build_id)),
        ("after", _results(statement, latest.scalar_subquery())),
    )


def _results(statement: "Statement", build_id: ColumnElement[Any]) -> Json:
    rows = (
        select(Attribute.json_value, Attribute.value)
        .join(Analysis, Analysis.id == Attribute.analysis_id)
        .join(Build, Build.newest_attempt_id == Analysis.attempt_id)
        .where(
            Build.id == build_id,
            Analysis.analyzer == constant(_ANALYZER),
            or_(Attribute.json_value.is_not(None), Attribute.value.is_not(None)),
        )
        .order_by(Attribute.id)
        .limit(literal_column(str(_MOST_RESULTS + 1)))
    )
    return listed(statement, rows)


def by_names(facts: Mapping[str, Any], package: str) -> Prediction:
    """What each result of a build lacks once a library of the other build takes the place of its namesake."""
    found = Prediction()
    before, after = _read(facts["before"], found), _read(facts["after"], found)
    if not before or not after:
        return Prediction(undecided={f"no corpora of symbolator are known of both builds of {package}"})
    is_replaced = False
    for corpora in before:
        for replacing in after:
            missing = missing_names(corpora, replacing)
            is_replaced |= missing is not None
            for consumer, symbol in missing or ():
                why = f"no corpus defines {symbol}"
                found.missing[MissingSymbol(consumer, symbol, None)] = why
    if not is_replaced:
        found.undecided.add(f"no corpus of the build has the name of a library of {package}")
    return found


def _read(results: list[Any], found: Prediction) -> list[list[Corpus]]:
    if len(results) > _MOST_RESULTS:
        found.undecided.add(f"only {_MOST_RESULTS} results of symbolator are read of a build")
    read = []
    for as_json, text in results[:_MOST_RESULTS]:
        try:
            read.append(read_corpora(text if as_json is None else as_json))
        except NotCorpora:
            found.undecided.add("a result of symbolator cannot be read")
    return read
