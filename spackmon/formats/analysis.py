"""Results of `spack analyze`: the manifest of files, the environment, configure arguments, and findings."""

from typing import Any

from spackmon.formats.bytes.fields import (
    INTEGER_BITS,
    ROW_ID_BITS,
    SHORT_TEXT_BYTES,
    FieldUnfit,
    base64_bytes,
    integer,
    list_of,
    name_of,
    object_of,
    optional_integer,
    optional_name,
    short_text,
    storable_json,
    storable_text,
)
from spackmon.formats.bytes.json_body import parse
from spackmon.submission import AnalysisReport, AttributeValue, InstalledFile

# A path is part of an index row of at most 2,700 bytes.
_PATH_BYTES = 2_600

# What Spack writes into nearly every entry of a manifest, of which a site has millions.
_USUAL_TYPES: dict[str, Any] = {
    "type": str, "hash": str, "dest": str, "time": float,
    "mode": int, "owner": int, "group": int, "size": int,
}  # fmt: skip

_VALUE_FIELDS = ("value", "binary_value", "binary_base64", "json_value")
_OWN_SHAPES = frozenset({"install_files", "environment_variables", "config_args"})


def analysis_report(build_id: int, metadata: dict[str, Any]) -> AnalysisReport:
    """The report of the results in `metadata`, by analyzer. Raises FieldUnfit.

    A result that is null says that the analyzer found nothing.
    """
    files = variables = None
    if "install_files" in metadata:
        files = installed_files(metadata["install_files"], "metadata.install_files")
    if "environment_variables" in metadata:
        variables = environment_variables(metadata["environment_variables"], "metadata.environment_variables")
    arguments = metadata.get("config_args")
    others = {analyzer: results for analyzer, results in metadata.items() if analyzer not in _OWN_SHAPES}
    return AnalysisReport(
        build_id=build_id,
        install_files=files,
        environment_variables=variables,
        configure_arguments=None if arguments is None else storable_text(arguments, "metadata.config_args"),
        has_configure_arguments="config_args" in metadata,
        attributes=attributes(others, "metadata") or None,
    )


def installed_files(manifest: object, field: str) -> tuple[InstalledFile, ...]:
    """The entries of an install manifest, `{path: {mode, owner, …}}`; null is one without any."""
    entries = {} if manifest is None else object_of(manifest, field)
    return tuple(_installed_file(path, entry, field) for path, entry in entries.items())


def environment_variables(variables: object, field: str) -> dict[str, str]:
    """Variables by name; null is none at all."""
    entries = {} if variables is None else object_of(variables, field)
    return {
        short_text(name, field): storable_text(value, f"{field}.{name}") for name, value in entries.items()
    }


def attributes(findings: dict[str, Any], field: str) -> dict[str, tuple[AttributeValue, ...]]:
    """What each analyzer found, by its name."""
    return {
        short_text(analyzer, field): _attributes(values, f"{field}.{analyzer}")
        for analyzer, values in findings.items()
    }


def _installed_file(path: str, entry: object, field: str) -> InstalledFile:
    if isinstance(entry, dict) and _is_usual(path) and _has_usual_fields(entry):
        get = entry.get
        return InstalledFile(
            path, get("type"), get("mode"), get("owner"), get("group"), get("hash"), get("size"), get("time"),
            get("dest"),
        )  # fmt: skip
    fields = object_of(entry, f"{field}.{path}")
    prefix = f"{field}.{path}."
    modified = fields.get("time")
    destination = fields.get("dest")
    return InstalledFile(
        path=_path(path, field),
        type=optional_name(fields, "type", prefix),
        mode=optional_integer(fields, "mode", prefix, bits=INTEGER_BITS),
        owner=optional_integer(fields, "owner", prefix, bits=ROW_ID_BITS),
        group=optional_integer(fields, "group", prefix, bits=ROW_ID_BITS),
        hash=optional_name(fields, "hash", prefix),
        size_bytes=optional_integer(fields, "size", prefix, bits=ROW_ID_BITS),
        modified_at_seconds=None if modified is None else _seconds(modified, f"{prefix}time"),
        destination=None if destination is None else storable_text(destination, f"{prefix}dest"),
    )


def _has_usual_fields(entry: dict[str, Any]) -> bool:
    """Whether an entry can be taken as it is; the others are read field by field, and refused by name."""
    for name, value in entry.items():
        expected = _USUAL_TYPES.get(name)
        if expected is None:
            continue
        if type(value) is not expected:
            return False
        if expected is str and not _is_usual(value):
            return False
        if expected is int and not -(1 << (INTEGER_BITS - 1)) <= value < 1 << (INTEGER_BITS - 1):
            return False
    return True


def _is_usual(text: str) -> bool:
    return len(text) <= SHORT_TEXT_BYTES and text.isascii() and "\x00" not in text


def _seconds(value: object, field: str) -> float:
    if isinstance(value, float):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise FieldUnfit(f"{field} must be a number")
    return float(integer(value, field, bits=ROW_ID_BITS))


def _path(path: object, field: str) -> str:
    text = storable_text(path, field)
    if len(text.encode()) > _PATH_BYTES:
        raise FieldUnfit(f"{field}: a path must be at most {_PATH_BYTES} bytes long")
    return text


def _attributes(findings: object, field: str) -> tuple[AttributeValue, ...]:
    listed = [] if findings is None else list_of(findings, field)
    return tuple(_attribute(item, f"{field}.{position}") for position, item in enumerate(listed))


def _attribute(item: object, field: str) -> AttributeValue:
    finding = object_of(item, field)
    present = [key for key in _VALUE_FIELDS if finding.get(key) is not None]
    if len(present) != 1:
        raise FieldUnfit(f"{field} must have one of {', '.join(_VALUE_FIELDS)}", missing=not present)
    (key,) = present
    value = finding[key]
    install_file = finding.get("install_file")
    return AttributeValue(
        name=name_of(finding, "name", f"{field}."),
        install_file=None if install_file is None else _path(install_file, f"{field}.install_file"),
        value=storable_text(value, f"{field}.value") if key == "value" else None,
        binary_value=_binary(key, value, field) if key.startswith("binary_") else None,
        json_value=_json(value, f"{field}.json_value") if key == "json_value" else None,
    )


def _binary(key: str, value: object, field: str) -> bytes:
    """JSON carries no bytes: what an old client made of them, as UTF-8, is kept as it is."""
    if key == "binary_base64":
        return base64_bytes(value, f"{field}.{key}")
    if not isinstance(value, str):
        raise FieldUnfit(f"{field}.{key} must be a string")
    return value.encode("utf-8", "surrogatepass")


def _json(value: object, field: str) -> str:
    """Some analyzers send JSON as a string; one that states no JSON is the value itself."""
    if isinstance(value, str):
        try:
            value = parse(value)
        except (ValueError, RecursionError):
            return storable_json(value, field)
    return storable_json(value, field)
