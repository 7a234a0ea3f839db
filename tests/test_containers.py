"""The container files, as far as they can be checked without an engine."""

import re
import tomllib
from pathlib import Path

import yaml

from spackmon.database import HOLD_SECONDS
from spackmon.http.health import routes
from spackmon.settings import setting_names

ROOT = Path(__file__).parents[1]


def test_containers_use_settings_and_addresses_that_exist() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    dockerfile = (ROOT / "Dockerfile").read_text()
    service = compose["services"]["spackmon-a"]
    kubernetes = (ROOT / "deploy" / "kubernetes" / "spackmon.yaml").read_text()
    given = {*service["environment"], *re.findall(r"\bSPACKMON_\w+", dockerfile + kubernetes)}
    secrets = {*service["secrets"], *re.findall(r"--from-literal=(\w+)", kubernetes)}
    names = {name.removeprefix("SPACKMON_") for name in given if name.startswith("SPACKMON_")}
    assert len(names) > 3
    assert len(secrets) == 3
    assert names | {name.removeprefix("spackmon_").upper() for name in secrets} <= set(setting_names())
    asked = re.findall(r"127\.0\.0\.1:8000(/\w+)", dockerfile) + re.findall(r"\bpath: (/\w+)", kubernetes)
    assert set(asked) - {"/metrics"} <= {route.path for route in routes}


def test_the_image_has_what_the_wheel_is_made_of_and_no_more_rights_than_it_needs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    copied = set(re.findall(r"^COPY (\w+)/ ", dockerfile, re.MULTILINE))
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(packed["only-include"]) <= copied & sent
    *_, last = dockerfile.split("\nFROM ")
    assert re.findall(r"^COPY (.*)$", last, re.MULTILINE) == ["--from=installed /opt/spackmon /opt/spackmon"]
    assert last.index("\nUSER spackmon\n") < last.index("\nCMD ")
    assert "apt-get" not in dockerfile


def test_an_update_by_compose_replaces_one_process_after_the_other() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    first, second = services["spackmon-a"], services["spackmon-b"]
    assert second["depends_on"]["spackmon-a"]["condition"] == "service_healthy"
    places = [one.pop("networks")["default"] for one in (first, second)]
    assert len({one["ipv4_address"] for one in places}) == 2
    name = re.findall(r"server (\S+):8000", (ROOT / "deploy" / "nginx" / "spackmon.conf").read_text())
    assert set(name) == {alias for one in places for alias in one["aliases"]}
    # They are the same but for where they are, what lies there, and who is first.
    disks = [one.pop("volumes") for one in (first, second)]
    assert disks[0] != disks[1]
    del first["depends_on"], second["depends_on"]
    assert first == second


def test_what_containers_mount_is_there() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    mounted = [
        one.partition(":")[0]
        for service in compose["services"].values()
        for one in service.get("volumes", ())
        if one.startswith("./")
    ]
    assert mounted
    assert all((ROOT / path).is_file() for path in mounted)


def test_kubernetes_manifests_name_each_other() -> None:
    parts = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "spackmon.yaml").read_text()))
    by_kind = {part["kind"]: part for part in parts}
    stateful = by_kind["StatefulSet"]["spec"]
    pod = stateful["template"]
    labels = pod["metadata"]["labels"]
    assert stateful["serviceName"] == by_kind["Service"]["metadata"]["name"]
    selectors = [
        by_kind["Service"]["spec"]["selector"],
        stateful["selector"]["matchLabels"],
        by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector == labels for selector in selectors)
    (container,) = pod["spec"]["containers"]
    volumes = {one["name"] for one in pod["spec"]["volumes"]} | {
        one["metadata"]["name"] for one in stateful["volumeClaimTemplates"]
    }
    assert {one["name"] for one in container["volumeMounts"]} == volumes


def test_everything_that_the_image_copies_is_there_and_not_ignored() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    sources = {
        source.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
        for source in line.split()
    }
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    # What only some have is named by a pattern, which may find nothing.
    sources -= {source for source in sources if source.endswith("[t]")}
    assert sources
    for source in sources:
        assert any(ROOT.glob(source)), source
        assert any(Path(source).parts[0] == name or Path(source).match(name) for name in allowed), source


def test_patroni_promotes_a_replica_that_has_everything_while_reports_are_held() -> None:
    given = yaml.safe_load((ROOT / "deploy" / "patroni" / "patroni.yml").read_text())["bootstrap"]["dcs"]
    assert given["synchronous_mode"] is True
    # Patroni's own rule, and ours.
    assert given["loop_wait"] + 2 * given["retry_timeout"] <= given["ttl"]
    assert given["ttl"] + given["loop_wait"] < HOLD_SECONDS
