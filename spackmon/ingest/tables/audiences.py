"""Who may see what is reported: it goes with claims, and from there to builds and to the specs they are of.

A site on which everything is public has no audience, and pays one statement a graph for this.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.revisions import specs_change
from spackmon.models import utc_now
from spackmon.status import Visibility

OF_OWNER = "(SELECT d.audience_id FROM default_audience d WHERE d.person_id = :owner_id)"
"""In SQL: the audience of what this person reports."""

_OF_PERSON = Statement(
    """
    SELECT EXISTS (SELECT 1 FROM audience) AS is_needed,
        (SELECT d.audience_id FROM default_audience d WHERE d.person_id = :person_id) AS audience_id
    """
)
_PRIVATE = "FILTER (WHERE u.visibility = 'PRIVATE')"


def of_build(build: str) -> str:
    """In SQL: the narrowest audience of the claims of a row of builds.

    It is the owner's where the claims are for several groups.
    """
    return f"""(
    SELECT CASE
        WHEN count(DISTINCT u.id) {_PRIVATE} > 1 THEN COALESCE(
            (SELECT o.id FROM audience o WHERE o.owner_id = {build}.owner_id AND o.group_id IS NULL),
            min(u.id) {_PRIVATE}
        )
        ELSE COALESCE(max(u.id) {_PRIVATE}, max(u.id)) END
    FROM attempt r JOIN claim c ON c.attempt_id = r.id JOIN audience u ON u.id = c.audience_id
    WHERE r.build_id = {build}.id
)"""  # noqa: S608 -- of our own constants


_HIDE = over_rows("id bigint", "UPDATE spec SET is_public = false WHERE id IN (SELECT i.id FROM {input} i)")
_BELOW = """
    SELECT i.id FROM {input} i
    UNION SELECT c.descendant_id FROM {input} i JOIN closure c ON c.ancestor_id = i.id
"""
_SHOW_TO_ALL = over_rows(
    "id bigint",
    # When it is everybody's, nobody is told since when it was somebody's.
    f"UPDATE spec SET is_public = true, recorded_at = :now WHERE NOT is_public AND id IN ({_BELOW})"  # noqa: S608
    " RETURNING id",
)
_SHOW = over_rows(
    "id bigint",
    f"""
    INSERT INTO spec_audience (spec_id, audience_id)
    SELECT b.id, CAST(:audience_id AS bigint) FROM ({_BELOW}) b JOIN spec s ON s.id = b.id
    WHERE NOT s.is_public ORDER BY b.id
    ON CONFLICT DO NOTHING
    RETURNING spec_id AS id
    """,  # noqa: S608 -- as above
)
_MAY_SEE = Statement(
    """
    SELECT 1 FROM spec_audience s JOIN audience a ON a.id = s.audience_id
    WHERE s.spec_id = :spec_id AND (
        a.owner_id = :person_id
        OR a.group_id IN (SELECT m.group_id FROM group_member m WHERE m.person_id = :person_id)
        OR a.visibility = 'INTERNAL' AND EXISTS (
            SELECT 1 FROM person p WHERE p.id = :person_id AND p.name <> 'anonymous'
        )
        -- Who reports for an audience finds what was reported for it, `anonymous` too.
        OR a.id = (SELECT d.audience_id FROM default_audience d WHERE d.person_id = :person_id)
    )
    LIMIT 1
    """
)
_WAITING = over_rows(
    "id bigint",
    """
    SELECT DISTINCT c.id FROM {input} i JOIN spec_hash h ON h.spec_id = i.id
    JOIN claim c ON c.spec_hash = h.value WHERE c.spec_id IS NULL
    """,
)
_PUT = Statement(
    """
    INSERT INTO audience (key, visibility, owner_id, group_id)
    VALUES (:key, :visibility, CAST(:owner_id AS bigint), CAST(:group_id AS bigint))
    ON CONFLICT DO NOTHING
    """
)
_FIND = Statement("SELECT id FROM audience WHERE key = :key")
_LEAD = (
    Statement(
        """
        INSERT INTO spec_audience (spec_id, audience_id)
        SELECT CAST(:new_id AS bigint), s.audience_id FROM spec_audience s WHERE s.spec_id = :old_id
        ON CONFLICT DO NOTHING
        """
    ),
    Statement(
        """
        UPDATE spec SET is_public = true
        WHERE id = :new_id AND NOT is_public AND (SELECT o.is_public FROM spec o WHERE o.id = :old_id)
        """
    ),
)
_SET_OF_CLAIMS = Statement(
    """
    UPDATE claim SET audience_id = CAST(:audience_id AS bigint)
    WHERE attempt_id IN (SELECT r.id FROM attempt r WHERE r.build_id = :build_id)
    """
)
_IS_FOR_SOME = Statement("SELECT 1 FROM build WHERE id = :build_id AND audience_id IS NOT NULL")
_SPECS_OF_BUILDS = over_rows(
    "id bigint",
    "SELECT DISTINCT b.spec_id, b.audience_id FROM {input} i JOIN build b ON b.id = i.id"
    " WHERE b.spec_id IS NOT NULL AND EXISTS (SELECT 1 FROM audience)",
)
_FORGET = Statement("DELETE FROM spec_audience WHERE spec_id = :old_id")


@dataclass(frozen=True, slots=True)
class Reporter:
    """Whom a person's reports are for; `is_needed`: some report of the site is not for everybody."""

    is_needed: bool
    audience_id: int | None


