"""The codes of errors are a contract: each is documented, used, and keeps its status."""

import re
from pathlib import Path

from spackmon.errors import Code, Refused

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "errors.md"


def test_the_page_of_errors_has_every_code_as_it_is_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (yes|no) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == [
        (code.name, str(code.status), "yes" if code.retryable else "no", code.meaning) for code in Code
    ]


def test_every_code_is_the_name_of_an_error_that_something_raises() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "spackmon").rglob("*.py"))
    used = set(re.findall(r"\bCode\.([A-Z][A-Z0-9_]+)", sources))
    made_of_a_name = {"VARIABLES_INVALID", "EXTENSIONS_INVALID"}
    assert {code.name for code in Code} == used | made_of_a_name == {str(code) for code in Code}


def test_a_code_of_another_version_is_quoted() -> None:
    assert Refused.reported("SPEC_UNKNOWN", "no such spec").code is Code.SPEC_UNKNOWN
    newer = Refused.reported("NEVER_HEARD_OF", "ask a newer client")
    assert (newer.code, newer.sentence) == (Code.SERVER_REFUSED, "NEVER_HEARD_OF: ask a newer client")
