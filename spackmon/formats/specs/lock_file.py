"""`spack.lock` of every Spack since 0.12 (lockfile versions 1 to 7): an environment's roots and their specs.

| version | a spec's key | a spec | its dependencies' hashes |
|---|---|---|---|
| 1 | old DAG hash, not repeated in the spec | {name: {…}} | under "hash": that DAG hash |
| 2 | build_hash | {name: {…}} | under "hash": the build_hash |
| 3 | build_hash | {"name": …} | under "build_hash" |
| 4 to 7 | DAG hash | {"name": …} | under "hash": that DAG hash |

Since version 5 the roots and specs of included environments stand under "include_concrete", theirs in turn
inside; since 6 compilers are dependencies; 7 puts roots into groups. Source: `spack.environment` in Spack 1.2
and its `_to_lockfile_dict` in 0.13, 0.16 and 0.17.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.damage import Damage, newer
from spackmon.formats.bytes.fields import (
    FieldUnfit,
    escaped,
    list_of,
    object_of,
    optional_name,
    required,
    short_text,
    storable_text,
)
from spackmon.formats.specs.spec_json import FORMAT_VERSIONS
from spackmon.formats.specs.spec_pool import KeyedNode, SpecPool, read_pool, reports
from spackmon.submission import EnvironmentReport, EnvironmentRoot, SpecReport

# The kind of the keys, and the format of the specs where _meta does not say it (since 0.17 it does).
_VERSIONS = {
    1: ("hash", 1),
    2: ("build_hash", 1),
    3: ("build_hash", 2),
    4: ("hash", 3),
    5: ("hash", 4),
    6: ("hash", 5),
    7: ("hash", 5),
}


_NAME, _SUFFIX = "spack.lock", ".lock"
_COMPRESSED = re.compile(r"\.(?:gz|zst|bz2|xz)$")


class _Included(NamedTuple):
    """An environment of a lock file, and where it lies if the file's own includes it."""

    path: str | None
    content: dict[str, Any]


class _Lock(NamedTuple):
    version: int
    key_kind: str
    format_version: int
    environments: list[_Included]


def is_lock_file(document: object) -> bool:
    """Whether a parsed document is a lock file."""
    return isinstance(document, dict) and "concrete_specs" in document and "roots" in document


def environment_name(place: str) -> str | None:
    """What an environment is called whose lock file lies at `place`; None where the place does not say it.

    Spack calls it as the folder of its `spack.lock`; a lock file of another name was kept under its own.
    """
    *folders, name = [part for part in _COMPRESSED.sub("", place).split("/") if part not in ("", ".")] or [""]
    if name == _NAME:
        return folders[-1] if folders else None
    return name.removesuffix(_SUFFIX) or None


def read_lock_file(
    document: dict[str, Any], spack_version: str | None, name: str | None = None
) -> Iterator[SpecReport | EnvironmentReport]:
    """The graph of every root, in the file's order, then of what no root depends on, then the environment.

    Without its `name` the environment is not reported. Raises Refused DOCUMENT_DAMAGED, and
    DOCUMENT_INCOMPLETE after all others for specs that cannot be read.
    """
    damage = Damage()
    try:
        lock = _lock(document, damage)
        spack = object_of(document.get("spack") or {}, "spack")
        version = optional_name(spack, "version", "spack.") or spack_version
        pool = read_pool(_kept(lock), damage)
        roots = list(_roots(lock, pool, damage))
    except FieldUnfit as unfit:
        problem = "; ".join([unfit.sentence, *damage.newer])
        raise Refused(Code.DOCUMENT_DAMAGED, f"the lock file cannot be read: {problem}") from None
    identities = list(dict.fromkeys(root.spec_hash for root in roots if root.spec_hash in pool.nodes))
    yield from reports(pool, identities, version)
    if name is not None:
        yield EnvironmentReport(name, lock.version, version, tuple(roots))
    damage.settle()


def _lock(document: dict[str, Any], damage: Damage) -> _Lock:
    meta = object_of(required(document, "_meta"), "_meta")
    version = meta.get("lockfile-version")
    latest, latest_format = max(_VERSIONS), FORMAT_VERSIONS[-1]
    if type(version) is not int or version < min(_VERSIONS):
        raise FieldUnfit(f"_meta.lockfile-version must be a number, from {min(_VERSIONS)}")
    if version > latest:
        damage.newer.append(newer("_meta.lockfile-version", version, latest))
    key_kind, format_version = _VERSIONS[min(version, latest)]
    stated = meta.get("specfile-version", format_version)
    if type(stated) is not int or stated < 1:
        raise FieldUnfit("_meta.specfile-version must be a number, from 1")
    if stated > latest_format:
        damage.newer.append(newer("_meta.specfile-version", stated, latest_format))
    return _Lock(version, key_kind, stated, _environments(document))


def _environments(document: dict[str, Any]) -> list[_Included]:
    """The environment itself, and all that it includes, those that they include too."""
    environments = [_Included(None, document)]
    for environment in environments:
        included = environment.content.get("include_concrete")
        if included is not None:
            for path, inner in object_of(included, "include_concrete").items():
                at = f"include_concrete.{path[:100]}"
                environments.append(_Included(escaped(path), object_of(inner, at)))
    return environments


def _kept(lock: _Lock) -> Iterator[KeyedNode]:
    """Every spec once: an included environment repeats what it shares with the one that includes it."""
    seen: dict[str, object] = {}
    for environment in lock.environments:
        # What only includes others, or is included for its roots, may have none of its own.
        specs = object_of(environment.content.get("concrete_specs") or {}, "concrete_specs")
        for key, element in specs.items():
            if key not in seen or seen[key] != element:
                seen.setdefault(key, element)
                yield KeyedNode(
                    short_text(key, "concrete_specs"), element, lock.format_version, lock.key_kind
                )


def _roots(lock: _Lock, pool: SpecPool, damage: Damage) -> Iterator[EnvironmentRoot]:
    for path, content in lock.environments:
        for position, element in enumerate(list_of(required(content, "roots"), "roots")):
            at = f"roots.{position}"
            root = object_of(element, at)
            key = short_text(required(root, "hash", f"{at}."), f"{at}.hash")
            identity = pool.by_key.get(key)
            if identity is None:
                damage.add(f"{at}: it has no spec with the hash {key}")
            yield EnvironmentRoot(
                abstract_spec=_words(root, at, damage, "spec") or "",
                spec_hash=identity or key,
                group=_words(root, at, damage, "group"),
                included_from=path,
            )


def _words(root: dict[str, Any], at: str, damage: Damage, field: str) -> str | None:
    """What its user wrote: a root without it is a root all the same."""
    try:
        return None if root.get(field) is None else storable_text(root[field], f"{at}.{field}")
    except FieldUnfit as unfit:
        damage.add(unfit.sentence)
        return None
