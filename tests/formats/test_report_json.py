"""Reports on the wire: what is written is read back equal, and what is wrong is named."""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spackmon.errors import Refused
from spackmon.formats.batch_line import read_line
from spackmon.formats.bytes.report_values import MAXIMUM_LOG_BYTES
from spackmon.formats.reports import report_json
from spackmon.formats.specs import spec_json
from spackmon.status import BuildStatus, CiProvider, EventKind, InstalledFrom, SourceKind
from spackmon.submission import (
    AttributeValue,
    CiJob,
    ConcretizationFailureReport,
    Environment,
    Event,
    HostImage,
    HostLibrary,
    InstalledFile,
    InstallPhase,
    InstallReport,
    Source,
    SpecReport,
    StatusReport,
    Submission,
)
from tests.formats.corpus import FORMATS, documents

GRAPHS = [spec_json.read(document) for name in FORMATS for document in documents(name)[:6]]

_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
_name = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
_seconds = st.floats(0, 1e9, allow_nan=False)
_moments = st.datetimes(
    datetime(1970, 1, 2), datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)  # fmt: skip
_logs = st.binary(max_size=50) | _text.map(str.encode) | st.just(b"\xff" * 70_000) | st.just(b"a\n" * 40_000)
_number = st.integers(-(2**31), 2**31 - 1)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


_findings = st.builds(AttributeValue, name=_name, install_file=maybe(_name)).flatmap(
    lambda finding: st.one_of(
        _text.map(lambda value: AttributeValue(finding.name, finding.install_file, value=value)),
        st.binary(max_size=9).map(
            lambda value: AttributeValue(finding.name, finding.install_file, binary_value=value)
        ),
        st.sampled_from(['{"a":[1,2.5,null]}', '"b"', "[]", "0"]).map(
            lambda value: AttributeValue(finding.name, finding.install_file, json_value=value)
        ),
    )
)
_version = _name | st.just("")  # CDash tells none
_installs = st.builds(
    InstallReport,
    source=st.builds(Source, st.sampled_from(SourceKind), _name),
    graph=maybe(st.sampled_from(GRAPHS)),
    spec_hash=maybe(_name),
    package_name=maybe(_name),
    environment=maybe(st.builds(Environment, _text, _text, _text, _text, _text)),
    spack_version=maybe(_name),
    spack_revision=maybe(_name),
    status=maybe(st.sampled_from(BuildStatus)),
    started_at=maybe(_moments),
    finished_at=maybe(_moments),
    time_uncertainty_seconds=maybe(_seconds),
    times_enclose_run=st.booleans(),
    installed_from=maybe(st.sampled_from(InstalledFrom)),
    duration_seconds=maybe(_seconds),
    prefix=maybe(_text),
    phases=st.lists(
        st.builds(
            InstallPhase, _name, _name, maybe(_seconds), maybe(_logs), maybe(_seconds),
            maybe(st.integers(0, 2**63 - 1)),
        ),
        max_size=3,
    ).map(tuple),
    log=maybe(_logs),
    events=st.lists(
        st.builds(
            Event, st.sampled_from(EventKind), _text, maybe(_number), maybe(_text), maybe(_number),
            maybe(_text), maybe(_text),
        ),
        max_size=3,
    ).map(tuple),
    configure_arguments=maybe(_text),
    environment_variables=maybe(st.dictionaries(_name, _text, max_size=3)),
    install_files=maybe(
        st.lists(
            st.builds(
                InstalledFile, _name, maybe(_name), maybe(_number), maybe(_number), maybe(_number),
                maybe(_name), maybe(_number), maybe(_seconds), maybe(_text),
            ),
            max_size=3, unique_by=lambda file: file.path,
        ).map(tuple)
    ),
    attributes=maybe(st.dictionaries(_name, st.lists(_findings, max_size=3).map(tuple), max_size=2)),
    host=maybe(
        st.builds(
            HostImage, _name, _version, _name,
            st.lists(
                st.builds(HostLibrary, _name, maybe(_name), st.just("0f" * 32), maybe(st.binary(max_size=9))),
                max_size=2,
            ).map(tuple),
        )
    ),
    tags=st.lists(st.sampled_from(["nightly", "ci", "e4s release"]), unique=True).map(tuple),
    ci_job=maybe(
        st.builds(
            CiJob, st.sampled_from(CiProvider), _name, _name, stack=_name, pipeline_url=maybe(_text),
            ref=maybe(_text), commit=maybe(_text), job_id=_name, job_name=maybe(_text), job_url=maybe(_text),
        )
    ),
)  # fmt: skip
_specs = st.builds(SpecReport, st.sampled_from(GRAPHS), maybe(_name))
_abstract = '{"_meta":{"version":5},"nodes":[{"name":"hdf5","versions":[":"],"concrete":false}]}'
_failures = st.builds(
    ConcretizationFailureReport, _name, st.none(), _version, _text, maybe(_text)
) | st.builds(ConcretizationFailureReport, _name, st.just(_abstract), _version, maybe(_text), maybe(_text))


