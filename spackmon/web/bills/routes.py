"""Where bills of materials are: `sbom.spdx.json` and `sbom.cdx.json` of a spec, a build, an environment."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from spackmon.errors import Refused
from spackmon.http import answers
from spackmon.http.base_url import site_url
from spackmon.http.operations import OBJECT, Operation, Parameter, RestRoute, words
from spackmon.web.bills.cyclonedx import cyclonedx
from spackmon.web.bills.materials import Bill, components_of
from spackmon.web.bills.spdx import spdx
from spackmon.web.pages import PageRequest, document, nothing_here, refused_at

_VERSION = version("spackmon")
_FORMATS: Mapping[str, tuple[str, Callable[[Bill, str], dict[str, Any]]]] = {
    "spdx": ("application/spdx+json", spdx),
    "cdx": ("application/vnd.cyclonedx+json; version=1.6", cyclonedx),
}
_SPEC, _BUILD, _ENVIRONMENT = (document(f"bill_of_{noun}") for noun in ("spec", "build", "environment"))

_Make = Callable[[PageRequest], Awaitable[Bill]]


async def _of_spec(request: PageRequest) -> Bill:
    spec = await _spec(request, request.path_params["hash"])
    return _bill(request, f"/specs/{spec['hash']}", f"{spec['name']}@{spec['version']}", [spec], {})


async def _of_build(request: PageRequest) -> Bill:
    data = await request.state.query.ask(_BUILD, {"id": request.path_params["id"]})
    build = data["build"]
    if build is None or build["spec"] is None:
        raise nothing_here(request)
    spec = await _spec(request, build["spec"]["hash"])
    said = {
        "spackmon:build": build["id"],
        "spackmon:status": build["status"],
        "spackmon:finished": build["finishedAt"],
        "spackmon:prefix": build["prefix"],
        "spackmon:host": build["environment"]["hostname"],
        "spackmon:os": build["environment"]["operatingSystem"],
        "spackmon:target": build["environment"]["target"],
    }
    title = f"{spec['name']}@{spec['version']}"
    return _bill(request, f"/builds/{build['id']}", title, [spec], said)


async def _of_environment(request: PageRequest) -> Bill:
    """What its newest lock file has; of several people's of this name `owner` says whose, else the newest."""
    name, owner = request.path_params["name"], request.query_params.get("owner")
    where: dict[str, Any] = {"name": {"eq": name}}
    if owner:
        where["owner"] = {"name": {"eq": owner}}
    hashes: list[str] = []
    after: str | None = None
    while True:
        data = await request.state.query.ask(_ENVIRONMENT, {"where": where, "after": after})
        found = data["spackEnvironments"]["nodes"]
        if not found:
            raise nothing_here(request)
        (lock_file,) = found[0]["lockFiles"]["nodes"]
        roots = lock_file["roots"]
        hashes += [root["spec"]["hash"] for root in roots["nodes"] if root["spec"] is not None]
        if not roots["pageInfo"]["hasNextPage"]:
            break
        after = roots["pageInfo"]["endCursor"]
    specs = [await _spec(request, hash_) for hash_ in dict.fromkeys(hashes)]
    said = {"spackmon:owner": found[0]["owner"]["name"], "spackmon:reported": lock_file["reportedAt"]}
    return _bill(request, f"/environments/{quote(name, safe='')}", name, specs, said)


async def _spec(request: PageRequest, hash_: str) -> Mapping[str, Any]:
    spec: Mapping[str, Any] | None = (await request.state.query.ask(_SPEC, {"hash": hash_}))["spec"]
    if spec is None:
        raise nothing_here(request)
    return spec


def _bill(
    request: PageRequest,
    path: str,
    title: str,
    specs: Sequence[Mapping[str, Any]],
    said: Mapping[str, str | None],
) -> Bill:
    components, edges = components_of(spec["graph"] for spec in specs)
    return Bill(
        title=title,
        address=f"{site_url(request)}{path}",
        created_at=datetime.now(UTC),
        roots=tuple(spec["hash"] for spec in specs),
        components=components,
        edges=edges,
        properties={name: value for name, value in said.items() if value},
    )


async def _answer(make: _Make, request: PageRequest) -> Response:
    if request.path_params["format"] not in _FORMATS:
        return answers.refusal(nothing_here(request))
    media_type, write = _FORMATS[request.path_params["format"]]
    try:
        bill = await make(request)
    except Refused as refused:
        return answers.refusal(refused_at(request, refused))
    return JSONResponse(write(bill, _VERSION), media_type=media_type)


def _bill_of(noun: str, *parameters: Parameter) -> Operation:
    answers = {media_type.partition(";")[0]: OBJECT for media_type, _ in _FORMATS.values()}
    summary = f"The bill of materials of {noun}; `format` is one of {', '.join(_FORMATS)}."
    return Operation("Files", summary, answers, parameters=parameters)


routes = [
    RestRoute("/specs/{hash}/sbom.{format}.json", partial(_answer, _of_spec), _bill_of("a spec")),
    RestRoute("/builds/{id}/sbom.{format}.json", partial(_answer, _of_build), _bill_of("a build")),
    RestRoute(
        "/environments/{name}/sbom.{format}.json",
        partial(_answer, _of_environment),
        _bill_of("an environment", *words(["owner"])),
    ),
]
