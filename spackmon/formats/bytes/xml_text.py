"""XML as build tools write it: logs pasted into a template, more or less escaped.

What XML 1.0 forbids stands in real logs: the colours of compilers, NULs, bytes that are no UTF-8. They are
carried through the parser by characters that Unicode keeps out of texts, and come out as they were.
"""

import codecs
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
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
_BEGUN_TAG = re.compile(r"""<(?:/?(?:[^\s<>"'/!?]|\Z)|\Z)""")
# What a parser looks for no tags in, up to the end of it.
_CLOSING = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}
_OPENING = re.compile("|".join(map(re.escape, _CLOSING)))
_MAXIMUM_DEPTH = 1_000
# `&#1234567;`; a name in `text_elements` is no longer than this.
_LONGEST_REFERENCE, _LONGEST_TEXT_TAG = 10, 100
_MOST_OF_DECLARATION = 300
_CHARACTERS_AT_ONCE = 64 << 10
_CONTROLS = "".join(chr(code) for code in range(0x20) if chr(code) not in "\t\n\r")
_NOT_CHARACTERS = "\ufffe\uffff"
_BYTES = "".join(chr(0xDC00 + byte) for byte in range(0x80, 0x100))  # as surrogateescape has them
# U+FDD0 to U+FDEF are no characters, but allowed: one for each control character, those of tab and line feed
# to announce the rest.
_STAND_INS = {control: chr(0xFDD0 + ord(control)) for control in _CONTROLS}
_FIRST_OF_TWO = ("\ufdd9", "\ufdda")
_STAND_INS |= {character: "\ufdd9" + chr(ord(character) - 0xFF00) for character in _NOT_CHARACTERS}
_STAND_INS_OF_BYTES = {byte: "\ufdda" + chr(ord(byte) - 0xDC00) for byte in _BYTES}
_ORIGINALS = {written: character for character, written in (_STAND_INS | _STAND_INS_OF_BYTES).items()}
_ANY_STAND_IN = re.compile("[\ufdd0-\ufdef]")
_LOST = re.compile("[\0\udc80-\udcff]")
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")


def read_xml(body: AnyBytes, text_elements: str, text_attributes: str) -> Element:
    """The outermost element of a document without a DTD.

    `text_elements` and `text_attributes` (alternatives of a regular expression) name what its writer fills in
    unescaped, an attribute at the end of a line: where the document is no XML they are escaped, and it is
    read once more. Texts in it go through `plain` or `original_bytes`. Raises Refused XML_INVALID with the
    place, XML_UNSAFE for a DTD, XML_TOO_LARGE.
    """
    if _tag_count(body) > _MAXIMUM_TAGS:
        raise Refused(Code.XML_TOO_LARGE, f"the body has more than {_MAXIMUM_TAGS:,} tags")

    # Never as a whole: one character that is no ASCII makes each copy of it twice or four times as large.
    def document() -> Iterator[str]:
        return _decoded(body)

    try:
        return _parsed(document)
    except ParseError:
        spans = _spans_of_texts(document(), text_elements)
    try:
        return _parsed(lambda: _escaped(document(), spans, text_attributes))
    except ParseError as problem:
        raise _invalid(problem) from None


def xml_memory_of(body: AnyBytes) -> int:
    """How many bytes of memory reading such a body takes, at most."""
    return _COPIES * len(body) + _BYTES_OF_A_TAG * min(_tag_count(body), _MAXIMUM_TAGS)


def plain(text: str | None) -> str:
    """A text of the document for a column of text: bytes that are no UTF-8, and NULs, become U+FFFD."""
    if not text:
        return ""
    if text.isascii() and "\0" not in text:
        return text
    # In windows: nobody else goes on until an expression has looked through its text.
    return "".join(_LOST.sub("\ufffd", _original(one)) for one in _pieces(text))


def _pieces(text: str) -> Iterator[str]:
    """The text in windows of some characters."""
    start = 0
    while start < len(text):
        end = start + _CHARACTERS_AT_ONCE
        # A stand-in may have two characters.
        end += text[end - 1 : end] in _FIRST_OF_TWO
        yield text[start:end]
        start = end


