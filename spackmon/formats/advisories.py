"""Advisories: OSV documents (https://ossf.github.io/osv-schema/), or a site's own in Spack's words.

An own one is an object `{"id", "affects", "summary"}`, where `affects` is a spec (`openssl@:3.0.6`) or a
list of specs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from spackmon.formats.bytes.fields import FieldUnfit, list_of, name_of, named_fields, object_of, optional_name
from spackmon.formats.bytes.text_documents import json_values, yaml_values
from spackmon.graph.defects import AffectedRange, Defect, Undecided, ranges_of_spec, ranges_of_versions
from spackmon.graph.versions import version_key

# What Spack calls packages of other languages' registries.
_PREFIXES = {"pypi": "py-", "cran": "r-", "bioconductor": "r-", "cpan": "perl-", "rubygems": "ruby-"}
# Their versions are those of what a distribution makes of a package, not the package's own.
_DISTRIBUTIONS = frozenset(
    ("alma", "almalinux", "alpaquita", "alpine", "amazon", "android", "bellsoft", "chainguard", "debian",
     "echo", "mageia", "minimos", "openeuler", "opensuse", "photon", "red", "rocky", "suse", "ubuntu",
     "wolfi")
)  # fmt: skip
_PURL = re.compile(r"pkg:(?P<type>[\w.+-]+)/(?:[^@?#]*/)?(?P<name>[^@?#/]+)")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_VERSIONS_AT_ONCE = 500
_WITHDRAWN = "it was withdrawn"


@dataclass(frozen=True, slots=True)
class Affected:
    """What an advisory is about: a spec in Spack's words, or versions of a package.

    `conditions` are alternatives, each a VersionFilter of the schema; none at all means every version.
    """

    spec: str | None = None
    package: str | None = None
    conditions: tuple[Mapping[str, Any], ...] = ()

    @property
    def words(self) -> str:
        """What it says, for people."""
        if self.spec is not None:
            return self.spec
        return f"{self.package}@{'|'.join(map(_in_words, self.conditions)) or ':'}"


@dataclass(frozen=True, slots=True)
class Advisory:
    """A known defect, as `CVE-2022-37434`; `passed_over` is what it says that has no meaning here.

    One that was withdrawn affects nothing.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    affected: tuple[Affected, ...]
    passed_over: tuple[str, ...] = ()
    withdrawn_at: datetime | None = None


def read_advisories(data: bytes, names: Mapping[str, str]) -> Iterator[Advisory]:
    """The advisories of a file: JSON, a line each or a list, or YAML.

    `names` are Spack's names of packages that an advisory calls otherwise. Raises Refused FIELD_MISSING and
    FIELD_INVALID naming the field, and DOCUMENT_DAMAGED.
    """
    for value in yaml_values(data) if _is_yaml(data) else json_values(data):
        if value.problem is not None:
            raise value.problem
        with named_fields():
            for content in value.content if isinstance(value.content, list) else [value.content]:
                document = object_of(content, "the advisory")
                yield _own(document) if "affects" in document else _osv(document, names)


def _is_yaml(data: bytes) -> bool:
    return not data.lstrip().startswith((b"{", b"["))


def _own(document: dict[str, Any]) -> Advisory:
    affects = document["affects"]
    specs = [affects] if isinstance(affects, str) else list_of(affects, "affects")
    for place, spec in enumerate(specs):
        if not isinstance(spec, str) or not spec.strip():
            raise FieldUnfit(f"affects.{place} must be a spec, as openssl@:3.0.6")
    withdrawn_at = _withdrawn(document)
    return Advisory(
        id=name_of(document, "id"),
        aliases=(),
        summary=optional_name(document, "summary") or "",
        affected=() if withdrawn_at else tuple(Affected(spec=spec.strip()) for spec in specs),
        passed_over=(_WITHDRAWN,) if withdrawn_at else (),
        withdrawn_at=withdrawn_at,
    )


