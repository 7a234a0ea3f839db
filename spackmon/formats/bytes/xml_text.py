"""XML as build tools write it: logs pasted into a template, more or less escaped.

What XML 1.0 forbids stands in real logs: the colours of compilers, NULs, bytes that are no UTF-8. They are
carried through the parser by characters that Unicode keeps out of texts, and come out as they were.
"""

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from spackmon.errors import Code, Refused
from spackmon.large_bytes import AnyBytes, pieces

_DECLARED_ENCODING = re.compile(rb"\A<\?xml[^>]{0,100}?encoding=[\"']([\w.-]{1,40})[\"']")
_SINGLE_BYTE_ENCODINGS = frozenset({"iso-8859-1", "iso-8859-15", "windows-1252"})
# A log escapes its `<`: what has more of them is no report, and its tree would fill the memory.
_MAXIMUM_TAGS = 250_000
# What an element with its text takes of memory, and how often a document is in it in some form.
_BYTES_OF_A_TAG, _COPIES = 300, 18
# All of a tag is read at once, and its attributes compared with each other: nothing else runs meanwhile.
_MAXIMUM_TAG_CHARACTERS, _MAXIMUM_ATTRIBUTES_OF_A_TAG = 1 << 20, 1_000
# No character is looked at twice: `+` after a quantifier gives nothing back.
_TAG = re.compile(r"""</?[^\s<>"'/!?][^<>"']*+(?:(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+>""")
_MAXIMUM_DEPTH = 1_000
_CHARACTERS_AT_ONCE = 64 << 10
_CONTROLS = "".join(chr(code) for code in range(0x20) if chr(code) not in "\t\n\r")
_NOT_CHARACTERS = "\ufffe\uffff"
_BYTES = "".join(chr(0xDC00 + byte) for byte in range(0x80, 0x100))  # as surrogateescape has them
# U+FDD0 to U+FDEF are no characters, but allowed: one for each control character, those of tab and line feed
# to announce the rest.
_STAND_INS = {control: chr(0xFDD0 + ord(control)) for control in _CONTROLS}
_STAND_INS |= {character: "\ufdd9" + chr(ord(character) - 0xFF00) for character in _NOT_CHARACTERS}
_STAND_INS_OF_BYTES = {byte: "\ufdda" + chr(ord(byte) - 0xDC00) for byte in _BYTES}
_ORIGINALS = {written: character for character, written in (_STAND_INS | _STAND_INS_OF_BYTES).items()}
_ANY_STAND_IN = re.compile("[\ufdd0-\ufdef]")
_LOST = re.compile("[\0\udc80-\udcff]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")


def read_xml(body: bytes | bytearray, text_elements: str, text_attributes: str) -> Element:
    """The outermost element of a document without a DTD.

    `text_elements` and `text_attributes` (alternatives of a regular expression) name what its writer fills in
    unescaped, an attribute at the end of a line: where the document is no XML they are escaped, and it is
    read once more. Texts in it go through `plain` or `original_bytes`. Raises Refused XML_INVALID with the
    place, XML_UNSAFE for a DTD, XML_TOO_LARGE.
    """
    if body.count(b"<") > _MAXIMUM_TAGS:
        raise Refused(Code.XML_TOO_LARGE, f"the body has more than {_MAXIMUM_TAGS:,} tags")
    document = _decoded(body)
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


def xml_memory_of(body: AnyBytes) -> int:
    """How many bytes of memory reading such a body takes, at most."""
    tags = sum(bytes(piece).count(b"<") for piece in pieces(body))
    return _COPIES * len(body) + _BYTES_OF_A_TAG * min(tags, _MAXIMUM_TAGS)


def plain(text: str | None) -> str:
    """A text of the document for a column of text: bytes that are no UTF-8, and NULs, become U+FFFD."""
    return "" if text is None else _LOST.sub("\ufffd", _original(text))


def original_bytes(text: str | None) -> bytes:
    """A text of the document as the UTF-8 it was written in, byte for byte."""
    return b"" if text is None else _original(text).encode("utf-8", "surrogateescape")


def _decoded(body: bytes | bytearray) -> str:
    declared = _DECLARED_ENCODING.match(body)
    encoding = declared[1].decode("ascii").lower() if declared else ""
    if encoding in _SINGLE_BYTE_ENCODINGS:
        return _replaced(body.decode(encoding, "replace"), _STAND_INS)
    try:
        return _replaced(body.decode("utf-8-sig"), _STAND_INS)
    except UnicodeDecodeError:
        return _replaced(body.decode("utf-8-sig", "surrogateescape"), _STAND_INS | _STAND_INS_OF_BYTES)


