"""The machines that builds run on: one row for each, whoever of several clients names it first."""

import dataclasses

from sqlalchemy import Connection

from spackmon.formats.submission import Environment
from spackmon.ingest.rows import Statement

NOTHING_TOLD = Environment("", "", "", "", "")

_FIND = Statement(
    """
    SELECT id FROM build_environment
    WHERE hostname = :hostname AND platform = :platform AND operating_system = :operating_system
        AND target = :target AND kernel_version = :kernel_version
    """
)

_INSERT = Statement(
    """
    INSERT INTO build_environment (hostname, platform, operating_system, target, kernel_version)
    VALUES (:hostname, :platform, :operating_system, :target, :kernel_version)
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)

_READ = Statement(
    """
    SELECT hostname, platform, operating_system, target, kernel_version FROM build_environment WHERE id = :id
    """
)


def environment_of(connection: Connection, environment_id: int) -> Environment:
    """The environment with this id, which exists."""
    return Environment(*_READ.run(connection, id=environment_id)[0])


def completed_environment(
    known: Environment, known_no_machine: bool, told: Environment, told_no_machine: bool
) -> Environment:
    """What two sources know together; of one that names no machine only the target counts beside another."""
    if known_no_machine and not told_no_machine:
        return dataclasses.replace(told, target=told.target or known.target)
    if told_no_machine and not known_no_machine:
        return dataclasses.replace(known, target=known.target or told.target)
    fields = (field.name for field in dataclasses.fields(Environment))
    return Environment(*(getattr(known, name) or getattr(told, name) for name in fields))


def get_or_create_environment(connection: Connection, environment: Environment) -> tuple[int, bool]:
    """The id of an environment, and whether it is new."""
    values = dataclasses.asdict(environment)
    found = _FIND.run(connection, **values)
    if found:
        return found[0].id, False
    created = _INSERT.run(connection, **values)
    if created:
        return created[0].id, True
    return _FIND.run(connection, **values)[0].id, False
