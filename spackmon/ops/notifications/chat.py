"""Messages in a chat's own JSON: Jinja templates in a sandbox, shipped for some chats, or a site's own.

A template is given `message` (what a webhook's `data` is) and `lines` (what an e-mail says of it).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from spackmon.errors import Code, Refused
from spackmon.ops.notifications.messages import example, lines_of

_PRESETS = Path(__file__).parent / "presets"
_TEMPLATE_CHARACTERS, _BODY_BYTES = 20_000, 64_000
_SANDBOX = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def presets() -> list[str]:
    """The names of the templates that are shipped."""
    return sorted(path.name.partition(".")[0] for path in _PRESETS.glob("*.json.j2"))


def preset(name: str) -> str:
    """A template that is shipped. Raises Refused TEMPLATE_INVALID."""
    if name not in presets():
        raise Refused(
            Code.TEMPLATE_INVALID,
            f"{name!r} is no chat: expected {', '.join(presets())}, or a template's file",
        )
    return (_PRESETS / f"{name}.json.j2").read_text(encoding="utf-8")


def rendered(template: str, content: Mapping[str, Any]) -> bytes:
    """The body of a message. Raises Refused TEMPLATE_INVALID where it cannot be rendered, or is not JSON."""
    if len(template) > _TEMPLATE_CHARACTERS:
        raise _invalid(f"it has more than {_TEMPLATE_CHARACTERS:,} characters")
    try:
        text = _SANDBOX.from_string(template).render(message=content, lines=lines_of(content))
        body = json.dumps(json.loads(text)).encode()
    except json.JSONDecodeError as error:
        raise _invalid(f"what it renders is not JSON: {error}") from None
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise _invalid(f"{type(error).__name__}: {error}") from None
    if len(body) > _BODY_BYTES:
        raise _invalid(f"a message would have more than {_BODY_BYTES:,} bytes")
    return body


def check_template(template: str, event: str) -> None:
    """Refuse a template that cannot show an event, or a summary. Raises Refused TEMPLATE_INVALID."""
    one = example(event, "example", "https://monitor.example.org")
    summary = {"event": "SUMMARY", "rule": "example", "title": "two events", "count": 2, "events": [one, one]}
    for content in (one, summary):
        rendered(template, content)


def _invalid(reason: str) -> Refused:
    return Refused(Code.TEMPLATE_INVALID, f"the chat's template cannot be used: {reason}")
