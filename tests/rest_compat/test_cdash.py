"""`spack install --log-format=cdash` reports here as it would to a CDash."""

import gzip
import itertools
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.formats.bytes.json_body import read_json
from spackmon.formats.specs import spec_json
from spackmon.ingest import inbox, store
from spackmon.submission import MOST_EVENTS, SpecReport
from tests.cli.command import Shell
from tests.properties import examples
from tests.server import Server, in_database, served
from tests.uploads import document, recorded, upload

ZBUNDLE = Path(__file__).parents[1] / "data" / "cdash" / "zbundle-0.23.spec.json.gz"
BUILDS = """{ builds(first: 50, orderBy: {createdAt: ASC}) { nodes {
  id status package { name } spec { name } durationSeconds tags { nodes { name } }
  environment { hostname platform target }
  phases { nodes { name status log { text } } }
  attempts { nodes { spackVersion spackRevision startedAt finishedAt } }
  sources { kind key specHash }
  errorCount warningCount
  events(where: {kind: {eq: ERROR}}, orderBy: {position: ASC}) {
    nodes { text logLine sourceFile postContext }
  }
} } }"""


def told_id(answer: str) -> int:
    found = re.search("<buildId>([0-9]+)</buildId>", answer)  # the clients' own expression
    assert found, answer
    return int(found[1])


def message(answer: str) -> str:
    root = ElementTree.fromstring(answer)
    assert (root.tag, root.findtext("status")) == ("cdash", "ERROR")
    return root.findtext("message") or ""


def send(server: Server, uploads: list[tuple[dict[str, str], bytes]]) -> list[int]:
    """The number of the build that each answer tells."""
    answers = [
        upload(server, body, **{name: value for name, value in parameters.items() if name != "MD5"})
        for parameters, body in uploads
    ]
    assert [(answer.status_code, answer.headers["content-type"]) for answer in answers] == [
        (200, "text/xml; charset=utf-8") for _ in answers
    ]
    return [told_id(answer.text) for answer in answers]


def in_inbox(server: Server) -> list[inbox.Entry]:
    entries: list[inbox.Entry] = in_database(server, inbox.entries)
    return entries


def test_the_documents_of_one_run_are_one_build_in_any_order(server: Server) -> None:
    uploads = recorded("fail")
    for number, order in enumerate(itertools.permutations(uploads)):
        stamp = f"20261122-090{number}-Nightly".encode()
        moved = [(parameters, body.replace(b"20261122-0851-Nightly", stamp)) for parameters, body in order]
        assert len(set(send(server, moved + moved))) == 1
    builds = server.ask(BUILDS)["builds"]["nodes"]
    assert len(builds) == 6
    for build in builds:
        del build["id"], build["sources"]
        build["phases"]["nodes"].sort(key=lambda phase: phase["name"])
    assert all(build == builds[0] for build in builds)
    (first,) = builds[0]["attempts"]["nodes"]
    assert first == {
        "spackVersion": "0.23.0.dev0", "spackRevision": "eedc41405b594c60c0db0bbc0d255000c001486c",
        "startedAt": "2026-11-22T08:51:53.000000Z", "finishedAt": "2026-11-22T08:51:55.000000Z",
    }  # fmt: skip


def test_a_failed_build_is_named_with_its_errors(server: Server) -> None:
    send(server, recorded("fail"))
    (build,) = server.ask(BUILDS)["builds"]["nodes"]
    assert (build["status"], build["package"], build["spec"]) == ("FAILED", {"name": "brokenlib"}, None)
    assert build["environment"] == {"hostname": "site-01", "platform": "linux", "target": "x86_64_v4"}
    assert build["tags"]["nodes"] == [{"name": "demo"}]
    assert {phase["name"]: phase["status"] for phase in build["phases"]["nodes"]} == {
        "build": "ERROR",
        "configure": "SUCCESS",
    }
    assert (build["errorCount"], build["warningCount"]) == (2, 6)
    error, make = build["events"]["nodes"]
    assert error["text"] == (
        "bad.c:1:10: fatal error: nonexistent_header_for_demo.h: No such file or directory"
    )
    assert (error["logLine"], error["sourceFile"]) == (29, "bad.c")
    assert "    1 | #include <nonexistent_header_for_demo.h>\n" in error["postContext"]
    assert (make["text"], make["sourceFile"]) == ("make: *** [Makefile:7: bad.o] Error 1", None)


