"""A line of `POST /api/submissions`: a report as JSON, or a file as it is; docs/reports.md describes both."""

from collections.abc import Iterator
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.formats import detect
from spackmon.formats.bytes.fields import (
    FieldUnfit,
    base64_bytes,
    name_of,
    named_fields,
    optional_name,
    required,
)
from spackmon.formats.bytes.json_body import read_json
from spackmon.formats.bytes.report_values import MAXIMUM_LOG_BYTES
from spackmon.formats.reports import report_json
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.large_bytes import AnyBytes
from spackmon.submission import Submission

_DOCUMENT = "document"


def read_line(line: AnyBytes, known: KnownNodes | None = None) -> Iterator[Submission]:
    """What a line reports; a document of many specs gives many. `known` as in `spec_json.read`.

    Raises Refused BODY_NOT_JSON, and what reading the report or the document raises.
    """
    content = read_json(line)
    if report_json.is_report(content):
        return report_json.read(content, known)
    with named_fields():
        if name_of(content, "type") != _DOCUMENT:
            raise FieldUnfit(f"type must be one of {', '.join(sorted(report_json.TYPES))}, {_DOCUMENT}")
    return _document(content, known)


def _document(line: dict[str, Any], known: KnownNodes | None) -> Iterator[Submission]:
    with named_fields():
        name = name_of(line, "name")
        spack_version = optional_name(line, "spack_version")
        if line.get("text") is not None:
            text = line["text"]
            if not isinstance(text, str):
                raise FieldUnfit("text must be a string")
            content = text.encode("utf-8", "surrogatepass")
        else:
            content = base64_bytes(required(line, "base64"), "base64")
    try:
        yield from detect.read_document(
            name, content, spack_version, maximum_bytes=MAXIMUM_LOG_BYTES, known=known, place=name
        )
    except Refused as refused:
        # It comes after all that is understood, which a refusal would keep out.
        if refused.code != Code.DOCUMENT_NEWER:
            raise
