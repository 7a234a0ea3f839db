"""`/abi`: what differs between the libraries of two specs, or of each version of a package and the next."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from spackmon.errors import Code, Refused
from spackmon.web.pages import PageRequest, at, page, refusal_page


def _words(request: PageRequest) -> dict[str, str]:
    return {word: value for word, text in request.query_params.items() if (value := text.strip())}


def _two(request: PageRequest) -> Mapping[str, Any]:
    words = _words(request)
    return {word: words.get(word) for word in ("a", "b", "after")}


def _versions(request: PageRequest) -> Mapping[str, Any]:
    words = _words(request)
    return {word: words.get(word) for word in ("package", "after")}


_DIFFERENCE, _HISTORY = page("abi_difference", _two), page("abi_history", _versions)


async def _abi(request: PageRequest) -> Response:
    """`package`: its versions one by one; `a` and `b`: two specs, by any of their hashes."""
    words = _words(request)
    if "package" in words:
        return await _HISTORY(request)
    if "a" in words and "b" in words:
        return await _DIFFERENCE(request)
    sentence = "`package` must be the name of one, or `a` and `b` each a hash of a spec, as /abi?package=zlib"
    return refusal_page(request, Refused(Code.ARGUMENT_INVALID, sentence))


routes = at("/abi", _abi, "package", "a", "b", "after")
