"""The machines on which files were read, with the libraries of their systems, as the loader looks there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spackmon.abi.loader import System
from spackmon.abi.stored import UNKNOWN_SYSTEM

Identity = tuple[str, str, str]


@dataclass
class Image:
    """A machine: its os-release's name and version and its processors, and libraries of its system.

    `libraries` leads from a path to the name by which the loader finds it, None where only paths lead to it,
    and the id of the ELF file, None where nothing was read of it.
    """

    digest: str
    identity: Identity
    libraries: dict[str, tuple[str | None, int | None]] = field(default_factory=dict)

    def is_one_with(self, other: "Image") -> bool:
        """Whether both can be of one machine: it is not where they have other files at one path."""
        common = self.libraries.keys() & other.libraries.keys()
        return self.identity == other.identity and all(
            self.libraries[path][1] == other.libraries[path][1] for path in common
        )


@dataclass(frozen=True)
class Host:
    """What is known of one machine; `elf_files` leads from paths to ids of ELF files."""

    identity: Identity
    elf_files: Mapping[str, int]
    system: System


class Hosts:
    """The machines of some specs; `names` are those that files of a spec need."""

    def __init__(self, facts: Any, names: Mapping[int, Iterable[str]]) -> None:
        self._images = {one: Image(digest, (*identity,)) for one, digest, *identity in facts["images"]}
        for image_id, path, name, elf_file_id in facts["libraries"]:
            self._images[image_id].libraries[path] = (name, elf_file_id)
        self._image_of: dict[int, int] = {}
        self._names: dict[int, set[str]] = defaultdict(set)
        for spec_id, image_id in facts["hosts"]:
            self._image_of[spec_id] = image_id
            self._names[image_id].update(names.get(spec_id, ()))
        self._known: dict[int, Host] = {}

    def of(self, specs: Iterable[int]) -> int | None:
        """The image of the first of some specs that has one."""
        return next((self._image_of[one] for one in specs if one in self._image_of), None)

    def host(self, image_id: int) -> Host:
        """A machine, with what other specs of the same need of it."""
        if image_id not in self._known:
            self._known[image_id] = self._made(image_id)
        return self._known[image_id]

    def _made(self, image_id: int) -> Host:
        own = self._images[image_id]
        whole = replace(own, libraries=dict(own.libraries))
        names = set(self._names[image_id])
        # By their contents, so that it is not what came first that counts.
        for other_id, other in sorted(self._images.items(), key=lambda one: one[1].digest):
            if whole.is_one_with(other):
                whole.libraries.update(other.libraries)
                names |= self._names[other_id]
        by_name: dict[str, tuple[str, ...]] = {}
        for path, (name, elf_file_id) in sorted(whole.libraries.items()):
            if name is not None and elf_file_id is None:
                names.discard(name)
            elif name is not None:
                by_name[name] = (*by_name.get(name, ()), path)
        files = {path: one for path, (_, one) in whole.libraries.items() if one is not None}
        return Host(
            own.identity, files, replace(UNKNOWN_SYSTEM, by_name=by_name, looked_for=frozenset(names))
        )
