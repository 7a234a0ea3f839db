"""What the attributes of format strings stand for: versions, targets, compilers, variants.

Each was asked of Spack 1.2, over specs of every format (tests/data/oracle/attributes).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from archspec.cpu import TARGETS, Microarchitecture

from spackmon.graph.spec_text import (
    Variant,
    assigned_version,
    is_git_version,
    numeric_version,
    separators,
    truncated,
    version_list,
)

_VARIANT_KINDS = {bool: 1, str: 2, tuple: 3}
"""The numbers by which Spack calls boolean, single-valued and multi-valued variants."""


class Value(Protocol):
    """What an attribute stands for: it prints as `str` and may have attributes itself."""

    def member(self, name: str) -> "Value | None":
        """The attribute of this name, None if it is unset. Raises Unknown if there is none."""


class Unknown(Exception):  # noqa: N818 -- named for what was asked for
    """An attribute that does not exist; not a KeyError, which a node missing from the graph raises."""


class Record:
    """A value with some attributes, each computed when it is asked for."""

    def __init__(self, text: object, members: Mapping[str, Callable[[], object]] | None = None) -> None:
        self._text = str(text)
        self._members = members or {}

    def __str__(self) -> str:
        return self._text

    def member(self, name: str) -> Value | None:
        if name not in self._members:
            raise Unknown
        return value_of(self._members[name]())


def value_of(given: object) -> Value | None:
    """What an attribute gives as a value; everything that is none prints as Python does."""
    return given if given is None or hasattr(given, "member") else Record(given)


def version_value(version: str) -> Value:
    """A version: written with other separators, and its first components, which are versions, too."""
    assigned = assigned_version(version)
    members: dict[str, Callable[[], object]] = {
        "dotted": lambda: version_value(re.sub("[-_]", ".", assigned)),
        "dashed": lambda: version_value(re.sub("[._]", "-", assigned)),
        "underscored": lambda: version_value(re.sub("[.-]", "_", assigned)),
        "joined": lambda: version_value(re.sub("[._-]", "", assigned)),
    }
    if is_git_version(version):
        members["ref"] = lambda: version.removeprefix("git.").partition("=")[0]
        if assigned != version:
            members |= dict.fromkeys(("ref_version", "std_version"), lambda: version_value(assigned))
    else:
        members |= {
            "string": lambda: version,
            "separators": lambda: separators(version),
            "dotted_numeric_string": lambda: numeric_version(version),
            "up_to_1": lambda: version_value(truncated(version, 1)),
            "up_to_2": lambda: version_value(truncated(version, 2)),
            "up_to_3": lambda: version_value(truncated(version, 3)),
        }
    return Record(version, members)


def versions_value(version: str) -> Value:
    """A version as the constraint that only it satisfies."""
    itself = lambda: version_value(version)  # noqa: E731 -- one of a table
    return Record(version_list(version), {"concrete": itself, "concrete_range_as_version": itself})


def target_value(name: str) -> Value:
    """A microarchitecture, by what archspec knows of its name: Spack reads no more of a document either."""
    known: Microarchitecture | None = TARGETS.get(name)
    return Record(
        name,
        {
            "name": lambda: name,
            "vendor": lambda: known.vendor if known else "generic",
            "generation": lambda: known.generation if known else 0,
            "cpu_part": lambda: known.cpu_part if known else "",
            "family": lambda: target_value(known.family.name if known else name),
            "generic": lambda: target_value(known.generic.name if known else name),
            "parents": lambda: known.parents if known else [],
            "ancestors": lambda: known.ancestors if known else [],
        },
    )


def named_compiler(name: str, version: str) -> Value:
    """A compiler that is a name and a version, as before Spack 1.0."""
    versions = versions_value(version)
    return Record(
        f"{name}@{versions}",
        {"name": lambda: name, "version": lambda: version_value(version), "versions": lambda: versions},
    )


def compiler_value(name: str, version: str, spec: Value) -> Value:
    """The compiler of a spec, which is a spec itself or, before Spack 1.0, a name and a version."""
    return Record(
        spec,
        {
            "name": lambda: name,
            "version": lambda: version_value(version),
            "versions": lambda: versions_value(version),
            "display_str": lambda: f"{name}@{version}",
            "spec": lambda: spec,
        },
    )


def variant_value(variant: Variant) -> Value:
    """A variant, its value and what kind of variant it is."""
    value = variant.value
    return Record(
        variant,
        {
            "name": lambda: variant.name,
            "value": lambda: value,
            "values": lambda: value if isinstance(value, tuple) else (value,),
            "type": lambda: _VARIANT_KINDS[type(value)],
            "concrete": lambda: True,
        },
    )


def annotations_value(specfile_version: int, compiler: Value | None) -> Value:
    """What Spack notes of the file that a spec is read from: its format, and the compiler that it names."""
    named = f".with_compiler({compiler})" if compiler else ""
    return Record(
        f"SpecAnnotations().with_spec_format({specfile_version}){named}",
        {"original_spec_format": lambda: specfile_version, "compiler_node_attribute": lambda: compiler},
    )


def specfile_version(document: Mapping[str, Any], format_version: int) -> int:
    """The format of the file that Spack read a node from, which the node notes if it was written again."""
    annotations = document.get("annotations")
    noted = annotations.get("original_specfile_format") if isinstance(annotations, dict) else None
    return noted if isinstance(noted, int) else format_version
