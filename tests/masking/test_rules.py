"""What is a secret and what is none: the examples of the rules, false alarms, and any texts."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.masking.bodies import masked_body
from spackmon.masking.rules import shipped, with_names
from spackmon.masking.texts import MASK, masked_json, masked_shapes, masked_text, masked_variables

RULES = shipped()
DOCUMENT = Path(__file__).parents[2] / "docs" / "secrets.md"
SHOWN = [
    ("KEYMAP", "us"), ("KEYBOARD", "de"), ("MONKEY", "george"), ("COMPASS", "north"), ("SECRETARY", "ann"),
    ("SSH_AUTH_SOCK", "/tmp/ssh-x/agent.1"), ("PWD", "/home/ada"), ("OLDPWD", "/"), ("PATH", "/usr/bin:/bin"),
    ("LIBSECRET_LIBS", "-L/opt/lib -lsecret-1"), ("MAX_TOKENS", "4096"), ("WITH_SECRET", "ON"),
    ("SSL_KEY_FILE", "/etc/ssl/host.pem"), ("SSH_PUBLIC_KEY", "ssh-ed25519 AAAA"), ("CCACHE_KEY", ""),
    ("CI_CACHE_KEY", "main-12"), ("TOKENIZERS_PARALLELISM", "false"), ("XAUTHORITY", "/run/user/1/x"),
    ("LS_COLORS", "*.key=01;31"), ("CXXFLAGS", "-O2 -DPASS=1 -DTOKENS=2"), ("HTTP_PROXY", "http://proxy:3128"),
]  # fmt: skip
ARGUMENTS = {
    "--prefix=/opt/x --with-api-token=abc --enable-shared":
        f"--prefix=/opt/x --with-api-token={MASK} --enable-shared",
    "-DDEPLOY_TOKEN:STRING=abc '-DSITE_API_KEY=a b' -DX=1":
        f"-DDEPLOY_TOKEN:STRING={MASK} '-DSITE_API_KEY={MASK}' -DX=1",
    "--password hunter2 --passphrase='a b' --token -x": f"--password {MASK} --passphrase='{MASK}' --token -x",
    "CMD=\"push --api-key 'a b'\" ./x": f"CMD=\"push --api-key '{MASK}'\" ./x",
    "https://ada:pw@x.org/?token=abc&y=1": f"https://ada:{MASK}@x.org/?token={MASK}&y=1",
    "--with-libsecret=/opt/s --with-keyutils=/opt/k --enable-token=yes key=v":
        "--with-libsecret=/opt/s --with-keyutils=/opt/k --enable-token=yes key=v",
}  # fmt: skip
TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [
                *ARGUMENTS,
                *(f"{n}={v}" for n, v in SHOWN),
                *(e for shape in RULES.shapes for e in shape.examples),
            ]
        )
    ).map(" ".join),
)


def test_the_example_of_a_name_is_masked_and_so_is_it_in_an_argument() -> None:
    for rule in RULES.names:
        assert masked_variables({rule.example: "x7"}, RULES) == {rule.example: MASK}
        assert masked_text(f"{rule.example}=x7 ./configure", RULES) == f"{rule.example}={MASK} ./configure"


def test_the_examples_of_a_shape_are_masked_in_any_text_and_what_is_unlike_it_is_not() -> None:
    for shape in RULES.shapes:
        for example in shape.examples:
            masked = masked_variables({"X": f"a {example} b"}, RULES)["X"]
            assert MASK in masked
            assert (masked[:2], masked[-2:]) == ("a ", " b")
        for text in shape.unlike:
            assert masked_shapes(text, RULES) == text


@pytest.mark.parametrize(("name", "value"), SHOWN)
def test_what_only_resembles_a_secret_is_shown(name: str, value: str) -> None:
    assert masked_variables({name: value}, RULES) == {name: value}


@pytest.mark.parametrize("text", ARGUMENTS)
def test_of_arguments_the_value_alone_is_masked(text: str) -> None:
    assert masked_text(text, RULES) == ARGUMENTS[text]


def test_a_site_has_names_of_its_own() -> None:
    rules = with_names(["LICENSE", "site-pin"])
    variables = {"INTEL_LICENSE": "1", "SITE_PIN_2": "12", "LICENSED": "x", "PIN": "y", "A_TOKEN": "z"}
    assert masked_variables(variables, rules) == {
        "INTEL_LICENSE": "1", "SITE_PIN_2": MASK, "LICENSED": "x", "PIN": "y", "A_TOKEN": MASK,
    }  # fmt: skip
    assert masked_variables({"INTEL_LICENSE": "27000@host"}, rules) == {"INTEL_LICENSE": MASK}


def test_a_document_is_masked_by_its_names_and_stays_as_it_is_written_otherwise() -> None:
    assert (
        masked_json('{"key": "a", "token": "int", "n": 1.50}', RULES)
        == '{"key": "a", "token": "int", "n": 1.50}'
    )
    assert json.loads(masked_json('{"a": [{"dbPassword": "x", "n": 2}]}', RULES)) == {
        "a": [{"dbPassword": MASK, "n": 2}]
    }
    assert masked_json("[" * 100_000 + '"api_key"', RULES).startswith("[[")


@given(TEXTS)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = masked_text(text, RULES)
    assert masked_text(once, RULES) == once
    document = json.dumps({"A_TOKEN": text, "b": [text]})
    assert json.loads(masked_json(document, RULES))["b"] == [once]
    body = json.dumps({"environment_variables": {"B": text}, "log": text}).encode()
    kept = json.loads(bytes(masked_body(body, RULES)))
    assert (kept["environment_variables"]["B"], kept["log"]) == (once, text)


def test_a_damaged_body_and_a_large_one_are_masked_too() -> None:
    line = {"environment_variables": {"A_TOKEN": "s3cr3t-1"}, "config_args": "--api-key=s3cr3t-2"}
    for body in (json.dumps(line)[:-1], json.dumps({"log": "x" * (5 << 20), **line})):
        kept = bytes(masked_body(body.encode(), RULES))
        assert b"s3cr3t" not in kept
        assert len(kept) > len(body) - 100
    for body in (b"\xff\x00A_TOKEN=x", b"{}", b""):
        assert masked_body(body, RULES) is body


def test_the_document_lists_every_rule() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    names = re.findall(r"^\| `([A-Z_]+)` \| (.*) \| `(.*)` \|$", text, re.MULTILINE)
    assert [(words.split("_"), example) for words, _, example in names] == [
        (list(rule.words), rule.example) for rule in RULES.names
    ]
    listed = set(re.findall(r"^- ([^:]*): ", text, re.MULTILINE))
    assert {shape.name for shape in RULES.shapes} <= listed
    for words in RULES.exceptions:
        assert f"`{'_'.join(words)}`" in text