def _withdrawn(document: dict[str, Any]) -> datetime | None:
    """When it was withdrawn; YAML reads a moment as one."""
    given = document.get("withdrawn")
    if given is None or isinstance(given, datetime):
        return given if given is None or given.tzinfo else given.replace(tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise FieldUnfit("withdrawn must be a moment, as 2026-03-01T12:00:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _osv(document: dict[str, Any], names: Mapping[str, str]) -> Advisory:
    affected: list[Affected] = []
    passed_over: list[str] = []
    withdrawn_at = _withdrawn(document)
    if withdrawn_at is None:
        for place, element in enumerate(list_of(document.get("affected") or [], "affected")):
            one = object_of(element, f"affected.{place}")
            found = _affected(one, names, f"affected.{place}")
            if isinstance(found, str):
                passed_over.append(found)
            else:
                affected.append(found)
    else:
        passed_over.append(_WITHDRAWN)
    return Advisory(
        id=name_of(document, "id"),
        aliases=tuple(str(alias) for alias in list_of(document.get("aliases") or [], "aliases")),
        summary=_first_line(document.get("summary") or document.get("details") or ""),
        affected=tuple({one.words: one for one in affected}.values()),
        passed_over=tuple(dict.fromkeys(passed_over)),
        withdrawn_at=withdrawn_at,
    )


def _affected(element: Mapping[str, Any], names: Mapping[str, str], at: str) -> Affected | str:
    """What an entry is about, or why that cannot be said of Spack's packages."""
    package = object_of(element.get("package") or {}, f"{at}.package")
    ecosystem, name = str(package.get("ecosystem") or ""), str(package.get("name") or "")
    if _NO_NAME.split(ecosystem.lower())[0] in _DISTRIBUTIONS:
        return f"{ecosystem}: the versions of {name} there are those of a distribution"
    called = _spack_name(ecosystem, name, str(package.get("purl") or ""), names)
    if called is None:
        return "an entry names no package"
    conditions: list[Mapping[str, Any]] = []
    of_commits = of_versions = False
    for place, ranged in enumerate(list_of(element.get("ranges") or [], f"{at}.ranges")):
        one = object_of(ranged, f"{at}.ranges.{place}")
        if one.get("type") == "GIT":
            of_commits = True
        else:
            of_versions = True
            conditions += _intervals(list_of(one.get("events") or [], f"{at}.ranges.{place}.events"))
    listed = [str(version) for version in list_of(element.get("versions") or [], f"{at}.versions")]
    if listed and not conditions:
        versions = [version.removeprefix("v") for version in listed]
        conditions = [
            {"in": versions[start : start + _VERSIONS_AT_ONCE]}
            for start in range(0, len(versions), _VERSIONS_AT_ONCE)
        ]
    if of_commits and not conditions:
        return f"{called}: only commits are named"
    if of_versions and not conditions:
        return f"{called}: its ranges hold no version"
    return Affected(package=called, conditions=() if {} in conditions else tuple(conditions))


def _intervals(events: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """The intervals between events; OSV sorts these by version, whatever the order of the list.

    What is not below any `limit` is not affected.
    """
    said_of_all = [object_of(event, "events") for event in events]
    limits = [str(said["limit"]) for said in said_of_all if "limit" in said]
    limit = None if not limits or "*" in limits else max(limits, key=version_key)
    for interval in _between(sorted(said_of_all, key=_place)):
        end = interval.get("lt", interval.get("le"))
        if limit is None or (end is not None and version_key(end) < version_key(limit)):
            yield interval
        elif "ge" not in interval or version_key(interval["ge"]) < version_key(limit):
            yield {**{key: value for key, value in interval.items() if key == "ge"}, "lt": limit}


def _place(event: Mapping[str, Any]) -> tuple[bytes, bool]:
    version = str(next(iter(event.values()), ""))
    return b"" if version == "0" else version_key(version), "last_affected" in event


def _between(events: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    begin: str | None = None
    for said in events:
        if begin is None and "introduced" in said:
            begin = str(said["introduced"])
        elif begin is not None and "fixed" in said:
            yield {**_from(begin), "lt": str(said["fixed"])}
            begin = None
        elif begin is not None and "last_affected" in said:
            yield {**_from(begin), "le": str(said["last_affected"])}
            begin = None
    if begin is not None:
        yield _from(begin)


def _from(begin: str) -> dict[str, str]:
    return {} if begin == "0" else {"ge": begin}


def _spack_name(ecosystem: str, name: str, purl: str, names: Mapping[str, str]) -> str | None:
    found = _PURL.match(purl)
    kind = (found["type"] if found else ecosystem).lower()
    called = unquote(found["name"]) if found else name.rsplit("/", 1)[-1]
    if not called:
        return None
    for said in (name, called, called.lower()):
        if said in names:
            return names[said]
    plain = _NO_NAME.sub("-", called.lower()).strip("-")
    prefix = _PREFIXES.get(kind, "")
    return plain if plain.startswith(prefix) else prefix + plain


def _in_words(condition: Mapping[str, Any]) -> str:
    if "in" in condition:
        return ",".join(condition["in"])
    last = condition.get("le", f"<{condition['lt']}" if "lt" in condition else "")
    return f"{condition.get('ge', '')}:{last}"


def _first_line(text: object) -> str:
    return _UNSTORABLE.sub("\ufffd", str(text).strip().split("\n", 1)[0][:300])


def defect_of(advisory: Advisory) -> Defect:
    """The advisory as it is stored: what its words mean, and what of them is not decided."""
    ranges: list[AffectedRange] = []
    undecided = list(advisory.passed_over)
    for affected in advisory.affected:
        try:
            if affected.spec is not None:
                ranges += ranges_of_spec(affected.spec)
            else:
                ranges += ranges_of_versions(affected.package or "", affected.conditions)
        except Undecided as why:
            undecided.append(str(why))
    return Defect(
        identifier=advisory.id,
        aliases=advisory.aliases,
        summary=advisory.summary,
        affects=tuple(one.words for one in advisory.affected),
        ranges=tuple(dict.fromkeys(ranges)),
        undecided=tuple(undecided),
        withdrawn_at=advisory.withdrawn_at,
    )