def original_bytes(text: str | None) -> bytes:
    """A text of the document as the UTF-8 it was written in, byte for byte."""
    if not text or text.isascii():
        return b"" if text is None else text.encode()
    # In windows: an encoder takes room for the longest that each character may become.
    written = BytesIO()
    for one in _pieces(text):
        written.write(_original(one).encode("utf-8", "surrogateescape"))
    return written.getvalue()


def _tag_count(body: AnyBytes) -> int:
    return sum(bytes(piece).count(b"<") for piece in pieces(body))


def _decoded(body: AnyBytes) -> Iterator[str]:
    """The document, some characters at a time, without those that XML forbids."""
    declared = _DECLARED_ENCODING.match(bytes(body[:_MOST_OF_DECLARATION]))
    encoding = declared[1].decode("ascii").lower() if declared else ""
    if encoding in _SINGLE_BYTE_ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
    else:
        decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    for piece in pieces(body):
        for start in range(0, len(piece), _CHARACTERS_AT_ONCE):
            yield _allowed(decoder.decode(bytes(piece[start : start + _CHARACTERS_AT_ONCE])))
    yield _allowed(decoder.decode(b"", final=True))


def _allowed(text: str) -> str:
    text = _replaced(text, _STAND_INS)
    return text if text.isascii() or not _LOST.search(text) else _replaced(text, _STAND_INS_OF_BYTES)


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


def _parsed(document: Callable[[], Iterator[str]]) -> Element:
    """`document` begins anew: its tags are counted before any of them takes memory."""
    _check_tags(document())
    parser = XMLParser(forbid_dtd=True)
    try:
        for window in document():
            parser.feed(window)
        root: Element = parser.close()
    except DefusedXmlException:
        sentence = "the body must be XML without a DTD: entities of its own are not read"
        raise Refused(Code.XML_UNSAFE, sentence) from None
    except ParseError as problem:
        # The frame in which the library raised it knows it, and all that was read so far: only the garbage
        # collector would find that cycle, or that of the parser and its handlers.
        raise problem.with_traceback(None) from None
    finally:
        vars(parser).clear()
    return root


def _check_tags(windows: Iterable[str]) -> None:
    """A `>` within quotes ends no tag. Raises Refused XML_TOO_LARGE for attributes beyond measure, and
    ParseError for nesting: that may be text which looks like tags.
    """
    attributes = depth = 0
    for tag in _tags(_without_passages(windows)):
        of_this = (tag.count('"') + tag.count("'")) // 2
        attributes += of_this
        if tag[1] == "/":
            depth = max(0, depth - 1)
        elif tag[-2] != "/":
            depth += 1
        if depth > _MAXIMUM_DEPTH:
            raise ParseError(f"its elements are nested more than {_MAXIMUM_DEPTH:,} times")
        if of_this > _MAXIMUM_ATTRIBUTES_OF_A_TAG or len(tag) > _MAXIMUM_TAG_CHARACTERS:
            most, characters = _MAXIMUM_ATTRIBUTES_OF_A_TAG, _MAXIMUM_TAG_CHARACTERS
            sentence = f"a tag of the body has more than {most:,} attributes or {characters:,} characters"
            raise Refused(Code.XML_TOO_LARGE, sentence)
        if attributes > _MAXIMUM_TAGS:
            raise Refused(Code.XML_TOO_LARGE, f"the body has more than {_MAXIMUM_TAGS:,} attributes")


def _without_passages(windows: Iterable[str]) -> Iterator[str]:
    """The document without CDATA, comments and instructions: what looks like a tag there is none."""
    rest = closing = ""
    for window in windows:
        text, start = rest + window, 0
        kept = []  # yielded at once: each of a thousand pieces would be searched with the tag begun before it
        while True:
            if closing:
                end = text.find(closing, start)
                if end < 0:
                    rest = text[max(start, len(text) - len(closing) + 1) :]
                    break
                start, closing = end + len(closing), ""
            opening = _OPENING.search(text, start)
            if not opening:
                cut = text.rfind("<", start)
                is_cut = cut >= 0 and any(whole.startswith(text[cut:]) for whole in _CLOSING)
                rest = text[cut:] if is_cut else ""
                kept.append(text[start : len(text) - len(rest)])
                break
            kept.append(text[start : opening.start()])
            start, closing = opening.end(), _CLOSING[opening[0]]
        yield "".join(kept)


