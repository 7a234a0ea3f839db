"""How many rows the old server has of each noun, and how many of them hang on a row that is gone."""

from typing import NamedTuple

from spackmon.formats.old_server import builds
from spackmon.formats.old_server.rows import Note
from spackmon.formats.old_server.specs import DEPENDENCIES, SPECS
from spackmon.ops.old_server.comparing import EVENTS_OF, Comparison
from spackmon.ops.old_server.tables import OldTables

PEOPLE, TOKENS = "people", "tokens"
FAILURES = "failed concretizations"

_GONE = "the row that it refers to is not there"
_IS_BUILD = (
    "EXISTS (SELECT 1 FROM django_content_type y WHERE y.id = t.content_type_id"
    " AND y.app_label = 'main' AND y.model = 'build')"
)
_FAILED = (
    "(COALESCE(t.full_hash, '') = 'FAILED_CONCRETIZATION' OR COALESCE(t.hash, '') = 'FAILED_CONCRETIZATION')"
)
_OF_PHASE = "main_buildphase p JOIN main_build b ON b.id = p.build_id WHERE p.id = t.phase_id"


class _Counted(NamedTuple):
    """The rows `t` of a table that fulfil a condition; `holder` is what each hangs on, as a FROM clause."""

    noun: str
    table: str
    holder: str = ""
    condition: str = "1 = 1"


_COUNTED = (
    _Counted(PEOPLE, "users_user"),
    _Counted(TOKENS, "authtoken_token", "users_user u WHERE u.id = t.user_id"),
    _Counted(SPECS, "main_spec", condition=f"NOT {_FAILED}"),
    _Counted(FAILURES, "main_spec", condition=_FAILED),
    _Counted(
        DEPENDENCIES, "main_spec_dependencies",
        "main_spec s, main_dependency d WHERE s.id = t.spec_id AND d.id = t.dependency_id",
    ),
    _Counted(builds.BUILDS, "main_build"),
    _Counted(
        builds.TAGS, "taggit_taggeditem",
        "main_build b, taggit_tag g WHERE b.id = t.object_id AND g.id = t.tag_id", _IS_BUILD,
    ),
    _Counted(
        builds.VARIABLES, "main_build_envars",
        "main_build b, main_environmentvariable v"
        " WHERE b.id = t.build_id AND v.id = t.environmentvariable_id",
    ),
    _Counted(builds.ARGUMENTS, "main_build", condition="t.config_args IS NOT NULL"),
    _Counted(builds.PHASES, "main_buildphase", "main_build b WHERE b.id = t.build_id"),
    _Counted(builds.LOGS, "main_buildphase", "main_build b WHERE b.id = t.build_id", "t.output <> ''"),
    _Counted(builds.FILES, "main_installfile", "main_build b WHERE b.id = t.build_id"),
    _Counted(
        builds.RESULTS, "main_attribute",
        "main_installfile f JOIN main_build b ON b.id = f.build_id WHERE f.id = t.install_file_id",
    ),
    *(_Counted(noun, table, _OF_PHASE) for table, noun in EVENTS_OF.items()),
)  # fmt: skip


def count_rows(tables: OldTables, comparison: Comparison) -> None:
    """Put into `comparison` how many rows there are, and which of them are left alone."""
    for counted in _COUNTED:
        comparison.there[counted.noun] += tables.count(counted.table, counted.condition)
        if counted.holder:
            alone = f"({counted.condition}) AND NOT EXISTS (SELECT 1 FROM {counted.holder})"  # noqa: S608 -- ours
            if lost := tables.count(counted.table, alone):
                comparison.note([Note(counted.noun, lost, _GONE)])
