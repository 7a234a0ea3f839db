"""The documentation as files that no server is needed for: the same documents by the same templates.

A page's links are relative, so that the folder can lie anywhere, on a disk too. Its search is a script over
a file of all lines: what a page on a disk may load is a script and not a file of data.
"""

import json
import posixpath
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from spackmon.web.documents import documents, files, groups, lines
from spackmon.web.pages import as_text
from spackmon.web.static_files import STATIC_DIRECTORY, built_files

_INDEX = "index.html"


def write_site(directory: Path) -> int:
    """Write all of it below a directory, which is made; how many pages that are. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("icon.svg", "pages.css"):
        shutil.copyfile(STATIC_DIRECTORY / name, directory / name)
    # Without it, in a checkout that was not built, everything but the search is there.
    if script := built_files().get("documents.js"):
        shutil.copyfile(STATIC_DIRECTORY / "built" / script, directory / "documents.js")
    for name, path in files().items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    every_line = [
        [_page(line.document.name) + f"#{line.anchor}", line.document.title, line.heading, line.line]
        for line in lines()
    ]
    (directory / "lines.js").write_text(f"var documentLines = {json.dumps(every_line)};\n", encoding="utf-8")
    _write(directory, _INDEX, {"document": None})
    for document in documents().values():
        _write(directory, _page(document.name), {"document": document})
    return len(documents()) + 1


def _write(directory: Path, page: str, values: dict[str, Any]) -> None:
    address_of = partial(_address, posixpath.dirname(page))
    target = directory / page
    target.parent.mkdir(parents=True, exist_ok=True)
    context = {**values, "groups": groups(), "address_of": address_of, "index": _INDEX}
    target.write_text(as_text("documentation_site.html", context), encoding="utf-8")


def _page(name: str) -> str:
    return f"{name}.html"


def _address(folder: str, name: str) -> str:
    """Where a document or a file is, from a page in this folder."""
    path, hash_, anchor = name.partition("#")
    target = _page(path) if path in documents() else path
    return posixpath.relpath(target, folder or ".") + hash_ + anchor