def _tags(windows: Iterable[str]) -> Iterator[str]:
    """Every tag; the last may be one that does not end, where it is too long to be looked at further."""
    rest = ""
    for window in windows:
        if rest and ">" not in window and "<" not in window and len(rest) <= _MAXIMUM_TAG_CHARACTERS:
            rest += window
            continue
        text, end = rest + window, 0
        for tag in _TAG.finditer(text):
            yield tag[0]
            end = tag.end()
        begin = text.rfind("<", end)
        rest = text[begin:] if begin >= 0 and _BEGUN_TAG.match(text, begin) else ""
        if len(rest) > _MAXIMUM_TAG_CHARACTERS:
            yield rest


def _invalid(problem: ParseError) -> Refused:
    return Refused(Code.XML_INVALID, f"the body must be XML: {problem}")


def _spans_of_texts(windows: Iterable[str], text_elements: str) -> "array[int]":
    """Where the texts of these elements begin and end, by turns, in characters of the document."""
    spans = array("Q")
    tags = re.compile(rf"</?(?:{text_elements})>")
    opened, begin, offset, rest = "", 0, 0, ""
    for window in windows:
        text = rest + window
        for tag in tags.finditer(text):
            if opened and tag[0] == opened.replace("<", "</"):
                spans.extend((begin, offset + tag.start()))
                opened = ""
            else:
                opened, begin = tag[0], offset + tag.end()
        cut = text.rfind("<", max(0, len(text) - _LONGEST_TEXT_TAG))
        rest = text[cut:] if cut >= 0 and ">" not in text[cut:] else ""
        offset += len(text) - len(rest)
    return spans


def _escaped(windows: Iterable[str], spans: "array[int]", text_attributes: str) -> Iterator[str]:
    attribute = re.compile(
        rf'^([ \t]*(?:<\w+ )?(?:{text_attributes})=")(.*)("(?: ?/?>)?)$', flags=re.MULTILINE
    )
    for lines, is_whole in _lines(_with_escaped_texts(windows, spans)):
        yield attribute.sub(_escaped_attribute, lines) if is_whole else lines


def _with_escaped_texts(windows: Iterable[str], spans: "array[int]") -> Iterator[str]:
    offset = place = 0
    for window in _without_cut_references(windows):
        start = 0
        while start < len(window):
            # An even place is where the next text begins, an odd one where it ends.
            edge = spans[place] - offset if place < len(spans) else len(window)
            part = window[start : max(start, edge)]
            yield _BARE_AMPERSAND.sub("&amp;", part).replace("<", "&lt;") if place % 2 else part
            start += len(part)
            place += place < len(spans) and edge <= len(window) and start >= edge
        offset += len(window)


def _without_cut_references(windows: Iterable[str]) -> Iterator[str]:
    rest = ""
    for window in windows:
        text = rest + window
        cut = text.rfind("&", max(0, len(text) - _LONGEST_REFERENCE))
        rest = text[cut:] if cut >= 0 else ""
        yield text[: len(text) - len(rest)]
    yield rest


def _lines(windows: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Whole lines, and those in parts that are longer than any tag; whether they are whole."""
    rest, is_begun = "", False
    for window in windows:
        rest += window
        end = rest.rfind("\n") + 1
        if is_begun and end:
            first = rest.find("\n") + 1
            yield rest[:first], False
            rest, end, is_begun = rest[first:], end - first, False
        if end:
            yield rest[:end], True
            rest = rest[end:]
        if is_begun or len(rest) > _MAXIMUM_TAG_CHARACTERS:
            yield rest, False
            rest, is_begun = "", True
    yield rest, not is_begun


def _escaped_attribute(line: re.Match[str]) -> str:
    value = _BARE_AMPERSAND.sub("&amp;", line[2]).replace("<", "&lt;").replace('"', "&quot;")
    return line[1] + value + line[3]