def test_a_spec_that_becomes_known_is_that_of_the_builds_that_mentioned_it(server: Server) -> None:
    first = send(server, recorded("success"))
    names = {build["package"]["name"]: build for build in server.ask(BUILDS)["builds"]["nodes"]}
    assert len(names) == len(set(first)) == 7
    assert {build["status"] for build in names.values()} == {"SUCCESS"}
    # The times are the whole command's.
    assert {build["durationSeconds"] for build in names.values()} == {None}
    assert names["cmakedemo"]["spec"] is None
    document = read_json(gzip.decompress(ZBUNDLE.read_bytes()))
    report = SpecReport(spec_json.read(document), "0.23.0.dev0")
    in_database(server, lambda connection: store.apply(connection, report, 1))
    linked = {b["package"]["name"]: b["spec"] for b in server.ask(BUILDS)["builds"]["nodes"]}
    assert {name for name, spec in linked.items() if spec is not None} == {"cmakedemo", "autodemo"}
    assert send(server, recorded("success")) == first


def test_a_concretization_failure_is_no_build(server: Server) -> None:
    assert send(server, recorded("failconc") * 2) == [0, 0]
    asked = "{ builds(first: 1) { totalCount } concretizationFailures(first: 2) { nodes {"
    told = server.ask(f"{asked} package {{ name }} abstractSpec message }} }} }}")
    assert told["builds"]["totalCount"] == 0
    (failure,) = told["concretizationFailures"]["nodes"]
    assert (failure["package"], failure["abstractSpec"]) == ({"name": "impossible"}, "impossible")
    assert "3. Cannot satisfy 'libzeta@9.9'\n" in failure["message"]


def test_the_link_that_spack_prints_leads_to_the_page(server: Server) -> None:
    build_id = send(server, recorded("fail"))[0]
    answer = server.http.get(f"/buildSummary.php?buildid={build_id}", follow_redirects=True)
    assert answer.status_code == 200
    assert answer.url.path == f"/builds/{build_id}"
    assert "brokenlib" in answer.text
    assert server.http.get(f"/buildSummary.php?buildid={build_id}").status_code == 302
    for unknown in ("?buildid=99", "?buildid=x", "?buildid=", "", "?buildid=0"):
        answer = server.http.get(f"/buildSummary.php{unknown}")
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
    assert "could not be concretized" in answer.text


def test_addresses_are_written_in_several_ways(server: Server) -> None:
    body = document("<Build/>")
    headers = {"Authorization": f"Bearer {server.token}"}
    ids = [
        told_id(server.http.request(method, path, content=body, headers=headers).text)
        for method, path in [
            ("PUT", "/submit.php?project="),
            ("POST", "/submit.php"),
            ("PUT", "/submit.php/"),
            # What Spack makes of an address without ?project=.
            ("PUT", "/submit.php&build=x+-+y&site=z&stamp=s"),
        ]
    ]
    assert len(set(ids)) == 1
    bare = b"<Site><Build/></Site>"
    other = told_id(
        server.http.put("/submit.php&build=x+-+y&site=z&stamp=s", content=bare, headers=headers).text
    )
    builds = {build["id"]: build for build in server.ask(BUILDS)["builds"]["nodes"]}
    assert builds[str(other)]["package"] == {"name": "y"}
    assert builds[str(ids[0])]["tags"]["nodes"] == []
    assert server.http.put("/submit.phpx", content=body, headers=headers).status_code == 404
    assert server.http.get("/submit.php").status_code == 405


