"""`/errors/FINGERPRINT`: a group of errors; its builds are counted where they are few, or when asked."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from spackmon.errors import Refused
from spackmon.web.pages import PageRequest, in_path, page, refusal_page, refused_at

# Four counts of so many take about 100 ms of the database.
_COUNTED_BUILDS = 20_000
_SIZE = "query ($fingerprint: String!) { errorGroup(fingerprint: $fingerprint) { buildCount } }"


def _variables(request: PageRequest, is_counted: bool) -> Mapping[str, Any]:
    return {**in_path(request), "isCounted": is_counted}


_counted, _uncounted = (
    page("error_group", partial(_variables, is_counted=is_counted)) for is_counted in (True, False)
)


async def endpoint(request: PageRequest) -> Response:
    """The group of a fingerprint, or a page that says that there is none."""
    try:
        found = (await request.state.query.ask(_SIZE, in_path(request)))["errorGroup"]
    except Refused as refused:
        return refusal_page(request, refused_at(request, refused))
    is_few = found is None or found["buildCount"] <= _COUNTED_BUILDS
    return await (_counted if is_few or "counts" in request.query_params else _uncounted)(request)
