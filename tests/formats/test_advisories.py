"""What an advisory says of Spack's packages: names, and versions as the schema's filters have them."""

import json

import pytest

from spackmon.errors import Refused
from spackmon.formats.advisories import Affected, defect_of, read_advisories


def entry(package, **said):
    return {"id": "X-1", "affected": [{"package": package, **said}]}


def ranged(*events, kind="ECOSYSTEM"):
    return {"ranges": [{"type": kind, "events": list(events)}]}


def read(document, **names):
    (advisory,) = read_advisories(json.dumps(document).encode(), names)
    return advisory


@pytest.mark.parametrize(
    ("events", "conditions"),
    [
        ([{"introduced": "0"}, {"fixed": "1.2.13"}], ({"lt": "1.2.13"},)),
        ([{"introduced": "1.0"}, {"last_affected": "1.4"}], ({"ge": "1.0", "le": "1.4"},)),
        (
            [
                {"introduced": "1"},
                {"fixed": "1.5"},
                {"introduced": "2.0"},
                {"fixed": "2.1"},
                {"introduced": "3"},
            ],
            ({"ge": "1", "lt": "1.5"}, {"ge": "2.0", "lt": "2.1"}, {"ge": "3"}),
        ),
        ([{"introduced": "0"}], ()),
        # OSV sorts events by version, and looks at nothing from a limit on.
        ([{"fixed": "2"}, {"introduced": "1.10"}], ({"ge": "1.10", "lt": "2"},)),
        ([{"introduced": "1"}, {"limit": "3"}, {"limit": "2"}], ({"ge": "1", "lt": "3"},)),
        (
            [{"introduced": "1"}, {"fixed": "2"}, {"introduced": "4"}, {"limit": "3"}],
            ({"ge": "1", "lt": "2"},),
        ),
        ([{"introduced": "1"}, {"limit": "*"}], ({"ge": "1"},)),
    ],
)
def test_events_are_intervals(events, conditions):
    (affected,) = read(entry({"ecosystem": "OSS-Fuzz", "name": "zlib"}, **ranged(*events))).affected
    assert affected == Affected(package="zlib", conditions=conditions)


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ({"ecosystem": "PyPI", "name": "Jinja2"}, "py-jinja2"),
        ({"ecosystem": "PyPI", "name": "python_dateutil"}, "py-python-dateutil"),
        ({"ecosystem": "CRAN", "name": "data.table"}, "r-data-table"),
        ({"ecosystem": "crates.io", "name": "time"}, "time"),
        ({"ecosystem": "", "name": "x", "purl": "pkg:generic/openssl@3?arch=x"}, "openssl"),
        ({"ecosystem": "GitHub", "name": "github.com/madler/zlib"}, "zlib"),
        ({"ecosystem": "OSS-Fuzz", "name": "libressl"}, "openssl"),
    ],
)
def test_packages_are_called_as_spack_calls_them(package, name):
    (affected,) = read(entry(package, versions=["v1", "2"]), libressl="openssl").affected
    assert affected == Affected(package=name, conditions=({"in": ["1", "2"]},))


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (entry({"ecosystem": "Debian:12", "name": "zlib"}, versions=["1"]), "those of a distribution"),
        (
            entry({"ecosystem": "OSS-Fuzz", "name": "zlib"}, **ranged({"introduced": "0"}, kind="GIT")),
            "commits",
        ),
        (entry({"name": "zlib"}, **ranged({"fixed": "2"})), "hold no version"),
        (entry({"ecosystem": "PyPI"}, versions=["1"]), "names no package"),
        ({**entry({"name": "zlib"}, versions=["1"]), "withdrawn": "2026-01-01T00:00:00Z"}, "withdrawn"),
    ],
)
def test_what_has_no_meaning_here_is_passed_over_and_named(document, sentence):
    advisory = read(document)
    assert advisory.affected == ()
    assert sentence in " ".join(advisory.passed_over)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"affected": []}', "id"),
        ('{"id": 3, "affects": "zlib"}', "id"),
        ('{"id": "X", "affects": [1]}', "affects.0"),
        ('{"id": "X", "affected": [{"package": "zlib"}]}', "affected.0.package"),
        ('{"id": "X", "affected": [{"package": {"name": "z"}, "ranges": [{"events": 3}]}]}', "events"),
        ('{"id": "X", "affects": "zlib", "withdrawn": "yesterday"}', "withdrawn"),
        ("3", "the advisory"),
        ("- id: [", ""),
    ],
)
def test_what_is_wrong_is_named(text, field):
    with pytest.raises(Refused) as refused:
        list(read_advisories(text.encode(), {}))
    assert field in refused.value.sentence


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("%gcc", "no package"),
        ("zlib %gcc", "only a package"),
        ("zlib ^m4", "only a package"),
        ("zlib os=debian12", "only a package"),
        ("zlib++shared", "of shared"),
        ("zlib cflags=-O2", "only a package"),
        ("zlib @@", "not expected"),
    ],
)
def test_what_is_asked_of_more_than_a_package_is_not_decided(spec, why):
    defect = defect_of(read({"id": "X", "affects": ["hdf5@1.2", spec]}))
    assert [one.package for one in defect.ranges] == ["hdf5"]
    assert why in defect.undecided[0]
