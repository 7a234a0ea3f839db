"""The whole way: a fake Spack, the extension, the real service, and what the API then says."""

from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.client.extension.spack import VARIANTS, Spack
from tests.server import Server
from tests.waiting import GIVE_UP_SECONDS

BUILDS = """{
  builds(first: 20) { nodes {
    status spec { name } environment { hostname target } sources { kind } tags { nodes { name } }
    installFiles(first: 5) { totalCount }
    ciRun { provider project pipelineId stack ref jobs { nodes { jobId name url } } }
    attempts { nodes { status spackVersion cpuSeconds peakMemoryBytes
      phases { nodes { name status cpuSeconds peakMemoryBytes log { text } } } } }
  } }
  concretizationFailures(first: 5) { nodes { abstractSpec message } }
}"""

GITLAB = {
    "CI_PROJECT_URL": "https://gitlab.example.org/site", "CI_PIPELINE_ID": "8214", "CI_JOB_ID": "82141",
    "CI_JOB_NAME": "broken-user@0.1 /abc", "CI_JOB_URL": "https://gitlab.example.org/site/-/jobs/82141",
    "CI_COMMIT_REF_NAME": "main", "SPACK_CI_STACK_NAME": "e4s",
}  # fmt: skip


# Whatever Spack it is, the server hears the same words: each database hears every other variant.
@pytest.mark.parametrize(
    ("variant", "database_url"),
    [*zip(VARIANTS, cycle(["sqlite", "postgresql"]), strict=False)],
    indirect=["database_url"],
)
def test_an_install_is_one_build_however_often_it_is_told(
    variant: str, server: Server, tmp_path: Path
) -> None:
    spack = Spack(tmp_path / "spack", variant)
    spack.root.mkdir()
    spack.environment = {
        "SPACKMON_URL": server.url, "SPACKMON_TOKEN": server.token,
        "SPACKMON_WAIT_SECONDS": str(GIVE_UP_SECONDS), **GITLAB,
    }  # fmt: skip
    assert spack("monitor", "install", "--monitor-tags", "nightly", "broken-user")[0] == 1
    assert spack("monitor", "install", "libgreet@99")[0] == 1
    assert spack("monitor", "push", "--all")[0] == 0
    assert spack("monitor", "analyze", "libgreet")[0] == 0
    assert spack.waiting() == []
    assert not (spack.spool / "monitor.log").exists()
    answer = server.ask(BUILDS)
    builds: dict[str, Any] = {build["spec"]["name"]: build for build in answer["builds"]["nodes"]}
    assert len(builds) == len(answer["builds"]["nodes"])
    assert {name: build["status"] for name, build in builds.items()} == {
        "libgreet": "SUCCESS", "demo-base": "SUCCESS", "broken-app": "FAILED", "broken-user": "CANCELLED",
    }  # fmt: skip
    for build in builds.values():
        assert build["ciRun"] == {
            "provider": "GITLAB", "project": GITLAB["CI_PROJECT_URL"], "pipelineId": "8214", "stack": "e4s",
            "ref": "main", "jobs": {"nodes": [
                {"jobId": "82141", "name": GITLAB["CI_JOB_NAME"], "url": GITLAB["CI_JOB_URL"]},
            ]},
        }  # fmt: skip
    libgreet = builds["libgreet"]
    assert libgreet["environment"] == {"hostname": "build-host-1", "target": "x86_64_v4"}
    assert {source["kind"] for source in libgreet["sources"]} == {"EXTENSION", "PREFIX"}
    assert libgreet["tags"]["nodes"] == [{"name": "nightly"}]
    assert libgreet["installFiles"]["totalCount"] == 2
    (attempt,) = libgreet["attempts"]["nodes"]
    phases = {phase["name"]: phase for phase in attempt["phases"]["nodes"]}
    assert list(phases)[:4] == ["stage", "edit", "build", "install"]
    assert "compiling greet.c" in phases["build"]["log"]["text"]
    used = [phases[name]["cpuSeconds"] for name in ("edit", "build", "install")]
    assert attempt["cpuSeconds"] == pytest.approx(sum(used))
    assert attempt["peakMemoryBytes"] == max(phase["peakMemoryBytes"] or 0 for phase in phases.values())
    (attempt,) = builds["broken-app"]["attempts"]["nodes"]
    assert "no member named nmae" in attempt["phases"]["nodes"][-1]["log"]["text"]
    assert answer["concretizationFailures"]["nodes"] == [
        {"abstractSpec": "libgreet@99", "message": "Cannot satisfy 'libgreet@99'"}
    ]
