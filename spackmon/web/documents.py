"""The documents of docs/: what each is called and says, in which group it is, and itself as HTML."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

_PACKAGE = Path(__file__).parent.parent
_INSTALLED = _PACKAGE / "documentation"
# An installed service has them with it; in a checkout they are where people write them.
DOCUMENTS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "docs"
# Which document is in which group; no page of its own.
_CONTENTS = "README"
_LISTED = re.compile(r"^## (?P<group>.+)$|^- \[(?P<label>.+)\]\((?P<name>[\w/-]+)\.md\)", re.MULTILINE)
_LINK = re.compile(r"([\w./-]+)\.md(#.*)?")
_MOST_FOUND = 100
_OPTIONS = {"html": False, "xhtmlOut": False}

Address = Callable[[str], str]
"""Where what has this name in docs/ is, as a link: a document without `.md`, maybe with `#` and a heading."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its name without `.md`, its title, its first paragraph, its lines, and its Markdown."""

    name: str
    title: str
    summary: str
    lines: Sequence[str]
    text: str

    def html(self, address: Address) -> Markup:
        """The document as HTML, with its links where `address` has them."""
        markdown = MarkdownIt("commonmark", _OPTIONS, renderer_cls=_Renderer).enable("table")
        env = {"folder": posixpath.dirname(self.name), "address": address}
        # Our own text: no document holds what a client sent.
        return Markup(markdown.render(self.text, env))  # noqa: S704


@dataclass(frozen=True, slots=True)
class Entry:
    """A document, and what it is called where there is little room."""

    label: str
    document: Document


@dataclass(frozen=True, slots=True)
class Group:
    """What somebody looks for, and the documents that have it."""

    title: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a document, and the heading that it stands under."""

    document: Document
    heading: str
    anchor: str
    line: str


@cache
def documents() -> Mapping[str, Document]:
    """All of them by their names, in the order of their titles; read once."""
    names = {path.relative_to(DOCUMENTS).with_suffix("").as_posix(): path for path in DOCUMENTS.rglob("*.md")}
    read = [_read(name, path) for name, path in sorted(names.items()) if name != _CONTENTS]
    return {one.name: one for one in sorted(read, key=lambda one: ("/" in one.name, one.title))}


@cache
def groups() -> Sequence[Group]:
    """The groups of docs/README.md, in its order."""
    found: dict[str, list[Entry]] = {}
    for line in _LISTED.finditer((DOCUMENTS / f"{_CONTENTS}.md").read_text(encoding="utf-8")):
        if line["group"]:
            found[line["group"]] = listed = []
        else:
            listed.append(Entry(line["label"].replace("`", ""), documents()[line["name"]]))
    return [Group(title, listed) for title, listed in found.items()]


@cache
def files() -> Mapping[str, Path]:
    """What documents bring for other programs, and drawings, by name."""
    paths = [path for ending in ("json", "svg") for path in DOCUMENTS.rglob(f"*.{ending}")]
    return {path.relative_to(DOCUMENTS).as_posix(): path for path in sorted(paths)}


def lines() -> Iterator[Line]:
    """Every line of every document, but for blank ones."""
    for document in documents().values():
        heading, is_code = document.title, False
        for line in document.lines:
            is_code ^= line.lstrip().startswith("```")
            if line.startswith("#") and not is_code:
                heading = line.lstrip("# ")
            if said := line.strip("# |"):
                yield Line(document, heading, _slug(heading), said)


def found(words: str) -> list[Line]:
    """The lines that have all of these words, at most a hundred."""
    wanted = words.casefold().split()
    hits = [line for line in lines() if all(word in line.line.casefold() for word in wanted)]
    return hits[:_MOST_FOUND]


def _read(name: str, path: Path) -> Document:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    paragraphs = text.split("\n\n")
    summary = next((one for one in paragraphs[1:] if one[:1].isalpha() or one[:1] == "`"), "")
    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)|[`*]", r"\1", summary.replace("\n", " "))
    return Document(name, lines[0].lstrip("# "), plain, lines, text)


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

    def image(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        name = posixpath.normpath(posixpath.join(env["folder"], str(tokens[at].attrGet("src"))))
        tokens[at].attrSet("src", env["address"](name))
        return super().image(tokens, at, options, env)

    def link_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        address = str(tokens[at].attrGet("href"))
        if not address.startswith(("#", "http:", "https:")):
            target = _target(env["folder"], address)
            tokens[at].attrs = {} if target is None else {"href": env["address"](target)}
        return self.renderToken(tokens, at, options, env)


def _target(folder: str, link: str) -> str | None:
    """The name of what a link in this folder leads to; None for what is in the source alone."""
    to_document = _LINK.fullmatch(link)
    name, anchor = to_document.groups("") if to_document else (link, "")
    name = posixpath.normpath(posixpath.join(folder, name))
    return f"{name}{anchor}" if name in (documents() if to_document else files()) else None
