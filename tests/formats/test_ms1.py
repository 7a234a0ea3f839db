"""The bodies of the ms1 writes: recorded ones, odd ones, wrong ones."""

import json
import tracemalloc
from typing import Any

import pytest

from spackmon.errors import Refused
from spackmon.formats import ms1
from spackmon.status import BuildStatus
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    ConcretizationFailureReport,
    Environment,
    PhaseReport,
    SpecReport,
    StatusReport,
)
from tests import player

READERS = {
    "/ms1/specs/new/": ms1.read_spec,
    "/ms1/builds/new/": ms1.read_build,
    "/ms1/builds/phases/update/": ms1.read_phase,
    "/ms1/builds/update/": ms1.read_status,
    "/ms1/analyze/builds/": ms1.read_analysis,
}


def recorded(name: str) -> list[Any]:
    writes = [exchange for exchange in player.exchanges(name) if exchange["method"] == "POST"]
    return [READERS[w["path"]](ms1.read_json(w["request_body"].encode())) for w in writes]


def of_type(reports: list[Any], kind: type) -> list[Any]:
    return [report for report in reports if isinstance(report, kind)]


@pytest.mark.parametrize("client", ["0.16", "0.17", "0.19dev"])
def test_a_build_names_a_node_of_the_spec_sent_before(client):
    reports = recorded(f"{client}-success")
    (spec,) = of_type(reports, SpecReport)
    shown = {value for node in spec.graph.nodes.values() for _, value in node.hashes}
    builds = of_type(reports, BuildReport)
    assert len(builds) > 4
    for build in builds:
        assert build.spec_hash in shown
        assert (build.tags[0], build.announces_run, build.graph) == ("nightly", True, None)
        assert build.environment == Environment(
            "build-host-1", "linux", "debian12", "x86_64_v4", "#1 SMP PREEMPT_DYNAMIC @0"
        )


def test_the_phase_that_broke_keeps_its_log_and_status():
    reports = recorded("0.17-fail")
    (broken,) = [report for report in of_type(reports, PhaseReport) if report.status == "ERROR"]
    assert broken.name == "build"
    assert b"warn.c:7:11: warning:" in broken.output
    assert [r.status for r in of_type(reports, StatusReport)][-1] is BuildStatus.FAILED


def test_a_failed_concretization_is_no_spec():
    (report,) = recorded("0.19dev-failconc")
    assert isinstance(report, ConcretizationFailureReport)
    assert (report.name, report.spack_version) == ("impossible", "0.19.0.dev0")


@pytest.mark.parametrize(
    ("client", "identity"), [("0.16", "full_hash"), ("0.17", "full_hash"), ("0.19dev", "hash")]
)
def test_analyze_sends_the_spec_with_its_build_and_begins_no_run(client, identity):
    reports = recorded(f"{client}-analyze")
    (build,) = of_type(reports, BuildReport)
    assert not build.announces_run
    assert build.graph.nodes[build.graph.root].hash_kind == identity
    assert build.spec_hash in dict(build.graph.nodes[build.graph.root].hashes).values()
    files, variables, arguments = of_type(reports, AnalysisReport)
    (program,) = [file for file in files.install_files if file.path.endswith("/bin/zapp")]
    assert (program.type, program.mode, program.owner, program.group) == ("file", 33261, 0, 0)
    assert program.size_bytes > 17_000
    assert program.modified_at_seconds > 1.7e9
    assert len(program.hash) == 32
    assert variables.environment_variables["CC"].endswith("/gcc")
    assert variables.install_files is None
    assert (arguments.configure_arguments, arguments.has_configure_arguments) == (None, True)
    assert not variables.has_configure_arguments


def test_an_analyzers_findings_are_values_bytes_or_json():
    body = {
        "build_id": "7",
        "metadata": {
            "abi": [
                {"install_file": "lib/a.so", "name": "xml", "value": "<abi/>"},
                {"install_file": "lib/a.so", "name": "raw", "binary_value": "eJzT\x00é"},
                {"install_file": "lib/a.so", "name": "object", "json_value": {"b": 1, "a": [2.5]}},
                {"name": "text", "json_value": '{"b": 1, "a": [2.5]}'},
                {"name": "word", "json_value": "[broken"},
            ],
            "config_args": "--with-x",
        },
    }
    report = ms1.read_analysis(body)
    assert report.build_id == 7
    assert report.configure_arguments == "--with-x"
    values = [(v.name, v.value, v.binary_value, v.json_value) for v in report.attributes["abi"]]
    assert values == [
        ("xml", "<abi/>", None, None),
        ("raw", None, "eJzT\x00é".encode(), None),
        ("object", None, None, '{"b":1,"a":[2.5]}'),
        ("text", None, None, '{"b":1,"a":[2.5]}'),
        ("word", None, None, '"[broken"'),
    ]
    assert [v.install_file for v in report.attributes["abi"]] == ["lib/a.so"] * 3 + [None] * 2


