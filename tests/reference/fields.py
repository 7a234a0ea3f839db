"""What each field of each type that is no row is, said in Python: from a row to a value.

A field that is not named here is the column of its name in the row's own table.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import inspect

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.packed_claims import unpack
from spackmon.graph.spec import Deptype
from spackmon.graph.spec_text import FLAG_NAMES
from tests.reference import errors
from tests.reference.related import MODELS, Related, newest_attempt, package_of, version_of
from tests.reference.rows import Rows

JSON_COLUMNS = {
    ("Advisory", "affects"), ("Advisory", "aliases"), ("Advisory", "undecided"),
    ("AnalysisResult", "jsonValue"), ("ConcretizationFailure", "document"), ("Dependency", "virtuals"),
    ("NotificationDelivery", "content"), ("NotificationRule", "condition"),
    ("Spec", "external"), ("Target", "features"), ("Target", "parents"),
}  # fmt: skip


def moment(value: datetime) -> str:
    """A moment as answers show it; of two, the later one is the greater text."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Element(NamedTuple):
    """An element of a variant or of flags; `value` is ABSENT for a variant that has none."""

    name: str
    value: Any


ABSENT = object()


def _parameters(rows: Rows, spec: Any) -> list[Element]:
    found = []
    for name, value in VALUES["Spec", "parameters"](rows, spec).items():
        if isinstance(value, str) and value.lower() in ("true", "false"):
            value = value.lower() == "true"
        found += [Element(name, one) for one in (value if isinstance(value, list) else [value])]
        if value == [] and name not in FLAG_NAMES:
            found.append(Element(name, ABSENT))
    return found


# What filters alone know.
FILTERED_TO_MANY: dict[tuple[str, str], Related] = {
    ("Spec", "parameters"): _parameters,
}


def _document(rows: Rows, spec: Any) -> Any:
    documents = rows.by(models.SpecDocument, "spec_id", spec.id)

    def first(one: Any) -> Any:
        return one.format_version, -one.characters, bytes(one.digest)

    found = min(documents, key=first)
    return json.loads(unpack(found.packed, found.dictionary)[0])


def _events(attempt_of: Callable[[Rows, Any], Any], kind: str) -> Callable[[Rows, Any], int]:
    def count(rows: Rows, row: Any) -> int:
        events = rows.by(models.BuildEvent, "attempt_id", attempt_of(rows, row).id)
        return sum(event.kind == kind for event in events)

    return count


def _itself(rows: Rows, row: Any) -> Any:
    return row


def _seen(choose: Callable[..., Any]) -> Callable[[Rows, Any], str | None]:
    def seen(rows: Rows, group: Any) -> str | None:
        attempts = errors.attempts_of_group(rows, group)
        began = [moment(attempt.started_at) for attempt in attempts if attempt.started_at is not None]
        return choose(began, default=None)

    return seen


def _installed_bytes(rows: Rows, run: Any) -> int | None:
    if run.manifest_id is None:
        return None
    return sum(file.size_bytes or 0 for file in rows.by(models.InstallFile, "manifest_id", run.manifest_id))


FOLDER_TYPES = {"InstallEntry", "InstallFolder"}
"""Types whose objects are no rows."""


