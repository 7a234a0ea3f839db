"""The container files, as far as they can be checked without an engine."""

import re
from pathlib import Path

import yaml

from spackmon.http.health import routes
from spackmon.settings import setting_names

ROOT = Path(__file__).parents[1]


def test_containers_use_settings_and_addresses_that_exist() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    dockerfile = (ROOT / "Dockerfile").read_text()
    given = {*compose["services"]["spackmon"]["environment"], *re.findall(r"\b(SPACKMON_\w+)=", dockerfile)}
    assert given
    assert {name.removeprefix("SPACKMON_") for name in given} <= set(setting_names())
    assert set(re.findall(r"127\.0\.0\.1:8000(/\w+)", dockerfile)) <= {route.path for route in routes}


def test_everything_that_the_image_copies_is_there_and_not_ignored() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    sources = {
        source.rstrip("/")
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
        for source in line.split()
    }
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sources
    for source in sources:
        assert any(ROOT.glob(source)), source
        assert any(Path(source).parts[0] == name or Path(source).match(name) for name in allowed), source
