"""Splices as old scripts ask for them: who may take whose place, and which names would be missing then.

They are predictions by the names in symbolator's results alone, the old server's rule; GraphQL's `splice`
goes by the loader's rules. Scripts iterate the answers: what is not there is an empty list.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.abi.names import Corpus, NotCorpora, missing_names, read_corpora, replaced_names
from spackmon.http.services import Services
from spackmon.rest_compat.data import shapes
from spackmon.rest_compat.data.sources import fragment

_HERE = Path(__file__).parent
_ANALYZER = "symbolator"
_NOT_READ = "a result of symbolator cannot be read"


def _document(name: str) -> str:
    return (_HERE / f"{name}.graphql").read_text(encoding="utf-8")


_SPLICE, _BUILD = _document("splice"), _document("splice_contenders")
_DEPENDENCIES = _document("direct_dependencies") + fragment("specs")


async def specs_to_splice(request: Request[Services]) -> Response:
    """What the specs of a result's package depend on directly: of its compiler's name and its machine."""
    found = (await request.state.query.ask(_BUILD, {"id": request.path_params["id"]}))["analysisResult"]
    spec = None if found is None else found["build"]["spec"]
    if spec is None:
        return JSONResponse([])
    machine = {"environment": {"hostname": {"eq": found["build"]["environment"]["hostname"]}}}
    alike: dict[str, Any] = {"name": {"eq": spec["name"]}, "builds": {"some": machine}}
    if spec["compiler"] is not None:
        alike["compiler"] = {"name": {"eq": spec["compiler"]["name"]}}
    return JSONResponse([shapes.spec(row) for row in await _oldest_first(request, alike)])


async def _oldest_first(request: Request[Services], parents: Mapping[str, Any]) -> list[Any]:
    rows: list[Any] = []
    before, more = None, True
    while more:
        variables = {"where": parents, "before": before}
        page = (await request.state.query.ask(_DEPENDENCIES, variables))["specs"]
        rows += reversed(page["nodes"])
        more, before = page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["startCursor"]
    return rows


async def splices(request: Request[Services]) -> Response:
    """What the file of a result lacks once libraries of a spec take the places of their namesakes."""
    variables = {name: request.path_params[f"{name}_id"] for name in ("attribute", "spec")}
    predicted: list[dict[str, Any]] = []
    after, more = None, True
    while more:
        data = await request.state.query.ask(_SPLICE, {**variables, "after": after})
        of, spec = data["analysisResult"], data["spec"]
        if of is None or spec is None or of["analyzer"] != _ANALYZER:
            return JSONResponse([])
        page = spec["analysisResults"]
        predicted += await run_in_threadpool(_predicted, of, spec, page["nodes"])
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
    return JSONResponse(predicted)


def _predicted(of: Mapping[str, Any], spec: Mapping[str, Any], results: list[Any]) -> list[dict[str, Any]]:
    before = _corpora(of)
    return [_prediction(before, _corpora(one), of["build"]["spec"], spec) for one in results]


def _prediction(
    before: list[Corpus] | None,
    replacing: list[Corpus] | None,
    a: Mapping[str, Any] | None,
    b: Mapping[str, Any],
) -> dict[str, Any]:
    shown = {"A": _words(a), "B": _words(b), "A_id": _number(a), "B_id": _number(b)}
    if before is None or replacing is None:
        return {"missing": [], "selected": [], **shown, "message": _NOT_READ}
    selected = replaced_names(before, replacing)
    found = {"missing": [], "selected": [list(pair) for pair in selected], **shown}
    missing = missing_names(before, replacing)
    if missing is None:
        return {**found, "message": "no library of the spec has the name of one that the file needs"}
    return {**found, "missing": [" ".join(pair) for pair in missing]}


def _corpora(result: Mapping[str, Any]) -> list[Corpus] | None:
    try:
        return read_corpora(result["value"] if result["jsonValue"] is None else result["jsonValue"])
    except NotCorpora:
        return None


def _words(spec: Mapping[str, Any] | None) -> str | None:
    return None if spec is None else f"{spec['name']}@{spec['version']}/{spec['hash'][:7]}"


def _number(spec: Mapping[str, Any] | None) -> int | None:
    return None if spec is None else shapes.number(spec["id"])