def read_back(line: bytes) -> list[Submission]:
    return list(read_line(line))


@settings(max_examples=150)
@given(report=_installs | _specs | _failures)
def test_what_is_written_is_read_back_equal_and_is_one_line(report: Submission) -> None:
    line = report_json.write(report)
    assert b"\n" not in line
    assert read_back(line) == [report]


def test_a_report_about_a_build_by_its_number_is_not_for_other_servers() -> None:
    with pytest.raises(TypeError, match="StatusReport"):
        report_json.write(StatusReport(1, BuildStatus.FAILED))


def test_times_without_a_zone_are_utc_and_seconds_are_as_good() -> None:
    source = {"kind": "CDASH", "key": "k"}
    line = {
        "type": "install",
        "source": source,
        "started_at": "2026-11-22T08:00:00",
        "finished_at": 1795334400.5,
    }
    (report,) = report_json.read(line)
    assert isinstance(report, InstallReport)
    assert report.started_at == datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert report.finished_at == datetime(2026, 11, 22, 8, 0, 0, 500_000, tzinfo=UTC)


INSTALL = {"type": "install", "source": {"kind": "STAGE", "key": "k"}}


def test_a_file_travels_as_it_is_and_gives_all_its_specs() -> None:
    texts = "\n".join(json.dumps(document) for document in documents("nodes-v5-1.2")[:3])
    packed = base64.b64encode(gzip.compress(texts.encode())).decode()
    for content in ({"text": texts}, {"base64": packed}):
        line = {"type": "document", "name": "specs.json", "spack_version": "1.2.0", **content}
        assert len(list(read_line(json.dumps(line).encode()))) == 3
    with pytest.raises(Refused, match=r"specs\.json"):
        list(read_line(b'{"type": "document", "name": "specs.json", "text": "hello"}'))


