"""The media type that a client gets, by RFC 9110."""

import pytest

from spackmon.http.negotiation import preferred

OFFERED = ("application/json", "application/graphql-response+json", "text/html", "text/csv")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/html"),
        (BROWSER, "text/html"),
        ("application/graphql-response+json, application/json;q=0.9", "application/graphql-response+json"),
        ("application/json;q=0.5, TEXT/CSV ; q=0.7", "text/csv"),
        ("text/csv, application/json", "text/csv"),
        ("application/json;q=0, */*;q=0.1", "application/graphql-response+json"),
        ("text/*;q=0.3, text/csv;q=0.9", "text/csv"),
        ("text/html;q=high, application/json;q=0.1", "application/json"),
        ("image/png", None),
        ("application/json;q=0", None),
        ("", "application/json"),
        (",;,=q", None),
    ],
)
def test_the_most_specific_range_gives_a_type_its_quality(accept: str | None, expected: str | None) -> None:
    assert preferred(accept, OFFERED) == expected