def test_a_link_in_a_manifest_has_a_destination():
    entry = {"mode": 41471, "owner": 0, "group": 0, "type": "link", "dest": "libz.so.1", "time": 17}
    report = ms1.read_analysis({"build_id": 1, "metadata": {"install_files": {"/p/libz.so": entry}}})
    (file,) = report.install_files
    assert (file.path, file.destination, file.modified_at_seconds) == ("/p/libz.so", "libz.so.1", 17.0)


BUILD = {**player.MACHINE, "full_hash": "abcdefg", "spack_version": "0.17.0"}
PHASE = {"build_id": 1, "phase_name": "build", "status": "SUCCESS", "output": None}


@pytest.mark.parametrize(
    ("tags", "read"),
    [
        ("nightly, weekly,,nightly ", ("nightly", "weekly")),
        (["a", " ", "b"], ("a", "b")),
        (None, ()),
        ("<b>/", ("<b>/",)),
    ],
)
def test_tags_are_words_between_commas_or_a_list(tags, read):
    assert ms1.read_build({**BUILD, "tags": tags}).tags == read


def test_a_build_says_on_which_machine_it_runs():
    environment = Environment("node1", "linux", "ubuntu22.04", "zen3", "5.15")
    assert ms1.read_build(BUILD).environment == environment


def test_statuses_are_those_of_the_clients_and_the_documented_one():
    words = ["SUCCESS", "FAILED", "CANCELLED", "NOTRUN", "RUNNING", "FAILURE"]
    read = [ms1.read_status({"build_id": 1, "status": word}).status for word in words]
    assert read == [*map(BuildStatus, words[:5]), BuildStatus.FAILED]


def test_a_log_may_hold_any_character_a_client_can_send():
    text = "a\0b\ud800 \U0001f600 ‘quoted’\n"
    for output, kept in [(text, text.encode("utf-8", "surrogatepass")), ("", b""), (None, None)]:
        body = json.dumps({**PHASE, "output": output}).encode()
        assert ms1.read_phase(ms1.read_json(body)).output == kept


