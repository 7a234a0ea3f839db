"""What of CDash documents is refused, and what reading one may cost."""

import gc
from functools import partial
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spackmon.errors import Code, Refused
from spackmon.formats.bytes import xml_text
from spackmon.formats.bytes.xml_text import original_bytes, plain
from spackmon.formats.reports.cdash import read_cdash
from spackmon.submission import ConcretizationFailureReport
from tests.counting import allocated_bytes
from tests.formats.cdash import AT, read
from tests.uploads import document

UNSOLVED = b"failed to concretize `"


def test_a_message_that_begins_again_and_again_is_seen_through_at_once() -> None:
    # A search that goes to the end from each beginning would look at 10**13 characters.
    failure = read_cdash(
        b"<Update><UpdateReturnStatus>%s</UpdateReturnStatus></Update>" % (UNSOLVED * 1_000_000)
    )
    assert isinstance(failure, ConcretizationFailureReport)
    assert (failure.name, failure.abstract_spec) == (None, None)


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b"", "XML_INVALID", "no element found"),
        (b"<Site", "XML_INVALID", "line 1"),
        (b"\xff\xfe\x00", "XML_INVALID", "line 1"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Site>&b;</Site>', "XML_UNSAFE", "DTD"),
        (
            b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>',
            "XML_UNSAFE",
            "DTD",
        ),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "XML_UNSAFE", "DTD"),
        (b"<html/>", "CDASH_UNKNOWN", "was expected, and its outermost element is 'html'"),
        (
            b'<Site Name="%s" BuildStamp="b"><Build/></Site>' % (b"a" * 501),
            "FIELD_INVALID",
            "Name must be at",
        ),
        (
            b'<Site Name="a" BuildStamp="b" OSName="%s"><Build/></Site>' % (b"a" * 501),
            "FIELD_INVALID",
            "OSName must be at",
        ),
        (b'<Site Name="a" BuildStamp="b"><Builds/></Site>', "CDASH_UNKNOWN", "Builds"),
        (b"<Update/>", "CDASH_INCOMPLETE", "site"),
        (b'<Site Name="a"><Build/></Site>', "CDASH_INCOMPLETE", "stamp"),
        (document("<Build><StartBuildTime>soon</StartBuildTime></Build>"), "CDASH_INVALID", "StartBuildTime"),
        (
            document("<Build><EndBuildTime>999999999999</EndBuildTime></Build>"),
            "CDASH_INVALID",
            "EndBuildTime",
        ),
    ],
)
def test_what_cannot_be_read_is_named(body: bytes, code: str, named: str) -> None:
    with pytest.raises(Refused) as refused:
        read_cdash(body)
    assert refused.value.code == code
    assert named in refused.value.sentence


def test_more_tags_than_any_report_has_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(Refused, match="more than 250,000 tags"):
        read_cdash(document("<Build>" + "<a>" * 500_000 + "</Build>"))


ATTRIBUTES = " ".join(f'a{number}="1"' for number in range(1_001))


@pytest.mark.parametrize(
    "body",
    [
        f"<Site {ATTRIBUTES}/>",
        f"<Site a='>' {ATTRIBUTES}/>",
        f'<!-- " --><Site\n{ATTRIBUTES}/>',
        "<Site>" + f"<a {ATTRIBUTES.replace('a1000=', 'a999_=')[:9000]}/>" * 600 + "</Site>",
        "<Site a='" + "a" * (1 << 20) + "'/>",
        "<Site>" + "<a>" * 500_001,
    ],
    ids=["in a tag", "behind a quoted sign", "behind a comment", "in all", "a long one", "tags"],
)
def test_what_would_hold_the_parser_for_long_is_refused(body: str) -> None:
    with pytest.raises(Refused) as refused:
        read_cdash(body.encode())
    assert refused.value.code is Code.XML_TOO_LARGE


