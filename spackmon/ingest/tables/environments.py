"""The machines that builds run on: one row for each, whoever of several clients names it first."""

import dataclasses

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, get_or_create
from spackmon.runs.claim import Machine
from spackmon.submission import Environment

NO_ENVIRONMENT = Environment("", "", "", "", "")

_FIND = Statement(
    """
    SELECT id FROM build_environment
    WHERE hostname = :hostname AND platform = :platform AND operating_system = :operating_system
        AND target = :target AND kernel_version = :kernel_version
    {lock}
    """,
    lock="FOR KEY SHARE",
)

_INSERT = Statement(
    """
    INSERT INTO build_environment (hostname, platform, operating_system, target, kernel_version)
    VALUES (:hostname, :platform, :operating_system, :target, :kernel_version)
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)


def get_or_create_environment(connection: Connection, environment: Environment | Machine) -> tuple[int, bool]:
    """The id of an environment, and whether it is new."""
    values = dataclasses.asdict(environment)
    return get_or_create(lambda: _FIND.run(connection, **values), lambda: _INSERT.run(connection, **values))