@pytest.mark.parametrize("escaped", [True, False])
def test_a_long_log_is_the_same_read_by_pieces(escaped):
    line = 'In function ‘main’: "x\\y"\t\\u0041 \\\\" \U0001f600\U0001f600 é\r\n'
    text = "".join(f"{i} {line}" for i in range(8_000)) + "\\"
    if escaped:
        text += "\ud83d\0\ude00\ud83d"
    body = json.dumps({"phase_name": "a\\", **PHASE, "output": text}, ensure_ascii=escaped).encode()
    assert len(body) > 500_000
    assert ms1.read_phase(ms1.read_json(bytearray(body))).output == text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "line", ['gcc -c zeta.c: warning \\ "x"\n', "In function ‘main’: warning\n", "x" * 79]
)
def test_a_long_log_takes_less_than_three_times_its_size_with_its_body(line):
    body = json.dumps({**PHASE, "output": line * (16_000_000 // len(line))}).encode()
    tracemalloc.start()
    report = ms1.read_phase(ms1.read_json(body))
    _, beside_body = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(report.output) > 15_000_000
    assert beside_body < 1.5 * len(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1' + b"0" * 5_000 + b"}",
        b'{"a": "\x00"}',
        b'{"a": "\xff"}',
        b'{"a": "cut',
        b'{"output": "' + b"x" * 300_000,
        b'{"output": "' + b"x" * 300_000 + b'\\x"}',
        b'{"output": "' + b"x" * 300_000 + b'\\ud8"}',
        b'{"output": "' + b"x" * 300_000 + b'\n"}',
        b'{"output": "' + b"x" * 300_000 + b'\xff"}',
        b'{"output": "' + b"x" * 300_000 + b'", }',
        b'{"a":' * 100_000,
        b"[" * 10_000_000,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(Refused) as caught:
        ms1.read_json(body)
    assert (caught.value.code, caught.value.status) == ("BODY_NOT_JSON", 400)
    assert caught.value.sentence.isprintable()
    assert "sys." not in caught.value.sentence


def test_an_output_elsewhere_is_no_log():
    large = "x" * 300_000
    nested = {"metadata": {"output": large}, "name": 'say "output": "'}
    assert ms1.read_json(json.dumps(nested).encode()) == nested
    twice = b'{"output": "' + large.encode() + b'", "output": ""}'
    assert ms1.read_json(twice)["output"] == ""


@pytest.mark.parametrize(
    ("reader", "body", "code", "sentence"),
    [
        (ms1.read_spec, {"spack_version": "1"}, "FIELD_MISSING", "spec is missing"),
        (ms1.read_spec, {"spec": {}}, "FIELD_MISSING", "spack_version is missing"),
        (ms1.read_spec, {"spec": {}, "spack_version": 1}, "FIELD_INVALID", "spack_version must be a string"),
        (ms1.read_spec, {"spec": {}, "spack_version": "1"}, "SPEC_MALFORMED", "the spec cannot be read"),
        (ms1.read_build, {"full_hash": "a"}, "FIELD_MISSING", "spack_version is missing"),
        (ms1.read_build, {**BUILD, "hostname": None}, "FIELD_MISSING", "hostname is missing"),
        (ms1.read_build, {**BUILD, "full_hash": ""}, "FIELD_INVALID", "full_hash must not be empty"),
        (
            ms1.read_build,
            {**BUILD, "hostname": ["x"]},
            "FIELD_INVALID",
            "hostname must be a string, not a list",
        ),
        (ms1.read_build, {**BUILD, "platform": "a\0"}, "FIELD_INVALID", "platform must not contain a NUL"),
        (
            ms1.read_build,
            {**BUILD, "platform": "é" * 251},
            "FIELD_INVALID",
            "platform must be at most 500 bytes",
        ),
        (ms1.read_build, {**BUILD, "tags": [1]}, "FIELD_INVALID", "tags must be a string"),
        (ms1.read_build, {**BUILD, "tags": {}}, "FIELD_INVALID", "tags must be a list"),
        (ms1.read_build, {**BUILD, "spec": [{}]}, "SPEC_MALFORMED", "node 0"),
        (ms1.read_phase, {**PHASE, "build_id": None}, "FIELD_MISSING", "build_id is missing"),
        (ms1.read_phase, {**PHASE, "build_id": True}, "FIELD_INVALID", "build_id must be an integer"),
        (ms1.read_phase, {**PHASE, "build_id": "٣"}, "FIELD_INVALID", "build_id must be an integer"),
        (ms1.read_phase, {**PHASE, "build_id": 1 << 63}, "FIELD_INVALID", "build_id must fit into 64 bits"),
        (ms1.read_phase, {**PHASE, "build_id": 1.0}, "FIELD_INVALID", "build_id must be an integer"),
        (ms1.read_phase, {**PHASE, "phase_name": ""}, "FIELD_INVALID", "phase_name must not be empty"),
        (ms1.read_phase, {**PHASE, "status": "S" * 101}, "FIELD_INVALID", "status must be at most 100"),
        (ms1.read_phase, {**PHASE, "output": 1}, "FIELD_INVALID", "output must be a string or null"),
        (ms1.read_status, {"build_id": 1, "status": "DONE"}, "FIELD_INVALID", "status must be one of NOTRUN"),
        (ms1.read_status, {"build_id": 1}, "FIELD_MISSING", "status is missing"),
        (ms1.read_analysis, {"build_id": 1}, "FIELD_MISSING", "metadata is missing"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(reader, body, code, sentence):
    with pytest.raises(Refused, match=sentence) as caught:
        reader(body)
    assert (caught.value.code, caught.value.status) == (code, 400)


@pytest.mark.parametrize(
    ("metadata", "code", "sentence"),
    [
        ({"install_files": []}, "FIELD_INVALID", "metadata.install_files must be an object"),
        ({"install_files": {"/a": 1}}, "FIELD_INVALID", "metadata.install_files./a must be an object"),
        ({"install_files": {"/a\0": {}}}, "FIELD_INVALID", "must not contain a NUL"),
        ({"install_files": {"/" + "a" * 2600: {}}}, "FIELD_INVALID", "a path must be at most 2600 bytes"),
        ({"install_files": {"/a": {"mode": "rw"}}}, "FIELD_INVALID", "/a.mode must be an integer"),
        ({"install_files": {"/a": {"mode": 1 << 31}}}, "FIELD_INVALID", "/a.mode must fit into 32 bits"),
        ({"install_files": {"/a": {"time": "now"}}}, "FIELD_INVALID", "/a.time must be a number"),
        ({"environment_variables": {"A": 1}}, "FIELD_INVALID", "environment_variables.A must be a string"),
        ({"environment_variables": {"A": "\0"}}, "FIELD_INVALID", "variables.A must not contain a NUL"),
        ({"config_args": ["-x"]}, "FIELD_INVALID", "metadata.config_args must be a string"),
        ({"abi": {}}, "FIELD_INVALID", "metadata.abi must be a list"),
        ({"abi": [{"name": "x"}]}, "FIELD_MISSING", "metadata.abi.0 must have one of value"),
        ({"abi": [{"name": "x", "value": "1", "json_value": 1}]}, "FIELD_INVALID", "must have one of"),
        ({"abi": [{"value": "1"}]}, "FIELD_MISSING", "metadata.abi.0.name is missing"),
        ({"abi": [{"name": "x", "value": "\0"}]}, "FIELD_INVALID", "abi.0.value must not contain a NUL"),
        ({"abi": [{"name": "x", "json_value": '["\\u0000"]'}]}, "FIELD_INVALID", "must not contain a NUL"),
    ],
)  # fmt: skip
def test_a_wrong_result_is_named(metadata, code, sentence):
    with pytest.raises(Refused, match=sentence) as caught:
        ms1.read_analysis({"build_id": 1, "metadata": metadata})
    assert (caught.value.code, caught.value.status) == (code, 400)
