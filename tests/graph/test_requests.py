"""What a request names of the spec that it asks for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.graph.requests import Request, request_of

V5: dict[str, Any] = {
    "nodes": [
        {
            "name": "zlib",
            "versions": ["=1.3"],
            "arch": {"platform": "linux", "platform_os": "debian12", "target": {"name": "zen3"}},
            "dependencies": [
                {"name": "cmake", "hash": "m"},
                {"name": "llvm", "hash": "g", "parameters": {"virtuals": ["c"]}},
            ],
        },
        {"name": "cmake", "hash": "m", "versions": ["3"]},
        {"name": "llvm", "hash": "g", "versions": ["17.0.6"]},
    ]
}


@pytest.mark.parametrize(
    ("text", "spack", "named"),
    [
        ("zlib@1.2.11 %gcc@=12.2.0", "1.2.0", Request("1.2.11", "gcc", "12.2.0")),
        ("zlib@=1.2 +shared os=debian12 target=zen3", "", Request("1.2", None, None, "debian12", "zen3")),
        ("zlib arch=linux-debian12-zen3:", "1.0", Request(operating_system="debian12")),
        ("zlib@1.2: %clang", "1.0", Request(None, "llvm")),
        ("zlib@1.2,1.4 %clang", "0.23.1", Request(None, "clang")),
        ("zlib %cmake@3 %[virtuals=c,cxx] gcc@13 ^m4@1.4 %clang@17 os=a", "1.0", Request(None, "gcc", "13")),
        ("zlib ^m4@1.4", "1.0", Request()),
        ("two @@@ specs", "1.0", Request()),
    ],
)
def test_a_text_names_one_version_a_compiler_and_a_system(text: str, spack: str, named: Request) -> None:
    assert request_of(None, text, spack) == named


@pytest.mark.parametrize(
    ("document", "named"),
    [
        (V5, Request("1.3", "llvm", "17.0.6", "debian12", "zen3")),
        (
            [{"zlib": {"version": "1.2", "compiler": {"name": "gcc", "versions": ["9:"]}}}],
            Request("1.2", "gcc"),
        ),
        (
            {"nodes": [{"name": "a", "version": "1\0", "compiler": {"name": "\ud800"}}]},
            Request(),
        ),
        ({"nodes": [{"name": "impossible", "versions": [":"], "concrete": False}]}, Request()),
    ],
)
def test_a_document_of_any_format_says_the_same(document: object, named: Request) -> None:
    assert request_of(json.dumps(document), "zlib@9", "1.0.0") == named


@given(
    st.recursive(
        st.none() | st.text(max_size=3) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["nodes", "arch", "compiler", "versions", "name", "dependencies"]), inner
            )
        ),
        max_leaves=9,
    ),
    st.text(alphabet="a@%^=:,[] 1", max_size=12),
)
def test_nothing_that_came_in_is_too_odd(document: object, text: str) -> None:
    assert isinstance(request_of(json.dumps(document), None, "1.0"), Request)
    assert isinstance(request_of(None, text, text), Request)
