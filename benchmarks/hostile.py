"""Bodies that are made to stop a server.

Each that is sent differs from the last one, so that nothing is answered from a cache.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class Sent:
    """One request."""

    method: str
    path: str
    content_type: str
    body: bytes


Hostile = Callable[[int], Sent]

_OBJECTS = "spec { name version } phases { nodes { name } } tags { nodes { name } } environment { hostname }"
_BUILDS = "query($where: BuildFilter) { builds(where: $where) { nodes { id } } }"
_SATISFYING = "query($text: String) { specs(satisfying: $text) { nodes { id } } }"
_RELATION = {"tags": {"some": {"name": {"eq": "b"}}}}
_CDASH = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Site BuildName="{build}"\n BuildStamp="20260101-0100-Nightly"\n'
    ' Name="node1"\n Generator="spack-1.2.0"\n Hostname=""\n OSName="Linux"\n>{part}\n</Site>\n'
)


def _asked(query: str, variables: Mapping[str, Any] | None = None) -> Hostile:
    """The question, with a number behind it that makes it a new one."""
    sent = json.dumps({"query": query + "NUMBER", "variables": variables or {}})
    before, after = sent.split("NUMBER")
    return lambda number: Sent("POST", "/graphql", "application/json", f"{before} #{number}{after}".encode())


def _uploaded(part: str) -> Hostile:
    def sent(number: int) -> Sent:
        body = _CDASH.format(part=part, build=f"nightly{number}").encode()
        return Sent("PUT", f"/submit.php?{urlencode({'project': 'demo'})}", "text/xml", body)

    return sent


def mesh(size: int, width: int) -> str:
    """Fragments of which each spreads the next ones."""
    fragments = (
        f"fragment F{one} on Spec {{ "
        + " ".join(f"...F{other}" for other in range(one + 1, min(size, one + 1 + width)))
        + " id }"
        for one in range(size)
    )
    return "{ specs { nodes { ...F0 } } } " + " ".join(fragments)


_BY_NAME = "query($names: [String!]) { specs(where: {name: {in: $names}}) { nodes { id } } }"
_SCHEMA = "{__schema{types{name fields{name args{name type{name}} type{name}}}}}"
_ATTRIBUTES = " ".join(f'a{number}="1"' for number in range(900))
_AMPERSANDS = (
    "<Configure><Log>" + "a &amp; b\n" * 60_000 + "</Log><ConfigureCommand>"
    + "cmake && make & wait\n" * 380_000 + "</ConfigureCommand></Configure>"
)  # fmt: skip


def _names(count: int) -> Hostile:
    return _asked(_BY_NAME, {"names": [f"n{number}" for number in range(count)]})


def _lists(count: int) -> str:
    return "{" + "".join(f"a{n}: builds(first: 1) {{ nodes {{ {_OBJECTS} }} }}" for n in range(count)) + "}"


def _of_build(content: str) -> Hostile:
    return _uploaded(f"<Build>{content}</Build>")


def bodies() -> dict[str, Callable[[], Hostile]]:
    """Each by what it is; made when it is called, as some are large."""
    parts = " ".join(f"%b{number}@1:2" for number in range(95))
    log = "checking for gcc\n" * 1_800_000
    return {
        "the same field 1,200 times": lambda: _asked("{" + "builds{__typename} " * 1200 + "}"),
        "100,000 names": lambda: _names(100_000),
        "40,000 names": lambda: _names(40_000),
        "fragments in a mesh": lambda: _asked(mesh(100, 11)),
        "150 relations": lambda: _asked(_BUILDS, {"where": {"or": [_RELATION] * 150}}),
        "64 lists": lambda: _asked(_lists(64)),
        "a spec of 95 parts": lambda: _asked(_SATISFYING, {"text": f"a {parts}"}),
        "blanks": lambda: _asked("{__typename}" + " " * 90_000),
        "introspection": lambda: _asked(_SCHEMA),
        "empty objects": lambda: _asked("{__typename}", {"a": [{}] * 240_000}),
        "XML: attributes": lambda: _of_build(f"<a {_ATTRIBUTES}/>\n" * 250),
        "XML: attributes over the limit": lambda: _of_build(f"<a {_ATTRIBUTES}/>\n" * 1000),
        "XML: bare ampersands": lambda: _uploaded(_AMPERSANDS),
        "XML: bare ampersands in attributes": lambda: _of_build('\n<Error Name="a & b"\n x="1"/>' * 120_000),
        "XML: elements": lambda: _of_build("<a/>" * 240_000),
        "XML: errors": lambda: _of_build("<Error><Text>a</Text></Error>" * 60_000),
        "XML: nested": lambda: _uploaded("<a>" * 120_000 + "</a>" * 120_000),
        "XML: a log of 30 MB": lambda: _uploaded(f"<Configure><Log>{log}</Log></Configure>"),
    }
