"""The extension and `spackmon import` have one name for one installation, whatever became of its files."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from spackmon.errors import Refused
from spackmon.formats.installs.install_prefix import read_prefix
from spackmon.submission import InstallReport
from tests.client.extension.spack import EXTENSION
from tests.formats.installs import PREFIXES, copied

Change = Callable[[Path], None]


def _without(*names: str) -> Change:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink(missing_ok=True)

    return change


def _with(name: str, content: bytes, *gone: str) -> Change:
    def change(folder: Path) -> None:
        _without(*gone)(folder)
        (folder / name).write_bytes(content)

    return change


def _elsewhere(text: str) -> Change:
    """A manifest that was written in another prefix."""

    def change(folder: Path) -> None:
        (folder / MANIFEST).write_text(json.dumps({f"{text}/.spack": {}, f"{text}/bin": {"owner": "nobody"}}))

    return change


MANIFEST, TIMES, LOG = "install_manifest.json", "install_times.json", "spack-build-out.txt"
CHANGES = {
    "as it is": _without(),
    "no manifest": _without(MANIFEST),
    "no times": _without(TIMES),
    "neither": _without(MANIFEST, TIMES),
    "a damaged manifest": _with(MANIFEST, b"{not json"),
    "an empty manifest": _with(MANIFEST, b"{}"),
    "a manifest from elsewhere": _elsewhere("/another/prefix"),
    "a manifest from a place that is no UTF-8": _elsewhere("/sp\udcffck/caf\u00e9"),
    "a manifest of a surrogate that is no byte": _elsewhere("/\ud834"),
    "a binary": _with("binary_distribution", b"buildpath: /ci"),
    "a binary of the old installer": _with(TIMES, b'{"cache": true, "total": 1.5, "phases": []}'),
    "a log without phases": _with(LOG, b"no phase\n\xff\n", MANIFEST, TIMES, f"{LOG}.gz"),
    "a log with one phase twice": _with(
        LOG,
        b"before\n==> x: Executing phase: 'a'\n1\n==> x: Executing phase: 'a'\n==> y: Executing phase: 'b'\n",
        MANIFEST, TIMES, f"{LOG}.gz",
    ),
}  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES, ids=lambda prefix: f"{prefix.parent.name}-{prefix.name[:8]}")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_both_give_one_installation_the_same_key(
    change: Change, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = copied(prefix, tmp_path)
    change(installed / ".spack")
    monkeypatch.setattr(sys, "path", [str(EXTENSION), *sys.path])
    assert import_module("monitor.files").prefix_key(str(installed)) == _imported_key(installed)


def _imported_key(prefix: Path) -> str | None:
    """Its key, though what is damaged is complained of in the end."""
    reports = read_prefix(prefix, str(prefix))
    try:
        return next((report.source.key for report in reports if isinstance(report, InstallReport)), None)
    except Refused:
        return None
