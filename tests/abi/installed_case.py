"""A case of splices as installs that an import reads: the consumer, and both builds of the library."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spackmon.formats.installs.install_prefix import read_prefix
from spackmon.submission import InstallReport, SpecReport
from tests.abi.splicing import Site
from tests.ingest.reports import hash_of

Apply = Callable[[SpecReport | InstallReport], int]
"""Stores what is reported; the number of its build."""
_LINK = {"deptypes": ["link"], "virtuals": []}


@dataclass(frozen=True)
class Package:
    """A prefix, and what is installed there."""

    prefix: Path
    name: str
    version: str
    dependencies: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        return hash_of(f"{self.name} {self.version}")


def installed(apply: Apply, built: Site, elsewhere: Path | None = None) -> int:
    """The build of the consumer, once `apply` stored all of a case, of copies that lie `elsewhere`.

    The library is `x`, once in version 1.0, once in 2.0; the consumer is `app`.
    """
    others = [Package(path, f"dep-{path.name}", "1.0") for path in built.others]
    old = Package(built.before, "x", "1.0", tuple(one.hash for one in others))
    new = Package(built.after, "x", "2.0", tuple(one.hash for one in others))
    consumer = Package(built.consumer, "app", "1.0", (old.hash, *old.dependencies))
    packages = {one.hash: one for one in (consumer, old, new, *others)}
    builds = {}
    for one in packages.values():
        describe(one, packages)
        prefix = one.prefix
        if elsewhere is not None:
            prefix = shutil.copytree(one.prefix, elsewhere / one.prefix.name, symlinks=True)
        for report in read_prefix(prefix, None):
            builds[one.hash] = apply(report)
    return builds[consumer.hash]


def describe(package: Package, packages: Mapping[str, Package]) -> None:
    """What Spack 0.23 leaves in a prefix."""
    needed = [package.hash, *package.dependencies]
    nodes = [
        {
            "name": one.name, "version": one.version, "hash": one.hash, "namespace": "splice",
            "parameters": {}, "arch": {"platform": "linux", "platform_os": "debian12", "target": "x86_64"},
            "compiler": {"name": "gcc", "version": "12.2.0"},
            "dependencies": [
                {"name": packages[below].name, "hash": below, "parameters": _LINK}
                for below in one.dependencies
            ],
        }
        for one in (packages[value] for value in needed)
    ]  # fmt: skip
    folder = package.prefix / ".spack"
    folder.mkdir(exist_ok=True)
    (folder / "spec.json").write_text(json.dumps({"spec": {"_meta": {"version": 4}, "nodes": nodes}}))
    manifest = {
        str(path): {"mode": path.lstat().st_mode, "owner": 0, "group": 0}
        | ({"dest": str(path.readlink())} if path.is_symlink() else {})
        for path in package.prefix.rglob("*")
    }
    (folder / "install_manifest.json").write_text(json.dumps(manifest))
