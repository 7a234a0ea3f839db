"""What the recipe of an installed spec declares of splices: `can_splice`, of Spack 1.0 and later."""

from typing import Any, Dict, Iterator, List

import spack.store

_NAME_CHARACTERS = 200


def attributes(spec: Any) -> Dict[str, Any]:
    """The result of the analyzer `can_splice`, for `attributes` of a report; none where nothing is declared.

    Each names what the recipe says, and by its hash an installed spec whose place this one may take.
    """
    try:
        declared = getattr(type(spec.package), "splice_specs", None)
        if not declared:
            return {}
        return {"can_splice": list(_findings(spec, declared))}
    except Exception:  # A recipe may be gone, and other versions of Spack have it otherwise.
        return {}


def _findings(spec: Any, declared: Any) -> Iterator[Dict[str, str]]:
    for when, (target, match_variants) in declared.items():
        if not spec.satisfies(when):
            continue
        statement = f"{target} when {when}"[:_NAME_CHARACTERS]
        hashes = [
            other.dag_hash()
            for other in spack.store.STORE.db.query(target)
            if other.dag_hash() != spec.dag_hash() and _are_variants_alike(spec, other, match_variants)
        ]
        for value in hashes or [""]:
            yield {"name": statement, "value": value}


def _are_variants_alike(spec: Any, other: Any, names: Any) -> bool:
    """Whether both have the same values of the variants that a recipe names; `*` are all."""
    wanted: List[str] = []
    if names == "*":
        wanted = sorted({*spec.variants, *other.variants})
    elif names:
        wanted = [names] if isinstance(names, str) else list(names)
    return all(
        name in spec.variants
        and name in other.variants
        and spec.variants[name].value == other.variants[name].value
        for name in wanted
    )
