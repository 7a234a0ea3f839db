"""`/docs/`: the documents of docs/, as pages, with a search that needs no network."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from spackmon.web.pages import PageRequest, nothing_here, refusal_page, rendered

_PACKAGE = Path(__file__).parent.parent
_INSTALLED = _PACKAGE / "documentation"
# An installed service has them with it; in a checkout they are where people write them.
DOCUMENTS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "docs"
_LINK = re.compile(r"([\w/-]+)\.md(#.*)?")
_MOST_FOUND = 100


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its name without `.md`, its title, its first paragraph, its lines, and itself as HTML."""

    name: str
    title: str
    summary: str
    lines: Sequence[str]
    html: Markup


@dataclass(frozen=True, slots=True)
class Found:
    """A line of a document that has what is sought, and the heading that it stands under."""

    document: Document
    heading: str
    anchor: str
    line: str


@cache
def documents() -> Mapping[str, Document]:
    """All of them by their names, in the order of their titles; read once."""
    paths = sorted(DOCUMENTS.rglob("*.md"))
    read = [_read(path.relative_to(DOCUMENTS).with_suffix("").as_posix(), path) for path in paths]
    return {one.name: one for one in sorted(read, key=lambda one: ("/" in one.name, one.title))}


def found(words: str) -> list[Found]:
    """The lines that have all of these words, at most a hundred."""
    wanted = words.casefold().split()
    hits: list[Found] = []
    for document in documents().values():
        heading, is_code = document.title, False
        for line in document.lines:
            is_code ^= line.lstrip().startswith("```")
            if line.startswith("#") and not is_code:
                heading = line.lstrip("# ")
            if all(word in line.casefold() for word in wanted):
                hits.append(Found(document, heading, _slug(heading), line.strip("# |")))
    return hits[:_MOST_FOUND]


def _read(name: str, path: Path) -> Document:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    paragraphs = text.split("\n\n")
    summary = next((one for one in paragraphs[1:] if one[:1].isalpha() or one[:1] == "`"), "")
    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)|[`*]", r"\1", summary.replace("\n", " "))
    return Document(name, lines[0].lstrip("# "), plain, lines, _html(name, text))


def _html(name: str, text: str) -> Markup:
    markdown = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")
    folder = name.rpartition("/")[0]
    # Our own text: no document holds what a client sent.
    return Markup(markdown.render(text, {"folder": folder}))  # noqa: S704


def _slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it, so that links work there and here."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _plain(tokens: Sequence[Token]) -> str:
    return "".join(token.content for token in tokens if token.type in ("text", "code_inline"))


class _Renderer(RendererHTML):
    """HTML as our pages have it: headings with anchors, links between documents, headers with a scope."""

    def heading_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        used = env.setdefault("anchors", {})
        slug = _slug(_plain(tokens[at + 1].children or ()))
        used[slug] = count = used.get(slug, -1) + 1
        tokens[at].attrSet("id", f"{slug}-{count}" if count else slug)
        return self.renderToken(tokens, at, options, env)

    def th_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        tokens[at].attrs = {"scope": "col"}
        return self.renderToken(tokens, at, options, env)

    def td_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        tokens[at].attrs = {}
        return self.renderToken(tokens, at, options, env)

    def table_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return f'<div class="wide" tabindex="0" role="region" aria-label="Table {at}"><table>\n'

    def table_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def link_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        address = str(tokens[at].attrGet("href"))
        if address.startswith(("#", "http:", "https:")):
            return self.renderToken(tokens, at, options, env)
        if (DOCUMENTS / env["folder"] / address) in _files().values():
            tokens[at].attrs = {"href": _address(env["folder"], address, "")}
            return self.renderToken(tokens, at, options, env)
        to_document = _LINK.fullmatch(address)
        # What is no document is in the source alone.
        tokens[at].attrs = {"href": _address(env["folder"], *to_document.groups(""))} if to_document else {}
        return self.renderToken(tokens, at, options, env)


def _address(folder: str, name: str, anchor: str) -> str:
    return f"/docs/{folder + '/' if folder else ''}{name}{anchor}"


async def _index(request: PageRequest) -> Response:
    words = request.query_params.get("search", "").strip()
    return rendered(
        request,
        "documents.html",
        {"documents": documents().values(), "words": words, "found": found(words) if words else []},
    )


@cache
def _files() -> Mapping[str, Path]:
    """What documents bring for other programs, by name."""
    return {path.relative_to(DOCUMENTS).as_posix(): path for path in DOCUMENTS.rglob("*.json")}


async def _document(request: PageRequest) -> Response:
    if path := _files().get(request.path_params["name"]):
        return FileResponse(path)
    document = documents().get(request.path_params["name"])
    if document is None:
        return refusal_page(request, nothing_here(request))
    return rendered(request, "document.html", {"document": document})


async def _to_index(_: PageRequest) -> Response:
    return RedirectResponse("/docs/", 301)


routes = [Route("/docs", _to_index), Route("/docs/", _index), Route("/docs/{name:path}", _document)]
