"""Keys and ranges of versions, against Spack 1.2's own answers (tests/data/versions)."""

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.graph.versions import BadVersionRange, version_key, version_ranges

ANSWERS = Path(__file__).parent.parent / "data" / "versions"


def answers(name: str) -> list[dict[str, Any]]:
    with gzip.open(ANSWERS / f"{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def order() -> list[list[str]]:
    with gzip.open(ANSWERS / "version-order-dev.json.gz", "rt") as text:
        return json.load(text)["order"]


def satisfies(version: str, constraint: str) -> bool:
    key = version_key(version)
    return any(low <= key < high for low, high in version_ranges(constraint))


def test_keys_sort_as_spack_sorts_and_equal_versions_share_one():
    keys = [{version_key(version) for version in equal} for equal in order()]
    assert [len(shared) for shared in keys] == [1] * len(keys)
    flat = [key for shared in keys for key in shared]
    assert len(flat) > 300
    assert [pair for pair in pairwise(flat) if pair[0] >= pair[1]] == []


def test_pairs_compare_as_spack_compares_them():
    def compared(left: bytes, right: bytes) -> int:
        return (left > right) - (left < right)

    pairs = answers("version-pairs-dev")
    assert len(pairs) == 750
    wrong = [p for p in pairs if compared(version_key(p["a"]), version_key(p["b"])) != p["cmp"]]
    assert wrong == []


def test_a_version_lies_in_the_key_ranges_of_what_it_satisfies():
    cases = answers("version-ranges-dev")
    assert len(cases) == 1602
    assert [case for case in cases if satisfies(case["version"], case["range"]) != case["satisfied"]] == []


def test_a_git_version_satisfies_the_ranges_of_its_version_and_sorts_just_after_it():
    cases = [case for case in answers("git-versions-dev") if case["std_version"]]
    assert len(cases) == 3
    for case in cases:
        found = {constraint: satisfies(case["version"], constraint) for constraint in case["satisfies"]}
        assert found == case["satisfies"]
        assert version_key(case["std_version"]) < version_key(case["version"])
        assert version_key(case["version"]) < version_key(f"{case['std_version']}final0")


def test_a_ref_that_nobody_can_place_satisfies_only_itself_and_any_version():
    for ref in ("git.main", "0123456789abcdef0123456789abcdef01234567"):
        assert satisfies(ref, f"@={ref}")
        assert satisfies(ref, "@:")
        assert not satisfies(ref, "@:9")
        assert not satisfies(ref, "@0:")


def test_what_spack_does_not_read_as_versions_is_refused():
    constraints = [case["range"] for case in answers("version-ranges-invalid-dev")]
    constraints += ["", "@", "@=1.2:1.4", "@1.2@1.3", "@3:1", "@1.2+a", "@1:2:3", "@,", "@git.=1", "@git."]
    for constraint in constraints:
        with pytest.raises(BadVersionRange):
            version_ranges(constraint)


def test_overlapping_ranges_become_one_and_an_empty_one_none():
    assert version_ranges("@3.31:,4:") == version_ranges("@3.31:")
    assert len(version_ranges("@1.2:1.4,1.6:1.8,2:")) == 3
    assert version_ranges("@develop:main") == ()


def test_numbers_of_any_length_keep_their_order():
    nine, long = "9" * 5000, "1" + "0" * 5000
    assert version_key("9") < version_key(nine) < version_key(long) < version_key("stable")
    assert satisfies(nine, f"@{nine}")
    assert not satisfies(long, f"@:{nine}")


versions = st.text("019.-_aAzZrc", max_size=12) | st.sampled_from(
    ["develop", "main-1", "1.0rc1", "1.0alpha", "git.x=1.0", "stable"]
)


@given(st.text(st.characters(codec=None)))
def test_any_string_has_a_key(version):
    assert isinstance(version_key(version), bytes)


@given(versions, versions)
def test_no_key_but_a_git_versions_begins_with_another(left, right):
    left_key, right_key = version_key(left), version_key(right)
    if left_key != right_key and "=" not in left + right:
        assert not right_key.startswith(left_key)


@given(st.text())
def test_a_constraint_is_read_or_refused(text):
    try:
        ranges = version_ranges(text)
    except BadVersionRange:
        return
    assert all(low < high for low, high in ranges)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))
