"""`/complete`: how a spec that somebody types may go on, from what was reported, and what it says so far."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from spackmon.errors import Code, Refused
from spackmon.graph.abstract_spec import COMPILER_PACKAGES
from spackmon.graph.spec_syntax import MAXIMUM_LENGTH
from spackmon.graph.spec_tokens import DependencySign, Name, SpecSyntaxError, tokens
from spackmon.graph.spec_words import in_words
from spackmon.http import answers
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, Operation, RestRoute, words
from spackmon.web.pages import PageRequest, document

_MOST = 20
_SYSTEM_KEYS = ("os", "platform", "target")
# What the end of a text begins: a version, a switch, a value, or else a package or a key.
_VERSION = re.compile(r"@\s*(?:[\w.\-:=,]*[:,])?=?(?P<begun>[\w.\-]*)$", re.ASCII)
_SWITCH = re.compile(r"(?:[+~]|(?<=\s)-)(?P<begun>[\w\-]*)$", re.ASCII)
_VALUE = re.compile(r"(?P<key>[\w.\-]+):?=(?:[\w.\-]+,)*(?P<begun>[\w.\-]*)$", re.ASCII)
_WORD_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the end of a text begins: the document that finds how it may go on, and for which variables."""

    document: str
    variables: Mapping[str, Any]
    begun: str
    kind: str
    key: str = ""


def wanted(text: str) -> Wanted:
    """What may come next in a text."""
    for kind, form in (("versions", _VERSION), ("switches", _SWITCH), ("values", _VALUE)):
        found = form.search(text)
        if found is None:
            continue
        key = found.groupdict().get("key", "")
        if key in _SYSTEM_KEYS:
            return Wanted("complete_system", {}, found["begun"], "system", key)
        name = _package_before(text[: found.start()])
        if name and kind == "versions":
            compiler = {package: one for one, package in COMPILER_PACKAGES.items()}.get(name, name)
            return Wanted("complete_version", {"name": name, "compiler": compiler}, found["begun"], kind)
        return Wanted("complete_parameters", {"name": name or ""}, found["begun"], kind, key)
    before = text.rstrip(_WORD_CHARACTERS)
    begun = text[len(before) :]
    name = _package_before(before)
    if name and before[-1:].isspace() and before.rstrip()[-1:] not in ("^", "%"):
        return Wanted("complete_parameters", {"name": name}, begun, "keys")
    return Wanted("complete_package", {"begun": begun}, begun, "packages")


def _package_before(text: str) -> str | None:
    """The package that constraints at the end of a text are of, if one is named."""
    name: str | None = None
    try:
        for token in tokens(text):
            if isinstance(token, DependencySign):
                name = None
            elif isinstance(token, Name):
                name = token.text.rpartition(".")[2]
    except SpecSyntaxError:
        # It ends within something that is not finished; what came before is read.
        return name
    return None if name == "*" else name


def _possible(asked: Wanted, data: Found) -> Iterable[str]:
    """All that may stand where the text ends, in the order in which it is proposed."""
    match asked.kind:
        case "packages":
            return sorted({one["name"] for noun in ("packages", "compilers") for one in data[noun]["nodes"]})
        case "versions":
            return dict.fromkeys(one["version"] for noun in data.values() for one in noun["nodes"])
        case "system":
            return sorted({_system(one)[asked.key] for one in data["architectures"]["nodes"]})
    values = _parameters(data)
    switches = {name for name, found in values.items() if found and found <= {"true", "false"}}
    if asked.kind == "switches":
        return sorted(switches)
    if asked.kind == "keys":
        return [f"{name}=" for name in sorted({*values, *_SYSTEM_KEYS} - switches)]
    return sorted(values.get(asked.key, ()))


def _system(architecture: Found) -> Mapping[str, str]:
    return {
        "os": architecture["operatingSystem"],
        "platform": architecture["platform"],
        "target": architecture["target"]["name"],
    }


def _parameters(data: Found) -> dict[str, set[str]]:
    """The values that each variant of a package's specs has, as a spec writes them."""
    found: dict[str, set[str]] = {}
    versions = data["package"]["versions"]["nodes"] if data["package"] else []
    for spec in (spec for version in versions for spec in version["specs"]["nodes"]):
        for name, value in spec["parameters"].items():
            many = value if isinstance(value, list) else [value]
            found.setdefault(name, set()).update(_written(one) for one in many)
    return found


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.lower() if text.lower() in ("true", "false") else text


def _understood(text: str) -> Mapping[str, Any]:
    try:
        return {"understood": in_words(text), "problem": None}
    except SpecSyntaxError as problem:
        sentence = f"{problem.problem}, at character {problem.position + 1}"
        return {"understood": [], "problem": sentence[:1].upper() + sentence[1:]}


async def _complete(request: PageRequest) -> Response:
    """How `spec` may go on, each as the whole text and as what is added, and what it says."""
    text = request.query_params.get("spec", "").lstrip()
    try:
        if len(text) > MAXIMUM_LENGTH or "\0" in text:
            sentence = f"`spec` must be text of at most {MAXIMUM_LENGTH} characters without NUL"
            raise Refused(Code.ARGUMENT_INVALID, sentence)
        asked = wanted(text)
        data = await request.state.query.ask(_DOCUMENTS[asked.document], asked.variables)
    except Refused as refused:
        return answers.refusal(refused)
    before = text[: len(text) - len(asked.begun)]
    fitting = [one for one in _possible(asked, data) if one.startswith(asked.begun) and one != asked.begun]
    completions = [{"text": before + one, "word": one} for one in fitting[:_MOST]]
    return JSONResponse({"completions": completions, **_understood(text)})


_DOCUMENTS = {
    name: document(name)
    for name in ("complete_package", "complete_version", "complete_parameters", "complete_system")
}

_COMPLETE = Operation("Files", "How a spec may go on.", {JSON: OBJECT}, parameters=words(["spec"]))
routes = [RestRoute("/complete", _complete, _COMPLETE)]
