"""What pyelftools reads of a file, from its sections, in the words of `spackmon abi extract`."""

from pathlib import Path
from typing import Any

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection, GNUVerSymSection
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

_OWN_WORDS = {"SHN_UNDEF": "UND", "SHN_ABS": "ABS", "SHN_COMMON": "COMMON"}
_BINDINGS = {"STB_LOOS": "GNU_UNIQUE"}
_TYPES = {"STT_LOOS": "GNU_IFUNC"}
_COPY = {"EM_X86_64": 5, "EM_386": 5}


def judged(path: Path) -> dict[str, Any]:
    """The file without what pyelftools has no words for; KeyError without a dynamic section."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        of_type: dict[type, Any] = {type(section): section for section in elf.iter_sections()}
        tags = list(of_type[DynamicSection].iter_tags())
        return {
            "class": elf.elfclass,
            "machine": elf["e_machine"].removeprefix("EM_"),
            "type": elf["e_type"].removeprefix("ET_"),
            "soname": _first(tags, "DT_SONAME", "soname"),
            "needed": [tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"],
            "rpath": _first(tags, "DT_RPATH", "rpath"),
            "runpath": _first(tags, "DT_RUNPATH", "runpath"),
            "version_needs": _needs(of_type.get(GNUVerNeedSection)),
            "version_definitions": _definitions(of_type.get(GNUVerDefSection)),
            "symbols": _symbols(elf, of_type.get(GNUVerSymSection)),
        }


def _first(tags: list[Any], name: str, attribute: str) -> str | None:
    return next((getattr(tag, attribute) for tag in tags if tag.entry.d_tag == name), None)


def _needs(section: Any) -> list[tuple[Any, ...]]:
    return [
        (file.name, need.name, need["vna_other"] & 0x7FFF, bool(need["vna_flags"] & 2))
        for file, needs in (section.iter_versions() if section else ())
        for need in needs
    ]


def _definitions(section: Any) -> list[tuple[Any, ...]]:
    found = []
    for definition, names in section.iter_versions() if section else ():
        name, *parents = [auxiliary.name for auxiliary in names]
        flags = definition["vd_flags"]
        found.append((name, definition["vd_ndx"] & 0x7FFF, bool(flags & 1), bool(flags & 2), parents))
    return found


def _symbols(elf: Any, versions: Any) -> list[tuple[Any, ...]]:
    symbols = elf.get_section_by_name(".dynsym")
    assert isinstance(symbols, SymbolTableSection)
    lookups = _lookups(elf)
    found = []
    for number, symbol in enumerate(symbols.iter_symbols()):
        index = versions.get_symbol(number)["ndx"] if versions else 0
        index = {"VER_NDX_LOCAL": 0, "VER_NDX_GLOBAL": 1}.get(index, index)
        section = symbol["st_shndx"]
        found.append((
            symbol.name,
            _word(_BINDINGS, symbol["st_info"]["bind"], "STB_"),
            _word(_TYPES, symbol["st_info"]["type"], "STT_"),
            symbol["st_other"]["visibility"].removeprefix("STV_"),
            _OWN_WORDS.get(section, str(section)),
            symbol["st_size"],
            index & 0x7FFF,
            index >= 0x8000,
            sorted(lookups.get(number, ())),
        ))  # fmt: skip
    return found[1:]


def _word(words: dict[str, str], name: Any, prefix: str) -> str:
    return words.get(name) or str(name).removeprefix(prefix)


def _lookups(elf: Any) -> dict[int, set[str]]:
    dynamic = elf.get_section_by_name(".dynamic")
    calls_at = next((tag["d_val"] for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_JMPREL"), None)
    found: dict[int, set[str]] = {}
    for section in elf.iter_sections():
        if isinstance(section, RelocationSection):
            why = "CALL" if section["sh_addr"] == calls_at else "START"
            for relocation in section.iter_relocations():
                is_copy = relocation["r_info_type"] == _COPY[elf["e_machine"]]
                if relocation["r_info_sym"]:
                    found.setdefault(relocation["r_info_sym"], set()).add("COPY" if is_copy else why)
    return found
