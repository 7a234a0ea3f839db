"""Addresses of databases: SQLAlchemy's form of a URL, which knows several hosts, and libpq's."""

import re
from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

# `postgresql://user:password@one:5432,two:5432/name?…` as libpq has it.
_SEVERAL_HOSTS = re.compile(
    r"(?P<before>postgres(?:ql)?(?:\+\w+)?://(?:[^@/?]*@)?)(?P<hosts>[^/?]*,[^/?]*)(?P<after>.*)"
)


def parsed(address: str) -> URL:
    """The URL of a database; several hosts of PostgreSQL may be named with commas between.

    Raises ArgumentError and ValueError, as SQLAlchemy does.
    """
    several = _SEVERAL_HOSTS.fullmatch(address)
    if several is None:
        return make_url(address)
    url = make_url(several["before"] + several["after"])
    hosts = [*several["hosts"].split(","), *_given(url, "host")]
    return url.update_query_dict({"host": hosts})


def conninfo(url: URL) -> str:
    """What libpq is told of the same, as one text."""
    dialect: Any = PGDialect_psycopg
    _, keywords = dialect().create_connect_args(url.set(drivername="postgresql+psycopg"))
    return make_conninfo(**keywords)


def _given(url: URL, name: str) -> tuple[str, ...]:
    value = url.query.get(name, ())
    return (value,) if isinstance(value, str) else value