_bomb = base64.b64encode(gzip.compress(bytes(MAXIMUM_LOG_BYTES // 2 + 1))).decode()


@pytest.mark.parametrize(
    ("line", "code", "named"),
    [
        ({}, "FIELD_MISSING", "type is missing"),
        ({"type": "wish"}, "FIELD_INVALID", "type must be one of bill, buildcache, concretization_failure"),
        ({"type": []}, "FIELD_INVALID", "type must be a string"),
        ({"type": "install"}, "FIELD_MISSING", "source is missing"),
        ({"type": "document", "name": "a"}, "FIELD_MISSING", "base64 is missing"),
        ({"type": "document", "name": "a", "text": 3}, "FIELD_INVALID", "text must be a string"),
        ({"source": {"kind": "CI", "key": "1"}}, "FIELD_INVALID", "source.kind must be one of MS1"),
        ({"source": {"kind": "STAGE"}}, "FIELD_MISSING", "source.key is missing"),
        ({"status": "FAILURE"}, "FIELD_INVALID", "status must be one of NOTRUN, RUNNING"),
        ({"started_at": "yesterday"}, "FIELD_INVALID", "started_at must be seconds since 1970 or a time"),
        ({"finished_at": 1e300}, "FIELD_INVALID", "finished_at must be"),
        ({"started_at": True}, "FIELD_INVALID", "started_at must be"),
        ({"started_at": "0001-01-01T00:00:00+14:00"}, "FIELD_INVALID", "started_at must be"),
        ({"duration_seconds": -1}, "FIELD_INVALID", "duration_seconds must be a number of seconds from 0"),
        ({"duration_seconds": 10**400}, "FIELD_INVALID", "duration_seconds must be"),
        ({"duration_seconds": 1e18}, "FIELD_INVALID", "duration_seconds must be"),
        ({"finished_at": "9999-12-31T23:59:59"}, "FIELD_INVALID", "finished_at must be"),
        ({"phases": [{"name": "build"}]}, "FIELD_MISSING", "phases.0.status is missing"),
        ({"phases": [{"name": "build", "status": "SUCCESS", "cpu_seconds": "1"}]}, "FIELD_INVALID",
         "phases.0.cpu_seconds must be a number of seconds"),
        ({"phases": [{"name": "build", "status": "SUCCESS", "peak_memory_bytes": -1}]}, "FIELD_INVALID",
         "phases.0.peak_memory_bytes must be a number of bytes from 0"),
        ({"ci": {"provider": "JENKINS", "project": "a", "pipeline_id": "1"}}, "FIELD_INVALID",
         "ci.provider must be one of GITLAB, GITHUB, OTHER"),
        ({"ci": {"provider": "OTHER", "project": "a"}}, "FIELD_MISSING", "ci.pipeline_id is missing"),
        ({"phases": [3]}, "FIELD_INVALID", "phases.0 must be an object, not a number"),
        ({"phases": {"build": 1}}, "FIELD_INVALID", "phases must be a list, not an object"),
        ({"log": 3}, "FIELD_INVALID", "log must be a string or null"),
        ({"log_base64": "?"}, "FIELD_INVALID", "log_base64 must be base64"),
        ({"log_base64": "aGVsbG8="}, "FIELD_INVALID", "log_base64 must be the base64 of whole gzipped bytes"),
        ({"log": "a", "log_base64": "aGVsbG8="}, "FIELD_INVALID", "log must be given once"),
        ({"events": [{"kind": "ERROR"}]}, "FIELD_MISSING", "events.0.text is missing"),
        ({"events": [{"kind": "NOTE", "text": ""}]}, "FIELD_INVALID", "events.0.kind must be one of"),
        ({"events": [{"kind": "ERROR", "text": "", "log_line": 2**31}]}, "FIELD_INVALID", ".log_line"),
        ({"environment": []}, "FIELD_INVALID", "environment must be an object"),
        ({"environment_variables": {"A": 1}}, "FIELD_INVALID", "environment_variables.A must be a string"),
        ({"install_files": {"/a": {"mode": "x"}}}, "FIELD_INVALID", "install_files./a.mode must be"),
        ({"attributes": {"x": [{"name": "n"}]}}, "FIELD_MISSING", "attributes.x.0 must have one of value"),
        ({"tags": 3}, "FIELD_INVALID", "tags must be a list"),
        ({"spec": {"nodes": []}}, "SPEC_MALFORMED", "_meta.version"),
        ({"prefix": "\0"}, "FIELD_INVALID", "prefix must not contain a NUL"),
        ({"type": "concretization_failure", "spack_version": "1.0"}, "FIELD_MISSING", "one of spec, message"),
        (
            {"log_base64": _bomb, "phases": [{"name": "build", "status": "SUCCESS", "output_base64": _bomb}]},
            "FIELD_INVALID", "log is too long: the logs of a report must be at most 256 MiB",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(line: dict[str, Any], code: str, named: str) -> None:
    whole = line if not line or "type" in line else INSTALL | line
    with pytest.raises(Refused) as refused:
        list(read_line(json.dumps(whole).encode()))
    assert refused.value.code == code
    assert named in refused.value.sentence
    assert refused.value.status == 400
