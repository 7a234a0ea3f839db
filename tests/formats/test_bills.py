"""What bills of materials that others wrote are of, wherever they say it."""

import json
from pathlib import Path
from typing import Any

import pytest

from spackmon.errors import Refused
from spackmon.formats import detect
from spackmon.formats.bytes.text_documents import json_value
from spackmon.formats.installs.install_prefix import read_prefix
from spackmon.formats.reports import report_json
from spackmon.formats.reports.report_line import write
from spackmon.submission import BillReport, InstallReport
from tests.formats.installs import LIBGREET, copied

BILLS = Path(__file__).parents[1] / "data" / "bills"
HASH = LIBGREET.name[-32:]
SPDX, CDX = (json.loads((BILLS / f"libgreet.{form}.json").read_text()) for form in ("spdx", "cdx"))
MANY = [
    {"name": "spack:hash", "value": f"{number:032b}".replace("0", "b").replace("1", "c")}
    for number in range(101)
]


def changed(bill: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**bill, **fields}


def spdx_of(**fields: Any) -> dict[str, Any]:
    """A document of one package that names its spec in one place."""
    return changed(SPDX, documentDescribes=[], packages=[{"SPDXID": "SPDXRef-a", "name": "a", **fields}])


def cdx_of(**fields: Any) -> dict[str, Any]:
    return changed(CDX, metadata={"component": {"name": "a", **fields}})


def bill_of(content: dict[str, Any], place: str = "") -> BillReport:
    (report,) = detect.read_document("", json.dumps(content).encode(), None, place=place)
    assert isinstance(report, BillReport)
    assert list(report_json.read(json_value(write(report)))) == [report]
    return report


@pytest.mark.parametrize(
    "content",
    [
        SPDX,
        CDX,
        spdx_of(comment=f"built by Spack, /{HASH}"),
        spdx_of(annotations=[{"comment": f"spack:hash={HASH}"}]),
        changed(SPDX, packages=[], annotations=[{"comment": HASH}]),
        changed(
            spdx_of(SPDXID=f"SPDXRef-a-{HASH}"),
            relationships=[{"spdxElementId": f"SPDXRef-a-{HASH}", "relationshipType": "DESCRIBED_BY",
                            "relatedSpdxElement": "SPDXRef-DOCUMENT"}],
        ),
        cdx_of(purl=f"pkg:generic/a@1?spack_hash%3D{HASH}"),
        cdx_of(externalReferences=[{"type": "other", "url": f"https://site.example/specs/{HASH}"}]),
        changed(CDX, metadata={"properties": [{"name": "spack:hash", "value": HASH}]}),
        changed(CDX, metadata=None, components=[{"name": "a", "bom-ref": f"a-{HASH}"}]),
    ],
)  # fmt: skip
def test_the_spec_is_found_where_a_document_names_it(content: dict[str, Any]) -> None:
    report = bill_of(content, "/opt/x-1-" + "z" * 32)
    assert report.spec_hashes == (HASH,)
    assert report.analyzer == ("spdx" if "spdxVersion" in content else "cyclonedx")
    assert json.loads(report.document) == content


def test_a_document_that_names_none_is_of_what_it_lies_in() -> None:
    unnamed = changed(SPDX, packages=[])
    assert bill_of(unnamed, f"/opt/libgreet-2.0-{HASH}/.spack/a.spdx.json").spec_hashes == (HASH,)
    for content, code in (
        (unnamed, "BILL_UNNAMED"),
        (cdx_of(purl=HASH.upper(), licenses=3), "BILL_UNNAMED"),
        (changed(SPDX, packages=3, documentDescribes=[{}], relationships=[3, {}]), "BILL_UNNAMED"),
        (changed(CDX, metadata=[], components={"a": 1}), "BILL_UNNAMED"),
        (changed(SPDX, spdxVersion="SPDX-2.1"), "DOCUMENT_UNKNOWN"),
        (changed(CDX, specVersion=[]), "DOCUMENT_UNKNOWN"),
        (cdx_of(properties=MANY), "FIELD_INVALID"),
        (cdx_of(purl=HASH, name="\0"), "FIELD_INVALID"),
    ):
        with pytest.raises(Refused) as caught:
            bill_of(content)
        assert caught.value.code == code


def test_a_prefix_has_its_bills_and_names_what_is_none(tmp_path: Path) -> None:
    prefix = copied(LIBGREET, tmp_path)
    files = {"a.spdx.json": changed(SPDX, packages=[]), "sbom.json": CDX, "cdx.json": {"no": "bill"}}
    for name, content in files.items():
        (prefix / ".spack" / name).write_text(json.dumps(content))
    reports = read_prefix(prefix, str(prefix))
    report = next(reports)
    assert isinstance(report, InstallReport)
    bills = [one for values in (report.attributes or {}).values() for one in values if one.json_value]
    assert [(one.name, one.install_file and Path(one.install_file).name) for one in bills] == [
        ("spdx-json", "a.spdx.json"), ("cyclonedx-json", "sbom.json"),
    ]  # fmt: skip
    with pytest.raises(Refused, match=r"cdx\.json is neither SPDX nor CycloneDX"):
        next(reports)
