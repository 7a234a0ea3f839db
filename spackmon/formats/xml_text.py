"""XML as build tools write it: logs pasted into a template, more or less escaped.

What XML 1.0 forbids stands in real logs: the colours of compilers, NULs, bytes that are no UTF-8. They are
carried through the parser by characters of a private plane that no log has, and come out as they were.
"""

import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from spackmon.errors import Refused

_DECLARED_ENCODING = re.compile(rb"\A<\?xml[^>]{0,100}?encoding=[\"']([\w.-]{1,40})[\"']")
_SINGLE_BYTE_ENCODINGS = frozenset({"iso-8859-1", "iso-8859-15", "windows-1252"})
_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\udc80-\udcff\ufffe\uffff]")
_STAND_IN_BASE = 0x100000
_STAND_IN = re.compile("[\U00100000-\U0010ffff]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")


def read_xml(body: bytes | bytearray, text_elements: str, text_attributes: str) -> Element:
    """The outermost element of a document without a DTD.

    `text_elements` and `text_attributes` (alternatives of a regular expression) name what its writer fills in
    unescaped, an attribute at the end of a line: where the document is no XML they are escaped, and it is
    read once more. Texts in it go through `plain` or `original_bytes`. Raises Refused XML_INVALID with the
    place, XML_UNSAFE for a DTD.
    """
    document = _FORBIDDEN.sub(_stand_in, _decoded(body))
    try:
        return _parsed(document)
    except ParseError as problem:
        repaired = _escaped(document, text_elements, text_attributes)
        if repaired == document:
            raise _invalid(problem) from None
    try:
        return _parsed(repaired)
    except ParseError as problem:
        raise _invalid(problem) from None


def plain(text: str | None) -> str:
    """A text of the document for a column of text: bytes that are no UTF-8, and NULs, become U+FFFD."""
    return _STAND_IN.sub(_without_bytes, text or "")


def original_bytes(text: str | None) -> bytes:
    """A text of the document as the UTF-8 it was written in, byte for byte."""
    return _STAND_IN.sub(_without_stand_in, text or "").encode("utf-8", "surrogateescape")


def _decoded(body: bytes | bytearray) -> str:
    declared = _DECLARED_ENCODING.match(body)
    encoding = declared[1].decode("ascii").lower() if declared else ""
    if encoding in _SINGLE_BYTE_ENCODINGS:
        return body.decode(encoding, "replace")
    return body.decode("utf-8-sig", "surrogateescape")


def _parsed(document: str) -> Element:
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except DefusedXmlException:
        sentence = "the body must be XML without a DTD: entities of its own are not read"
        raise Refused("XML_UNSAFE", 400, sentence) from None
    return root


def _invalid(problem: ParseError) -> Refused:
    return Refused("XML_INVALID", 400, f"the body must be XML: {problem}")


def _stand_in(forbidden: re.Match[str]) -> str:
    return chr(_STAND_IN_BASE + ord(forbidden[0]))


def _without_stand_in(stand_in: re.Match[str]) -> str:
    character = chr(ord(stand_in[0]) - _STAND_IN_BASE)
    return character if _FORBIDDEN.match(character) else stand_in[0]


def _without_bytes(stand_in: re.Match[str]) -> str:
    character = _without_stand_in(stand_in)
    return "\ufffd" if character == "\0" or "\udc80" <= character <= "\udcff" else character


def _escaped(document: str, text_elements: str, text_attributes: str) -> str:
    """Split at the tags instead of searching for pairs, which takes quadratic time where none is closed."""
    parts = re.split(rf"(</?(?:{text_elements})>)", document)
    for position in range(2, len(parts) - 1, 2):
        if parts[position + 1] == parts[position - 1].replace("<", "</"):
            parts[position] = _BARE_AMPERSAND.sub("&amp;", parts[position]).replace("<", "&lt;")
    attribute = rf'^([ \t]*(?:<\w+ )?(?:{text_attributes})=")(.*)("(?: ?/?>)?)$'
    return re.sub(attribute, _escaped_attribute, "".join(parts), flags=re.MULTILINE)


def _escaped_attribute(line: re.Match[str]) -> str:
    value = _BARE_AMPERSAND.sub("&amp;", line[2]).replace("<", "&lt;").replace('"', "&quot;")
    return line[1] + value + line[3]
