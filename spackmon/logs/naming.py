"""The tool that printed a diagnostic whose form several share."""

import re
from pathlib import PurePosixPath

_BY_SUFFIX = {
    ".s": "as", ".asm": "nasm", ".java": "javac", ".f": "gfortran", ".f90": "gfortran", ".f95": "gfortran",
    ".f03": "gfortran", ".f08": "gfortran", ".ac": "autoconf", ".am": "automake", ".m4": "autoconf",
    ".y": "bison", ".yy": "bison", ".l": "flex",
    ".cu": "nvcc", ".cuh": "nvcc", ".rs": "rustc", ".go": "go", ".cc": "g++",
    ".cpp": "g++", ".cxx": "g++", ".hpp": "g++", ".hs": "ghc", ".ts": "tsc", ".py": "python",
    ".pyx": "cython", ".i": "swig", ".proto": "protoc", ".po": "msgfmt", ".texi": "makeinfo",
}  # fmt: skip


# `file(line): error` is the form of nvcc, of Intel's compilers and of Microsoft's.
_OF_PARENTHESES = {".c": "icc", ".cc": "icc", ".cpp": "icc", ".ts": "tsc", ".pas": "fpc"} | dict.fromkeys(
    (".f", ".for", ".f90", ".f95", ".f03", ".f08"), "ifort"
)


def source_tool(tool: str, default: str, source_file: str, message: str) -> str:
    """`tool` without its directory; where it is only the form's `default`, by the name of the source."""
    name = tool.rpartition("/")[2]
    if name == default == "gcc":
        return _BY_SUFFIX.get(PurePosixPath(source_file).suffix.lower(), name)
    if name == default == "nvcc":
        suffix = PurePosixPath(source_file).suffix.lower()
        if re.match(r"C\d{4}:", message):
            return "cl"
        return _OF_PARENTHESES.get(suffix, name)
    return name