def test_without_a_token_nothing_is_taken(server: Server) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer " + "0" * 64}):
        answer = server.http.put("/submit.php?project=p", content=document("<Build/>"), headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert message(answer.text)
    assert in_inbox(server) == []


def test_a_body_that_was_cut_is_named_and_kept(server: Server) -> None:
    (parameters, body), *_ = recorded("fail")
    answer = upload(server, body[:3000], MD5=parameters["MD5"])
    assert answer.status_code == 400
    assert parameters["MD5"] in message(answer.text)
    (entry,) = in_inbox(server)
    assert entry.error_code == "MD5_WRONG"
    assert message(answer.text).endswith(f"(kept as inbox entry {entry.id})")


def test_a_whole_body_with_a_wrong_md5_is_named_kept_and_taken(server: Server) -> None:
    answer = upload(server, document("<Build/>"), MD5="0" * 32)
    assert answer.status_code == 200
    assert "MD5 must be that of the body" in message(answer.text)
    (build,) = server.ask(BUILDS)["builds"]["nodes"]
    assert told_id(answer.text) == int(build["id"])
    assert [entry.error_code for entry in in_inbox(server)] == ["MD5_WRONG"]
    assert upload(server, document("<Build/>"), MD5="").status_code == 200


def test_other_projects_are_refused_where_some_are_set(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path, cdash_projects="demo, nightly") as server:
        assert upload(server, document("<Build/>"), project="nightly").status_code == 200
        answer = upload(server, document("<Build/>"), project="Other & more", build="<b>")
        assert answer.status_code == 404
        assert "no project 'Other & more' here" in message(answer.text)
        assert [entry.error_code for entry in in_inbox(server)] == ["PROJECT_UNKNOWN"]
    shell = Shell(database_url, tmp_path)
    shell.refused("inbox", "replay", SPACKMON_CDASH_PROJECTS="demo")
    assert shell.run("inbox", "replay").stderr == "1 applied\n"
    with served(database_url, tmp_path) as server:
        builds = server.ask(BUILDS)["builds"]["nodes"]
        assert {tag["name"] for build in builds for tag in build["tags"]["nodes"]} == {
            "nightly",
            "Other & more",
        }


BODIES = [body for name in ("fail", "failconc", "success") for _, body in recorded(name)]
HOSTILE = st.sampled_from(
    [b"", b"\0", b"\x1b[0m", b"\xff", b"\xed\xa0\x80", b"&", b"<", b">", b"]]>", b"&#0;", b"&lt;", b'"',
     b"9" * 40, b"-1", b"1e999", b"NaN", b"\xef\xbf\xbf", "é".encode() * 3000, b"a" * 100_000,
     b"<Error/>" * 300, b"<a>" * 100_000, b"<Name>" * 20_000, b"<!DOCTYPE a>", b"<![CDATA[<]]>", b"\n\n - x"]
)  # fmt: skip
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["", "\0", "a\0b", " - x", "x" * 5000, "%", "é" * 2000, "hdf5@", "/", "0"]
)


@st.composite
def spoilt_bodies(draw: st.DrawFn) -> bytes:
    body = draw(st.sampled_from(BODIES))
    for _ in range(draw(st.integers(0, 4))):
        # Between two marks of the template, or anywhere.
        spots = [found.start() for found in re.finditer(rb'[<>"]', body)] or [0]
        start = draw(st.sampled_from(spots))
        end = start + draw(st.integers(0, 30))
        body = body[: start + 1] + draw(HOSTILE) + body[end:]
    return body[: draw(st.integers(0, len(body)))] if draw(st.integers(0, 9)) == 0 else body


@pytest.mark.hypothesis
def test_whatever_comes_the_answer_is_xml_and_no_fault(long_server: Server) -> None:
    @examples(150, is_sqlite=long_server.is_on_sqlite)
    @given(
        body=spoilt_bodies() | st.binary(max_size=200),
        parameters=st.dictionaries(
            st.sampled_from(["project", "build", "site", "stamp", "MD5", "x"]), TEXTS, max_size=6
        ),
    )
    def check(body: bytes, parameters: dict[str, str]) -> None:
        answer = upload(long_server, body, f"/submit.php?{urlencode(parameters)}")
        assert answer.status_code < 500, answer.text
        root = ElementTree.fromstring(answer.text)
        assert (root.tag, root.findtext("status") in ("OK", "ERROR")) == ("cdash", True)
        assert (answer.status_code == 200) == (root.findtext("buildId") is not None)
        assert (root.findtext("status") == "OK") == (root.findtext("message") == "")

    check()


