"""What may be done with an answer that shows what was reported: it is its reader's, and checked again."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

READS = ("GET", "HEAD")
# The answer is somebody's own, and another report may change it: who keeps it asks whether it is still right.
_PRIVATE = "private, no-cache"


def for_one_reader(send: Send) -> Send:
    """Sends an answer with `Vary: Authorization, Cookie`, and a `Cache-Control` where the answer has none.

    RFC 9110, section 12.5.5, and RFC 9111, section 5.2.2.
    """

    async def send_private(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.add_vary_header("Authorization")
            headers.add_vary_header("Cookie")
            headers.setdefault("Cache-Control", _PRIVATE)
        await send(message)

    return send_private


def is_unchanged(if_none_match: str | None, tag: str) -> bool:
    """Whether a client says by `If-None-Match` that it has the answer with this entity tag.

    Tags are compared weakly (RFC 9110, section 13.1.2); ours have no comma in them.
    """
    if if_none_match is None:
        return False
    sent = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return tag in sent or sent == ["*"]
