"""Groups of builds by what many builds refer to: these are counted by their references first.

Builds of a month are on 200 machines; each machine, owner and set of tags is then looked up once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select

from spackmon.models import Build
from spackmon.query.groups.aggregates import KEY_PREFIX, check_keys
from spackmon.query.groups.facets import MEASURED, grouped_by_keys
from spackmon.query.groups.group_keys import Key
from spackmon.query.rows.facets import Nested
from spackmon.query.rows.paging import Rows
from spackmon.query.sql.scope import Attribute, Names, Scope

_REFERENCES: Mapping[str, Attribute] = {
    "hostname": Build.environment_id, "owner": Build.owner_id, "tag": Build.tag_set_id,
    "error_group": Build.first_error_group_id,
}  # fmt: skip
_ENDS: Mapping[str, Attribute] = {"status": Build.status, "installed_from": Build.installed_from}
_READ_OFF = {**_REFERENCES, **_ENDS}


def answer(keys: Sequence[Key], measured: Sequence[str]) -> bool:
    """Whether references say all that builds are grouped by, and their ends all that is measured of them."""
    names = {key.name for key in keys}
    return not names.isdisjoint(_REFERENCES) and names <= _READ_OFF.keys() and MEASURED.issuperset(measured)


def groups(
    builds: Rows,
    keys: Sequence[Key],
    measured: Sequence[str],
    names: Names,
    nested: Nested,
    dialect_name: str,
) -> Select[Any]:
    """The groups of `aggregates.groups` of these builds."""
    check_keys(keys)
    ends = [Build.status] if measured else []
    read_off = dict.fromkeys([*(_READ_OFF[key.name] for key in keys), *ends])
    columns = [builds.row[attribute].label(attribute.key) for attribute in read_off]
    counted = Scope(nested(builds.number_of_each(*columns)), names)
    labelled = [
        column for key in keys for column in key.labelled(counted, dialect_name, KEY_PREFIX + key.name)
    ]
    shown = [*labelled, *(counted[end].label(end.key) for end in ends), counted.column("weight")]
    return grouped_by_keys(select(*shown).select_from(counted.joined()), measured, nested)
