"""`/packages/NAME`: a package, with a matrix of its builds in chosen columns and for a chosen system."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from spackmon.errors import Code, Refused
from spackmon.web.pages import PageRequest, Values, in_path, page, refusal_page, refused_at

_COLUMNS = ("compiler", "os", "target")
# Memory is counted build by build, everything else from what is kept.
_BUILDS_WITH_MEMORY = 5_000
_SIZE = "query ($name: String!) { package(name: $name) { builds { totalCount } } }"


def _columns(request: PageRequest) -> str:
    word = request.query_params.get("columns", "").strip() or _COLUMNS[0]
    if word not in _COLUMNS:
        raise Refused(Code.ARGUMENT_INVALID, f"`columns` must be one of {', '.join(_COLUMNS)}")
    return word


def _variables(request: PageRequest, with_memory: bool) -> Mapping[str, Any]:
    system = request.query_params.get("os", "").strip()
    where = {"spec": {"architecture": {"operatingSystem": {"eq": system}}}} if system else None
    return {
        **in_path(request),
        "columns": _columns(request).upper(),
        "where": where,
        "withMemory": with_memory,
    }


def _values(request: PageRequest) -> Values:
    return {"columns": _columns(request)}


_with_memory, _without_memory = (
    page("package", partial(_variables, with_memory=with_memory), values=_values)
    for with_memory in (True, False)
)


async def endpoint(request: PageRequest) -> Response:
    """The package of a name, or a page that says that there is none."""
    try:
        found = (await request.state.query.ask(_SIZE, in_path(request)))["package"]
    except Refused as refused:
        return refusal_page(request, refused_at(request, refused))
    is_small = found is None or found["builds"]["totalCount"] <= _BUILDS_WITH_MEMORY
    return await (_with_memory if is_small or "memory" in request.query_params else _without_memory)(request)
