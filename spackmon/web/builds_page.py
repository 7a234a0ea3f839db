"""`/builds`: a list of builds as its address says it: which, in which columns, in which order."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from spackmon.errors import Code, Refused
from spackmon.graph.spec_words import in_words
from spackmon.web.asked_builds import WORDS, asked_builds, asked_words
from spackmon.web.build_columns import COLUMNS, USUAL_COLUMNS, Column
from spackmon.web.pages import PAGING, PageRequest, Values, at, page, paging, refusal_page

# Of the column that names the build, which is always there.
_NAME, _VERSION = "package", "version"
_SORTS = {
    _NAME: "name",
    _VERSION: "version",
    **{column.name: column.field for column in COLUMNS.values() if column.field},
}
_DIRECTIONS = {"": "ASC", "-": "DESC"}


def _columns(request: PageRequest) -> list[Column]:
    """The columns that an address names, in our order; without any the usual ones."""
    named = {
        word
        for value in request.query_params.getlist("columns")
        for word in value.replace(" ", "").split(",")
        if word
    }
    if unknown := sorted(named - COLUMNS.keys()):
        sentence = f"`columns` must be of {', '.join(COLUMNS)}: {unknown[0][:50]!r} is none"
        raise Refused(Code.ARGUMENT_INVALID, sentence)
    return [one for one in COLUMNS.values() if one.name in named] or USUAL_COLUMNS


def _sort(request: PageRequest) -> str:
    """The column by which an address sorts, with a `-` before it for the largest first; or nothing."""
    word = request.query_params.get("sort", "").strip()
    if word and word.removeprefix("-") not in _SORTS:
        sentence = f"`sort` must be one of {', '.join(_SORTS)}, or one of them behind a `-`"
        raise Refused(Code.ARGUMENT_INVALID, sentence)
    return word


def asked_order(request: PageRequest) -> Mapping[str, Any]:
    """The argument `orderBy` of the field `builds`, where an address sorts by a column."""
    sort = _sort(request)
    column = sort.removeprefix("-")
    return {"orderBy": [{_SORTS[column]: _DIRECTIONS[sort.removesuffix(column)]}]} if sort else {}


def _builds(request: PageRequest) -> Mapping[str, Any]:
    words = asked_words(request.query_params)
    names = {column.name for column in _columns(request)}
    # Counts of all builds are kept; those of a filter read as much as there is, and are asked for.
    is_counted = not words or "counts" in request.query_params
    return {
        **paging(request),
        **asked_builds(words),
        **asked_order(request),
        "isCounted": is_counted,
        "isCountedThrough": request.query_params.get("counts") == "all",
        "withCause": "cause" in names,
        "withSize": "size" in names,
        "withVariants": "variants" in names,
    }


def _shown(request: PageRequest) -> Values:
    """What the template needs beside the answer."""
    words = asked_words(request.query_params)
    columns, sort = _columns(request), _sort(request)
    view = {
        **({} if columns == USUAL_COLUMNS else {"columns": ",".join(column.name for column in columns)}),
        **({"sort": sort} if sort else {}),
    }
    return {
        "columns": columns,
        "all_columns": COLUMNS.values(),
        "sorts": [(_NAME, "Package"), (_VERSION, "Version")]
        + [(column.name, column.title) for column in COLUMNS.values() if column.field],
        "sort": sort,
        "view": view,
        "understood": in_words(words["satisfying"]) if "satisfying" in words else [],
        "rule": _rule(words),
    }


def _rule(words: Mapping[str, str]) -> str | None:
    """The command that states a rule of such builds; none where its filter cannot say which they are."""
    asked = asked_builds(words)
    if "satisfying" in asked:
        return None
    where = f" --where {shlex.quote(json.dumps(asked['where']))}" if "where" in asked else ""
    return f"spackmon rule add my-rule --on NEWLY_FAILING{where} --email me@example.org"


async def to_two_builds(request: PageRequest) -> Response:
    """`/compare/builds?build=…&build=…`, what a form asks for, leads to the page that can be kept."""
    chosen = [word.strip() for word in request.query_params.getlist("build") if word.strip()]
    if len(chosen) != 2:
        sentence = f"choose two builds, as /compare/builds?build=1&build=2: {len(chosen)} were chosen"
        return refusal_page(request, Refused(Code.ARGUMENT_INVALID, sentence))
    path = f"/compare/builds/{chosen[0]}/{chosen[1]}"
    return RedirectResponse(request.url.replace(path=path, query=""), 302)


routes = [
    *at("/builds", page("builds", _builds, values=_shown), *WORDS, *PAGING, "columns", "sort", "counts")
]
