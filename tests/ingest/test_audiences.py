"""Who may see what is reported depends on what was reported for whom, and not on its order."""

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Connection, text

from spackmon.auth.groups import (
    add_group,
    add_member,
    remove_member,
    set_build_visibility,
    set_default_visibility,
)
from spackmon.errors import Refused
from spackmon.status import Visibility
from tests.ingest.reports import Site, build_report, graph, spec, spec_report
from tests.ingest.test_checking import differences

LEAF = spec("zlib", "1.2")
SECRET = spec("vault", "1", LEAF)
OPEN = spec("hdf5", "1", LEAF)
TABLES = [
    "build_content", "claim", "attempt", "build", "closure", "provided_virtual", "dependency",
    "other_compiler", "spec_hash", "spec_document", "spec_audience", "spec",
]  # fmt: skip
ASKED = """
    SELECT s.hash, s.is_public, a.key FROM spec s
    LEFT JOIN spec_audience x ON x.spec_id = s.id LEFT JOIN audience a ON a.id = x.audience_id
    ORDER BY 1, 3
"""


def _people(connection: Connection) -> None:
    for group in ("one", "two"):
        add_group(connection, group)
        add_member(connection, group, "bob")
    set_default_visibility(connection, "bob", Visibility.PRIVATE, "one")


@pytest.fixture
def site(site: Site) -> Site:
    """Bob reports for a group."""
    site.database.write_once(_people)
    return site


def _for(site: Site, person: str, *words: Any) -> None:
    site.database.write_once(lambda connection: set_default_visibility(connection, person, *words))


def _audience(site: Site, build_id: int) -> str | None:
    found = "SELECT a.key FROM build b LEFT JOIN audience a ON a.id = b.audience_id WHERE b.id = :b"
    key: str | None = site.rows(found, b=build_id)[0][0]
    return key


def test_a_spec_is_everybodys_once_anybody_says_so_in_whatever_order(site: Site) -> None:
    reports = [
        (spec_report(SECRET, LEAF), site.bob),
        (spec_report(OPEN, LEAF), site.ada),
        (build_report(SECRET.hash, graph=graph(SECRET, LEAF)), site.bob),
    ]
    found = set()
    for order in permutations(reports):
        for report, person in order:
            site.apply(report, person)
        rows = [(hash_, bool(is_public), key if hash_ == SECRET.hash else None)
                for hash_, is_public, key in site.rows(ASKED)]  # fmt: skip
        found.add(tuple(sorted(set(rows), key=repr)))
        site.delete_all(TABLES)
    expected = ((SECRET.hash, False, "PRIVATE:2:1"), (LEAF.hash, True, None), (OPEN.hash, True, None))
    assert found == {tuple(sorted(expected, key=repr))}


def test_a_build_has_the_narrowest_audience_of_its_claims(site: Site) -> None:
    build_id = site.build(OPEN, LEAF, person=site.bob)
    assert _audience(site, build_id) == "PRIVATE:2:1"
    audiences = {}
    for words in ((Visibility.PUBLIC,), (Visibility.INTERNAL,), (Visibility.PRIVATE, "two")):
        site.database.write_once(lambda c, words=words: set_build_visibility(c, build_id, *words))
        audiences[words] = _audience(site, build_id)
        site.status(build_id, "SUCCESS", site.bob)
        site.apply(build_report(OPEN.hash), site.bob)
        site.phase(build_id, "build", "SUCCESS", b"x", site.bob)
        # One more run, which is for the first group.
        audiences[(*words, "and another")] = _audience(site, build_id)
    assert audiences == {
        (Visibility.PUBLIC,): None,
        (Visibility.PUBLIC, "and another"): "PRIVATE:2:1",
        (Visibility.INTERNAL,): "INTERNAL",
        (Visibility.INTERNAL, "and another"): "PRIVATE:2:1",
        (Visibility.PRIVATE, "two"): "PRIVATE:2:2",
        # For both groups: nobody's but Bob's.
        (Visibility.PRIVATE, "two", "and another"): "PRIVATE:2",
    }


def test_who_writes_learns_nothing_of_what_is_for_others(site: Site) -> None:
    site.apply(spec_report(SECRET, LEAF), site.bob)
    build_id = site.apply(build_report(SECRET.hash), site.bob).build_id
    codes = []
    for write in (
        lambda: site.status(build_id, "SUCCESS", site.ada),
        lambda: site.status(build_id + 99, "SUCCESS", site.ada),
        lambda: site.apply(build_report(SECRET.hash), site.ada),
        lambda: site.apply(build_report("0" * 32), site.ada),
    ):
        with pytest.raises(Refused) as refused:
            write()
        codes.append(refused.value.code)
    assert codes == ["BUILD_UNKNOWN", "BUILD_UNKNOWN", "SPEC_UNKNOWN", "SPEC_UNKNOWN"]
    receipt = site.apply(spec_report(SECRET, LEAF), site.ada)
    assert (receipt.created, receipt.specs_created) == (True, 2)
    assert site.apply(build_report(SECRET.hash), site.ada).build_id != build_id


def test_a_group_is_for_what_is_private_and_has_a_name(site: Site) -> None:
    def refused(*words: Any) -> str:
        with pytest.raises(Refused) as error:
            _for(site, *words)
        return error.value.code

    assert refused("ada", Visibility.INTERNAL, "one") == "VISIBILITY_INVALID"
    assert refused("ada", Visibility.PRIVATE, "none") == "GROUP_UNKNOWN"
    assert refused("nobody", Visibility.PUBLIC) == "PERSON_UNKNOWN"
    for name, code in (("one", "GROUP_EXISTS"), ("a b", "GROUP_NAME_INVALID")):
        with pytest.raises(Refused) as error:
            site.database.write_once(lambda c, name=name: add_group(c, name))
        assert error.value.code == code
    site.database.write_once(lambda c: remove_member(c, "two", "bob"))
    assert site.rows("SELECT group_id FROM group_member") == [(1,)]


def test_who_may_see_what_is_checked_and_repaired(site: Site) -> None:
    build_id = site.apply(build_report(SECRET.hash, graph=graph(SECRET, LEAF)), site.bob).build_id
    site.phase(build_id, "build", "SUCCESS", b"x", site.bob)
    shown = site.rows(ASKED)
    for damage, name in (
        ("DELETE FROM spec_audience", "who may see specs"),
        ("INSERT INTO spec_audience (spec_id, audience_id) SELECT 99, id FROM audience", "who may see specs"),
        ("UPDATE build SET audience_id = NULL", "builds"),
    ):
        site.database.write_once(lambda connection, damage=damage: connection.execute(text(damage)))
        assert differences(site)[name] > 0, damage
        assert differences(site, repair=True)[name] > 0, damage
        assert not any(differences(site).values()), damage
        assert site.rows(ASKED) == shown, damage
        assert _audience(site, build_id) == "PRIVATE:2:1"
