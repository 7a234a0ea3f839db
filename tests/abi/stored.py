"""A case's files as a server stores them."""

from pathlib import Path

from spackmon.abi.files import File
from spackmon.abi.reader.elf import ELF_STATIC, Unreadable
from spackmon.abi.reader.elf_file import read_file
from spackmon.abi.reader.packed import pack, split, unpack_head, unpack_symbols
from spackmon.abi.reader.prefix import elf_paths
from spackmon.abi.stored import PackedFile, StoredFiles, SymbolTable
from tests.abi.splicing import Site


def stored(site: Site) -> StoredFiles:
    """What is left of all prefixes when they were packed."""
    files: dict[str, File] = {}
    links: dict[str, str] = {}
    for prefix in (site.before, site.after, site.consumer, *site.others):
        for path in elf_paths(str(prefix)):
            try:
                parts = split(pack(read_file(path)))
            except Unreadable as unreadable:
                if unreadable.code != ELF_STATIC:
                    files[path] = File(path, None, unreadable.sentence)
                continue
            files[path] = PackedFile(
                path, unpack_head(parts.head), SymbolTable(unpack_symbols(parts.symbols))
            )
        links |= {str(link): str(link.readlink()) for link in _links(prefix)}
    return StoredFiles(files, links)


def _links(prefix: Path) -> list[Path]:
    return [path for path in prefix.rglob("*") if path.is_symlink()]
