"""What is stored of one ELF file, as JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spackmon.abi.reader.elf import as_json
from spackmon.abi.reader.packed import Packed, joined, unpack
from spackmon.errors import Code, Refused
from spackmon.models import Attribute, ElfFile, SymbolSet
from spackmon.query.meanings.meaning import At
from spackmon.query.sql.json_text import Json, braced
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement


def stored_file(at: At, statement: "Statement", arguments: Mapping[str, Given]) -> Json:
    """The facts of `file_as_json`, of a result's row."""
    file = at.row.follow(Attribute.elf_file_id)
    symbols = file.follow(ElfFile.symbol_set_id)
    return braced(
        [
            ("head", statement.json.value(file[ElfFile.head], nullable=True)),
            ("symbols", statement.json.value(symbols[SymbolSet.content], nullable=True)),
        ]
    )


def file_as_json(facts: Any, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The object of docs/abi.md, without the path; None of a result that is no ELF file's.

    Raises Refused ELF_DAMAGED where what a client sent of it cannot be read.
    """
    if facts["head"] is None:
        return None
    try:
        parts = Packed(bytes.fromhex(facts["head"]), bytes.fromhex(facts["symbols"]))
        return as_json(unpack(joined(parts)))
    except ValueError as error:
        raise Refused(Code.ELF_DAMAGED, "what is stored of this file cannot be read") from error