PIECES = st.sampled_from(
    ["<Site>", "</Site>", "<Name>", "</Name>", "<Value>", "</Value>", "<Log>", "</Log>", "<b c='>' d=\"&\"/>",
     "<Site\n", ' Name="a & "<b>""\n', ' BuildName="&lt; &x"\n', ">", "\n", "&", "&amp;", "&#12;", "<", "'",
     '"', "a text", "\u201c", "\U0001f347", "\x1b[0m", "\0", "\ufffe", "\udcff", "\udce2\udc80", "<!-- ",
     "<![CDATA[", "]]>", "-->"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=12).map("".join), st.integers(1, 12))
def test_a_document_says_the_same_wherever_it_is_divided(content: str, characters: int) -> None:
    body = f"<Site>{content}</Site>".encode("utf-8", "surrogateescape")

    def value() -> object:
        try:
            root = xml_text.read_xml(body, "Name|Value", "BuildName|Name")
        except Refused as refused:
            return refused.sentence
        return [(e.tag, e.attrib, original_bytes(e.text), plain(e.tail)) for e in root.iter()]

    whole = value()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml_text, "_CHARACTERS_AT_ONCE", characters)
        assert value() == whole


@pytest.mark.parametrize("end", ["", "\u201c", "\U0001f347", "\udcff", "\x1b"])
def test_a_document_takes_no_more_memory_than_it_is_weighed(end: str) -> None:
    text = "a &amp; b\n" * 60_000 + end
    for part in (
        f"<Configure><Log>{text}</Log></Configure>",
        f"<Configure><ConfigureCommand>{text.replace('&amp;', '&')}</ConfigureCommand></Configure>",
        f"<Build>{f'<Error><Text>{text[-600:]}</Text></Error>' * 1_000}</Build>",
        "<Build>" + '<a b="1"/>' * 60_000 + "</Build>",
    ):
        body = document("@").replace(b"@", part.encode("utf-8", "surrogateescape"))
        assert allocated_bytes(partial(read_cdash, body, AT)) < xml_text.xml_memory_of(body)


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(Refused, match="nested"):
        read_cdash(("<a>" * 1_001 + "</a>" * 1_001).encode())
    # Elements beside each other are not.
    labels = "<Labels><Label>a</Label></Labels>" * 2_000
    assert read(
        f"<Build>{labels}<Error><Text>{escape('#include <a> ' * 2_000)}</Text></Error></Build>"
    ).events


def test_what_is_in_cdata_or_a_comment_is_no_tag() -> None:
    source = "#include <iostream>\n" * 60_000
    for passage, text in ((f"<![CDATA[<!-- {source}]]>", f"<!-- {source}"), (f"<!-- {source}-->", "")):
        report = read(f"<Build><Other>{passage}</Other><Error><Text>a{passage}</Text></Error></Build>")
        assert [event.text for event in report.events] == [f"a{text}"]
    # Where it ends, tags are counted again.
    for passage in ("<![CDATA[<!--]]>", "<!-- <![CDATA[ -->", "<?a <!-- ?>"):
        with pytest.raises(Refused, match="nested"):
            read_cdash(f"<Build>{passage}{'<a>' * 1_001}{'</a>' * 1_001}</Build>".encode())


def test_texts_may_look_like_many_attributes() -> None:
    log = 'x="1" ' * 2_000 + "".join(f"-DA{number}='{number}' > /dev/null\n" for number in range(2_000))
    report = read(f"<Build><Error><Text>{log}</Text></Error></Build>".replace(" > ", " &gt; "))
    assert [event.text for event in report.events] == [log]


def test_what_is_no_xml_leaves_nothing_to_the_garbage_collector() -> None:
    def refused() -> int:
        with pytest.raises(Refused):
            xml_text.read_xml(b"<Site>" + b"<Build/>" * 1_000 + b"a & b</Site>", "Text", "Other")
        return gc.collect()

    refused()
    gc.disable()
    try:
        assert refused() < 100
    finally:
        gc.enable()