def reporter(connection: Connection, person_id: int) -> Reporter:
    """Whom this person's reports are for."""
    row = _OF_PERSON.run(connection, person_id=person_id)[0]
    return Reporter(bool(row.is_needed), row.audience_id)


def audience(
    connection: Connection, visibility: Visibility, owner_id: int, group_id: int | None = None
) -> int | None:
    """The id of an audience, which is made on first need; None for everybody."""
    if visibility is Visibility.PUBLIC:
        return None
    if visibility is Visibility.INTERNAL:
        return _put(connection, visibility.value, visibility, None, None)
    # What turns out to be for several groups is its owner's.
    own = f"{visibility.value}:{owner_id}"
    for_owner = _put(connection, own, visibility, owner_id, None)
    return (
        for_owner
        if group_id is None
        else _put(connection, f"{own}:{group_id}", visibility, owner_id, group_id)
    )


def _put(
    connection: Connection, key: str, visibility: Visibility, owner_id: int | None, group_id: int | None
) -> int:
    _PUT.run(connection, key=key, visibility=visibility.value, owner_id=owner_id, group_id=group_id)
    audience_id: int = _FIND.run(connection, key=key)[0].id
    return audience_id


def show_graphs_of_builds(connection: Connection, build_ids: Sequence[int]) -> set[int]:
    """Let the graphs of some builds be seen by whom the builds are for: the specs that were not.

    Who else may see a spec cannot be told from builds: it may have been reported without one.
    """
    found: dict[int | None, list[int]] = {}
    for row in _SPECS_OF_BUILDS.run(connection, [(one,) for one in build_ids]):
        found.setdefault(row.audience_id, []).append(row.spec_id)
    shown = (show_specs(connection, specs, audience_id) for audience_id, specs in found.items())
    return set().union(*shown)


def note_specs(
    connection: Connection, who: Reporter, roots: Collection[int], created: Iterable[int]
) -> set[int]:
    """Let the graphs of these specs be seen by whom they are reported for; `created` are new.

    The specs that are seen by these from now on alone, as far as anything is private.
    """
    if not who.is_needed:
        return set()
    if who.audience_id is not None:
        _HIDE.run(connection, sorted((one,) for one in created))
    return show_specs(connection, roots, who.audience_id)


def show_specs(connection: Connection, roots: Collection[int], audience_id: int | None) -> set[int]:
    """Let the graphs of these specs be seen by an audience too, or by everybody: those that were not."""
    rows = sorted((one,) for one in roots)
    if audience_id is not None:
        return {row.id for row in _SHOW.run(connection, rows, audience_id=audience_id)}
    shown = {row.id for row in _SHOW_TO_ALL.run(connection, rows, now=utc_now())}
    if shown:
        specs_change(connection)
    return shown


def may_see(connection: Connection, person_id: int, spec: Any) -> bool:
    """Whether a person may see a spec, of which a row has `id` and `is_public`."""
    return spec.is_public or bool(_MAY_SEE.run(connection, person_id=person_id, spec_id=spec.id))


def claims_for(connection: Connection, spec_ids: Iterable[int]) -> list[int]:
    """The claims without a spec that name one of these."""
    return [row.id for row in _WAITING.run(connection, sorted((one,) for one in spec_ids))]


def lead_specs(connection: Connection, ended: Mapping[int, int]) -> None:
    """Let whoever may see a spec that is no more see what it is now."""
    for old_id, new_id in sorted(ended.items()):
        for statement in _LEAD:
            statement.run(connection, old_id=old_id, new_id=new_id)
        _FORGET.run(connection, old_id=old_id)


def copy_audiences(connection: Connection, copies: Mapping[int, int]) -> None:
    """Let whoever may see a spec see another that was a part of it: by the new one's id, that of the old."""
    for new_id, old_id in sorted(copies.items()):
        for statement in _LEAD:
            statement.run(connection, old_id=old_id, new_id=new_id)


def set_of_claims(connection: Connection, build_id: int, audience_id: int | None) -> None:
    """Say anew for whom all reports of a build are."""
    _SET_OF_CLAIMS.run(connection, build_id=build_id, audience_id=audience_id)


def is_for_some(connection: Connection, build_id: int) -> bool:
    """Whether a build is not for everybody."""
    return bool(_IS_FOR_SOME.run(connection, build_id=build_id))