def install_folder(rows: Rows, run: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A directory of what a run installed, by looking at each of its files."""
    first = arguments["first"]
    if not 1 <= first <= 500:
        raise Refused(Code.PAGE_TOO_LARGE, "too much")
    path = (arguments["under"].rstrip("/") or run.prefix or "").rstrip("/")
    files = rows.by(models.InstallFile, "manifest_id", run.manifest_id) if run.manifest_id else []
    inside = [(one.path[len(path) + 1 :], one) for one in files if one.path.startswith(f"{path}/")]
    found: dict[str, list[tuple[str, Any]]] = {}
    for rest, file in inside:
        if rest:
            found.setdefault(rest.partition("/")[0], []).append((rest, file))
    names = sorted(found, key=str.encode)
    later = [
        name
        for name in names
        if name.encode() > (arguments.get("after") or "").encode() or arguments.get("after") is None
    ]
    return {
        "path": path or "/", "entryCount": len(names), **_sums(inside),
        "endName": later[first - 1] if len(later) > first else None,
        "entries": [_entry(path, name, found[name]) for name in later[:first]],
    }  # fmt: skip


def _entry(path: str, name: str, below: list[tuple[str, Any]]) -> dict[str, Any]:
    own = next((file for rest, file in below if rest == name), None)
    is_folder = len(below) > (own is not None) or (own is not None and own.type == "dir")
    return {
        "name": name, "path": f"{path}/{name}", "isFolder": is_folder, **_sums(below),
        "type": own and own.type, "destination": own and own.destination,
    }  # fmt: skip


def _sums(files: list[tuple[str, Any]]) -> dict[str, int]:
    there = [file for rest, file in files if rest]
    return {
        "fileCount": sum(file.type != "dir" for file in there),
        "sizeBytes": sum(file.size_bytes or 0 for file in there),
    }


BILL_TYPES = {"BillComponent", "BillOfMaterials"}
"""What a bill of materials lists, of a site without any; tests/web/test_bills.py has some."""

# Values that are not a column of the row.
VALUES: dict[tuple[str, str], Callable[[Rows, Any], Any]] = {
    ("AnalysisResult", "analyzer"): lambda rows, result: (
        rows.get(models.Analysis, result.analysis_id).analyzer
    ),
    ("AnalysisResult", "billOfMaterials"): lambda rows, result: None,
    ("AnalysisResult", "elf"): lambda rows, result: None,
    ("AnalysisResult", "sha256"): lambda rows, result: result.digest.hex(),
    ("EarlierResult", "sha256"): lambda rows, result: result.digest.hex(),
    ("Attempt", "errorCount"): _events(_itself, "ERROR"),
    ("Attempt", "errorNews"): errors.news,
    ("Attempt", "warningCount"): _events(_itself, "WARNING"),
    ("Build", "errorCount"): _events(newest_attempt, "ERROR"),
    ("Build", "id"): lambda rows, build: str(build.id),
    ("Build", "warningCount"): _events(newest_attempt, "WARNING"),
    ("CiRun", "commit"): lambda rows, run: run.commit_sha,
    ("LockFileRoot", "group"): lambda rows, root: root.group_name,
    ("BuildEvent", "message"): lambda _, event: (
        event.message if event.message_at is None else event.text[event.message_at - 1 :]
    ),
    ("BuildEvent", "preContext"): lambda rows, event: event.pre_context,
    ("BuildEvent", "postContext"): lambda rows, event: event.post_context,
    ("Attempt", "configureArguments"): lambda rows, run: run.configure_arguments,
    ("Build", "configureArguments"): lambda rows, run: run.configure_arguments,
    ("BuildPhase", "name"): lambda rows, phase: phase.name,
    ("BuildPhase", "position"): lambda rows, phase: phase.position,
    ("BuildPhase", "reportedStatus"): lambda rows, phase: phase.status,
    ("BuildPhase", "status"): lambda rows, phase: (
        phase.status if phase.status in ("SUCCESS", "ERROR") else "OTHER"
    ),
    ("Dependency", "deptypes"): lambda rows, edge: [
        one.name for one in Deptype if one & edge.deptypes and one.name
    ],
    ("Attempt", "installedBytes"): _installed_bytes,
    ("Build", "installedBytes"): _installed_bytes,
    ("Spec", "buildSpecHash"): lambda rows, spec: spec.built_as,
    ("Spec", "externalPath"): lambda rows, spec: json.loads(spec.external or "{}").get("path"),
    ("Spec", "dependentCount"): lambda rows, spec: len(rows.by(models.Closure, "descendant_id", spec.id)),
    ("ErrorGroup", "buildCount"): lambda rows, group: len(errors.builds_of_group(rows, group)),
    ("ErrorGroup", "eventCount"): lambda rows, group: len(errors.attempts_of_group(rows, group)),
    ("ErrorGroup", "runCount"): lambda rows, group: len(set(errors.attempts_of_group(rows, group))),
    ("ErrorGroup", "firstSeen"): _seen(min),
    ("ErrorGroup", "lastSeen"): _seen(max),
    ("WhyGrouped", "blanked"): lambda rows, event: json.loads(event.blanked) if event.blanked else None,
    ("WhyGrouped", "rule"): lambda rows, event: event.rule,
    ("WhyGrouped", "normalForm"): lambda rows, event: next(
        (group.normal_form for group in rows.by(models.ErrorGroup, "fingerprint", event.fingerprint)), None
    ),
    ("Parameter", "name"): lambda rows, element: element.name,
    ("Parameter", "value"): lambda rows, element: element.value,
    ("Log", "base64"): lambda _, log: log.base64(),
    ("Log", "digest"): lambda _, log: log.row.digest.hex(),
    ("Log", "removedAt"): lambda _, log: log.row.removed_at,
    ("Log", "lineCount"): lambda _, log: len(log.every_line),
    ("Log", "plainText"): lambda _, log: log.plain_text(),
    ("Log", "sizeBytes"): lambda _, log: log.row.size_bytes,
    ("Log", "unlistedEventCount"): lambda _, log: (
        None if log.row.rules_version is None else log.row.unlisted_events
    ),
    # The site's logs are shorter than a tail may be.
    ("Log", "tail"): lambda _, log: log.whole.decode("utf-8", "replace"),
    ("Log", "text"): lambda _, log: log.text(),
    ("Spec", "document"): _document,
    ("Spec", "name"): lambda rows, spec: package_of(rows, spec).name,
    ("Spec", "packageHash"): lambda rows, spec: (
        None if spec.package_hash_id is None else rows.get(models.PackageHash, spec.package_hash_id).value
    ),
    ("Spec", "parameters"): lambda rows, spec: json.loads(
        rows.get(models.ParameterSet, spec.parameter_set_id).document
    ),
    ("Spec", "version"): lambda rows, spec: version_of(rows, spec).version,
}  # fmt: skip


def snake(name: str) -> str:
    """A field's name as columns are named."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def is_value(type_name: str, field: str) -> bool:
    """Whether `value` knows this field."""
    if (type_name, field) in VALUES:
        return True
    model = MODELS.get(type_name)
    return model is not None and (field == "id" or snake(field) in inspect(model).column_attrs)


def value(rows: Rows, type_name: str, field: str, row: Any) -> Any:
    """A field that is neither a row nor several, as an answer shows it."""
    special = VALUES.get((type_name, field))
    if special is not None:
        return special(rows, row)
    if field == "id":
        return f"{type_name}:{row.id}"
    found = getattr(row, snake(field))
    if found is not None and (type_name, field) in JSON_COLUMNS:
        return json.loads(found)
    if isinstance(found, datetime):
        return moment(found)
    return found.hex() if isinstance(found, bytes) else found
