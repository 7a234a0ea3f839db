"""Groups of people, and whom a person's reports are for."""

import re
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from spackmon.auth.audit import Action, Actor, note
from spackmon.auth.people import person_named
from spackmon.errors import Code, Refused
from spackmon.ingest.locks import lock_packages
from spackmon.ingest.tables import builds
from spackmon.ingest.tables.audiences import audience, is_for_some, set_of_claims
from spackmon.ingest.tables.changes import note_changes
from spackmon.ingest.tables.facets import Settled
from spackmon.models import DefaultAudience, Group, GroupMember, Person, utc_now
from spackmon.status import Visibility

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A group as lists show it."""

    name: str
    members: tuple[str, ...]


def add_group(connection: Connection, name: str, by: Actor | None = None) -> None:
    """Add a group without members. Raises Refused GROUP_NAME_INVALID and GROUP_EXISTS."""
    if not _NAME.fullmatch(name):
        raise Refused(
            Code.GROUP_NAME_INVALID,
            f"{name!r} cannot be a group's name: expected letters, digits and . _ @ + -",
        )
    try:
        with connection.begin_nested():
            connection.execute(insert(Group).values(name=name, created_at=utc_now()))
    except IntegrityError:
        raise Refused(Code.GROUP_EXISTS, f"there is a group named {name!r} already") from None
    note(connection, by, Action.GROUP_ADDED, name)


def group_named(connection: Connection, name: str) -> int:
    """The id of the group with this name. Raises Refused GROUP_UNKNOWN."""
    group_id = connection.execute(select(Group.id).where(Group.name == name)).scalar()
    if group_id is None:
        raise Refused(
            Code.GROUP_UNKNOWN, f"there is no group named {name!r}: add one with `spackmon group add`"
        )
    return group_id


def add_member(connection: Connection, group: str, person: str, by: Actor | None = None) -> None:
    """Let a person see what is for a group. Raises Refused GROUP_UNKNOWN and PERSON_UNKNOWN."""
    member = {"group_id": group_named(connection, group), "person_id": person_named(connection, person)}
    is_there = [getattr(GroupMember, name) == value for name, value in member.items()]
    if connection.execute(select(GroupMember.group_id).where(*is_there)).first() is None:
        connection.execute(insert(GroupMember).values(member))
        note(connection, by, Action.MEMBER_ADDED, person, group)


def remove_member(connection: Connection, group: str, person: str, by: Actor | None = None) -> None:
    """Let a person see no longer what is for a group. Raises Refused as `add_member`."""
    group_id, person_id = group_named(connection, group), person_named(connection, person)
    is_it = GroupMember.group_id == group_id, GroupMember.person_id == person_id
    if connection.execute(delete(GroupMember).where(*is_it)).rowcount:
        note(connection, by, Action.MEMBER_REMOVED, person, group)


def list_groups(connection: Connection) -> list[GroupRecord]:
    """All groups with their members, by name."""
    rows = connection.execute(
        select(Group.name, Person.name.label("member"))
        .outerjoin(GroupMember, GroupMember.group_id == Group.id)
        .outerjoin(Person, Person.id == GroupMember.person_id)
        .order_by(Group.name, Person.name)
    )
    members: dict[str, list[str]] = {}
    for row in rows:
        members.setdefault(row.name, []).extend([row.member] if row.member else [])
    return [GroupRecord(name, tuple(of_group)) for name, of_group in members.items()]


def set_default_visibility(
    connection: Connection,
    person: str,
    visibility: Visibility,
    group: str | None = None,
    by: Actor | None = None,
) -> None:
    """Say whom a person's reports are for from now on; a group is for PRIVATE ones alone.

    Raises Refused PERSON_UNKNOWN, GROUP_UNKNOWN, and VISIBILITY_INVALID.
    """
    person_id = person_named(connection, person)
    audience_id = audience_of(connection, visibility, person_id, group)
    connection.execute(delete(DefaultAudience).where(DefaultAudience.person_id == person_id))
    if audience_id is not None:
        connection.execute(insert(DefaultAudience).values(person_id=person_id, audience_id=audience_id))
    note(connection, by, Action.VISIBILITY_CHANGED, person, f"reports: {_in_words(visibility, group)}")


def set_build_visibility(
    connection: Connection,
    build_id: int,
    visibility: Visibility,
    group: str | None = None,
    by: Actor | None = None,
) -> None:
    """Say anew who may see a build, with all that was reported of it until now.

    Raises Refused BUILD_UNKNOWN, GROUP_UNKNOWN and VISIBILITY_INVALID.
    """
    build = builds.read_build(connection, build_id)
    if build is None:
        raise _unknown(build_id)
    audience_id = audience_of(connection, visibility, build.owner_id, group)
    lock_packages(connection, {build.package_id})
    set_of_claims(connection, build.id, audience_id)
    settled = Settled()
    builds.settle_builds(connection, [build.id], utc_now(), settled)
    settled.count(connection)
    note_changes(connection, builds=[build.id])
    owner = connection.execute(select(Person.name).where(Person.id == build.owner_id)).scalar_one()
    detail = f"build {build.id}: {_in_words(visibility, group)}"
    note(connection, by, Action.VISIBILITY_CHANGED, owner, detail)


def set_visibility_of_own(
    connection: Connection,
    person_id: int,
    build_id: int,
    visibility: Visibility,
    group: str | None,
    by: Actor,
) -> None:
    """`set_build_visibility` of a build that is this person's, for a group that the person is in.

    Raises Refused as that, and BUILD_NOT_YOURS; what is not everybody's is unknown to all but its owner.
    """
    build = builds.read_build(connection, build_id)
    if build is not None and build.owner_id != person_id:
        if is_for_some(connection, build.id):
            raise _unknown(build_id)
        raise Refused(Code.BUILD_NOT_YOURS, f"build {build_id} belongs to somebody else")
    if group is not None:
        theirs = select(Group.id).join(GroupMember, GroupMember.group_id == Group.id)
        is_one = Group.name == group, GroupMember.person_id == person_id
        if connection.execute(theirs.where(*is_one)).first() is None:
            raise Refused(Code.GROUP_UNKNOWN, f"you are in no group named {group!r}")
    set_build_visibility(connection, build_id, visibility, group, by)


def _unknown(build_id: int) -> Refused:
    return Refused(Code.BUILD_UNKNOWN, f"there is no build {build_id}")


def _in_words(visibility: Visibility, group: str | None) -> str:
    return f"{visibility.value} for {group}" if group else visibility.value


def audience_of(
    connection: Connection, visibility: Visibility, owner_id: int, group: str | None
) -> int | None:
    """The audience that somebody names; None for everybody. Raises Refused as `set_default_visibility`."""
    if group is not None and visibility is not Visibility.PRIVATE:
        raise Refused(Code.VISIBILITY_INVALID, f"a group is for what is PRIVATE: {visibility.value} has none")
    return audience(
        connection, visibility, owner_id, None if group is None else group_named(connection, group)
    )
