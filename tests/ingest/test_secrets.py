"""Whatever way a secret comes in, it is nowhere in the database; what was stored before is masked later."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.ingest import inbox
from spackmon.ingest.masking import mask_stored
from spackmon.masking.rules import Rules, shipped, use_for_site, with_names
from spackmon.status import SourceKind
from spackmon.submission import AttributeValue, ConcretizationFailureReport
from tests.ingest.installs import EVERYTHING, ZLIB, install
from tests.ingest.reports import Site, spec_report

SECRET = "s3cr3t"
VARIABLES = {
    "CC": "gcc",
    "GITLAB_TOKEN": f"{SECRET}-1",
    "MIRROR": f"https://ci:{SECRET}-2@mirror.example.org/",
}
MASKED = {"CC": "gcc", "GITLAB_TOKEN": "[masked]", "MIRROR": "https://ci:[masked]@mirror.example.org/"}
ARGUMENTS = f"--prefix=/opt/zlib --with-api-key={SECRET}-3"
FOUND = {
    "environment": (AttributeValue("DB_PASSWORD", None, value=f"{SECRET}-4"),),
    "settings": (
        AttributeValue("json", None, json_value=json.dumps({"auth": {"apiToken": f"{SECRET}-5"}})),
        AttributeValue("command", None, binary_value=f"run --password {SECRET}-6".encode()),
    ),
}
REFUSED = Refused(Code.BUILD_UNKNOWN, "there is no build 1")
BODY = {"build_id": 1, "metadata": {"environment_variables": VARIABLES, "config_args": ARGUMENTS}}


@pytest.fixture(autouse=True)
def rules() -> Iterator[None]:
    """The shipped rules, also after a test that had others."""
    yield
    use_for_site(shipped())


def report_everything(site: Site) -> None:
    """Each kind of report that can hold a secret, an analysis of a client's build last."""
    told = {
        **EVERYTHING,
        "environment_variables": VARIABLES, "configure_arguments": ARGUMENTS, "attributes": FOUND,
    }  # fmt: skip
    site.apply(spec_report(ZLIB))
    site.apply(install(SourceKind.EXTENSION, "run-1", **told))
    site.apply(install(SourceKind.CDASH, "run-2", **told))
    site.apply(
        ConcretizationFailureReport(
            "zlib", None, "1.2.0", f"zlib@git.https://a:{SECRET}-7@h/x", f"token: --token={SECRET}-8"
        )
    )
    site.database.write_once(lambda c: inbox.add(c, "analyze/builds", json.dumps(BODY).encode(), REFUSED, 1))
    build_id = site.build(ZLIB, host="node-2")
    site.analysis(
        build_id, environment_variables=VARIABLES, configure_arguments=ARGUMENTS,
        has_configure_arguments=True, attributes=FOUND,
    )  # fmt: skip


def everything(site: Site) -> str:
    """All that the database holds, with the bodies unpacked."""
    bodies = [zstandard.decompress(body).decode() for (body,) in site.rows("SELECT body FROM inbox_entry")]
    return f"{site.dump()} {bodies}"


def test_no_secret_is_stored_and_what_is_beside_it_is(site: Site) -> None:
    report_everything(site)
    assert SECRET not in everything(site)
    assert dict(site.rows("SELECT DISTINCT name, value FROM environment_variable")) == MASKED
    arguments = {text for (text,) in site.rows("SELECT text FROM configure_arguments")}
    assert arguments == {"--prefix=/opt/zlib --with-api-key=[masked]"}
    assert len(site.rows("SELECT id FROM environment_set")) == 1
    ((body,),) = site.rows("SELECT body FROM inbox_entry")
    assert json.loads(zstandard.decompress(body))["metadata"]["environment_variables"] == MASKED


def test_what_was_stored_before_is_masked_as_if_it_came_now(
    site: Site, sqlite_template: Path, tmp_path: Path
) -> None:
    use_for_site(Rules((), (), frozenset(), frozenset(), frozenset(), ()))
    report_everything(site)
    use_for_site(with_names([]))
    assert SECRET in everything(site)
    before = site.dump()
    counts = {progress.kind: progress.masked for progress in mask_stored(site.database, is_trial=True)}
    assert list(counts.values()) == [3, 9, 0, 1, 1]
    assert site.dump() == before
    assert {progress.kind: progress.masked for progress in mask_stored(site.database)} == counts
    assert SECRET not in everything(site)
    assert [progress.masked for progress in mask_stored(site.database)] == [0] * len(counts)
    shutil.copy(sqlite_template, tmp_path / "fresh.db")
    fresh = Site(Database(f"sqlite:///{tmp_path}/fresh.db"))
    report_everything(fresh)
    for table, columns in (
        ("environment_variable", "name, value"), ("environment_set", "digest"),
        ("configure_arguments", "digest, text"),
        ("attribute", "name, value, json_value, binary_value"),
        ("concretization_failure", "abstract_spec, message, digest"),
    ):  # fmt: skip
        statement = f"SELECT {columns} FROM {table}"
        assert sorted(site.rows(statement), key=repr) == sorted(fresh.rows(statement), key=repr)