def _original(text: str) -> str:
    if text.isascii() or not _ANY_STAND_IN.search(text):
        return text
    return _replaced(text, _ORIGINALS)


def _replaced(text: str, by: Mapping[str, str]) -> str:
    # One pass for each that is there: faster than one pass that looks at every character.
    for old, new in by.items():
        if old in text:
            text = text.replace(old, new)
    return text


def _parsed(document: str) -> Element:
    _check_tags(document)
    parser = XMLParser(forbid_dtd=True)
    try:
        for start in range(0, len(document), _CHARACTERS_AT_ONCE):
            parser.feed(document[start : start + _CHARACTERS_AT_ONCE])
        root: Element = parser.close()
    except DefusedXmlException:
        sentence = "the body must be XML without a DTD: entities of its own are not read"
        raise Refused(Code.XML_UNSAFE, sentence) from None
    return root


def _check_tags(document: str) -> None:
    """A `>` within quotes ends no tag. Raises Refused XML_TOO_LARGE for attributes beyond measure, and
    ParseError for nesting: that may be text which looks like tags.
    """
    attributes = depth = 0
    for tag in _TAG.finditer(document):
        of_this = (document.count('"', *tag.span()) + document.count("'", *tag.span())) // 2
        attributes += of_this
        if document[tag.start() + 1] == "/":
            depth = max(0, depth - 1)
        elif document[tag.end() - 2] != "/":
            depth += 1
        if depth > _MAXIMUM_DEPTH:
            raise ParseError(f"its elements are nested more than {_MAXIMUM_DEPTH:,} times")
        if of_this > _MAXIMUM_ATTRIBUTES_OF_A_TAG or tag.end() - tag.start() > _MAXIMUM_TAG_CHARACTERS:
            most, characters = _MAXIMUM_ATTRIBUTES_OF_A_TAG, _MAXIMUM_TAG_CHARACTERS
            sentence = f"a tag of the body has more than {most:,} attributes or {characters:,} characters"
            raise Refused(Code.XML_TOO_LARGE, sentence)
        if attributes > _MAXIMUM_TAGS:
            raise Refused(Code.XML_TOO_LARGE, f"the body has more than {_MAXIMUM_TAGS:,} attributes")


def _invalid(problem: ParseError) -> Refused:
    return Refused(Code.XML_INVALID, f"the body must be XML: {problem}")


def _escaped(document: str, text_elements: str, text_attributes: str) -> str:
    attribute = re.compile(
        rf'^([ \t]*(?:<\w+ )?(?:{text_attributes})=")(.*)("(?: ?/?>)?)$', flags=re.MULTILINE
    )
    whole = "".join(_with_escaped_texts(document, text_elements))
    return "".join(attribute.sub(_escaped_attribute, lines) for lines in _in_windows(whole, "\n", after=True))


def _with_escaped_texts(document: str, text_elements: str) -> Iterator[str]:
    """From tag to tag: a search for pairs takes quadratic time where none is closed."""
    read, opened = 0, ""
    for tag in re.finditer(rf"</?(?:{text_elements})>", document):
        is_text = opened != "" and tag[0] == opened.replace("<", "</")
        for text in _in_windows(document[read : tag.start()], "&", after=False):
            yield _BARE_AMPERSAND.sub("&amp;", text).replace("<", "&lt;") if is_text else text
        yield tag[0]
        read, opened = tag.end(), "" if is_text else tag[0]
    yield document[read:]


def _in_windows(text: str, mark: str, *, after: bool) -> Iterator[str]:
    """The text, cut before or after a `mark`: to replace takes a string for each piece in between."""
    start = 0
    while len(text) - start > _CHARACTERS_AT_ONCE:
        found = text.find(mark, start + _CHARACTERS_AT_ONCE)
        if found < 0:
            break
        end = found + after
        yield text[start:end]
        start = end
    yield text[start:]


def _escaped_attribute(line: re.Match[str]) -> str:
    value = _BARE_AMPERSAND.sub("&amp;", line[2]).replace("<", "&lt;").replace('"', "&quot;")
    return line[1] + value + line[3]
