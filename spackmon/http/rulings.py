"""What a person says of a group of errors, over HTTP: only of groups that this person may see."""

from spackmon.errors import Code, Refused
from spackmon.http.services import Services
from spackmon.ingest.grouping import group_unknown, rule
from spackmon.models import utc_now
from spackmon.status import GroupAction
from spackmon.viewer import Viewer

_GROUP = "query ($fingerprint: String!) { errorGroup(fingerprint: $fingerprint) { id } }"


def action_named(name: object) -> GroupAction:
    """The action of a name. Raises Refused FIELD_INVALID."""
    if not isinstance(name, str) or name not in GroupAction.__members__:
        raise Refused(
            Code.FIELD_INVALID, f"`action` must be one of {', '.join(GroupAction)}, it is {str(name)[:50]!r}"
        )
    return GroupAction[name]


async def rule_as(
    services: Services,
    person_id: int,
    viewer: Viewer,
    fingerprint: str,
    action: GroupAction,
    value: str | None,
) -> None:
    """Do with the group of a fingerprint what a person says, who sees it as `viewer`: `ingest.grouping.rule`.

    Raises Refused ERROR_GROUP_UNKNOWN, also for a group that this person may not see, and ARGUMENT_INVALID.
    """
    await _see(services, viewer, fingerprint)
    if action is GroupAction.MERGE and value:
        await _see(services, viewer, value)
    await services.database.write_held(
        lambda connection: rule(connection, fingerprint, action, value, person_id, utc_now())
    )


async def _see(services: Services, viewer: Viewer, fingerprint: str) -> None:
    query = services.query.seen_by(viewer)
    if (await query.ask(_GROUP, {"fingerprint": fingerprint}, is_limited=True))["errorGroup"] is None:
        raise group_unknown(fingerprint)
