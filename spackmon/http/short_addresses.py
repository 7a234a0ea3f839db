"""No address of ours is long, and what is made of a longer one is not tried."""

from starlette.types import ASGIApp, Receive, Scope, Send

from spackmon.errors import Code, Refused
from spackmon.http.answers import refusal

# Names and hashes have at most 500 bytes. A number of more digits than this is none to Python.
MOST_CHARACTERS = 4_000
_TOO_LONG = 414


class ShortAddresses:
    """ASGI middleware that refuses longer paths (414); what is asked stands in the query string."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and len(scope["path"]) > MOST_CHARACTERS:
            sentence = f"the path of an address has at most {MOST_CHARACTERS} characters"
            await refusal(Refused(Code.HTTP_REFUSED, sentence, status=_TOO_LONG))(scope, receive, send)
            return
        await self._app(scope, receive, send)