def test_what_ctest_sends_beside_builds_is_taken(server: Server) -> None:
    for part in ("Notes", "Coverage", "Upload"):
        answer = upload(server, document(f"<{part}/>"))
        assert (answer.status_code, "<status>OK</status>" in answer.text) == (200, True)
    assert upload(server, b"<Done><buildId>1</buildId></Done>").status_code == 200
    assert server.ask("{ builds { totalCount } }") == {"builds": {"totalCount": 0}}


REGISTERED = {
    "project": "demo",
    "site": "site-01",
    "name": "nightly - zlib",
    "stamp": "20261122-0851-Nightly",
}


def test_a_pipeline_registers_a_build_and_reports_it(server: Server) -> None:
    answers = [server.post("/api/v1/addBuild.php", REGISTERED) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    (build_id,) = {answer.json()["buildid"] for answer in answers}
    body = (
        b'<Site Name="site-01" BuildStamp="20261122-0851-Nightly" BuildName="nightly - zlib"><Build/></Site>'
    )
    assert told_id(upload(server, body).text) == int(build_id)
    relation = {"project": "demo", "buildid": build_id, "relatedid": 7, "relationship": "depends on"}
    assert server.http.post("/api/v1/relateBuilds.php", json=relation).status_code == 200
    group = {"project": "demo", "newbuildgroup": "stack", "type": "Daily"}
    assert server.post("/api/v1/buildgroup.php", group).json()["id"]


def test_a_pipeline_without_a_token_goes_on_and_stores_nothing(server: Server) -> None:
    answer = server.http.post("/api/v1/addBuild.php", json=REGISTERED)
    assert (answer.status_code, answer.json()) == (200, {"buildid": "0"})
    assert server.ask("{ builds { totalCount } }") == {"builds": {"totalCount": 0}}
    refused = server.post("/api/v1/addBuild.php", REGISTERED, token="wrong")
    assert refused.status_code == 401
    assert refused.json()["error"]


def test_a_registration_that_lacks_something_is_answered_as_a_cdash_does(server: Server) -> None:
    for missing in REGISTERED:
        fields = {name: value for name, value in REGISTERED.items() if name != missing}
        answer = server.post("/api/v1/addBuild.php", fields)
        assert (answer.status_code, answer.json()) == (400, {"error": f"Valid {missing} required"})
    assert server.post("/api/v1/addBuild.php", b"[").status_code == 400


def test_more_errors_than_are_listed_are_counted_and_the_document_is_kept(server: Server) -> None:
    errors = "".join(f"<Error><Text>error {number}</Text></Error>" for number in range(MOST_EVENTS + 7))
    warnings = "<Warning><Text>w</Text></Warning>" * 3
    body = document(f"<Build>{errors}{warnings}</Build>")
    answer = upload(server, body)
    (entry,) = in_inbox(server)
    assert (answer.status_code, entry.error_code) == (200, "EVENTS_NOT_LISTED")
    assert message(answer.text).startswith("7 errors and warnings are not listed: 1,000 of each are")
    assert in_database(server, lambda connection: inbox.show(connection, entry.id))[1] == body
    # What is known already is kept already.
    assert "<status>OK</status>" in upload(server, body).text
    asked = "{ builds { nodes { errorCount warningCount sources { unlistedEventCount } } } }"
    counts = {"errorCount": MOST_EVENTS, "warningCount": 3, "sources": [{"unlistedEventCount": 7}]}
    assert server.ask(asked)["builds"]["nodes"] == [counts]
    assert len(in_inbox(server)) == 1
