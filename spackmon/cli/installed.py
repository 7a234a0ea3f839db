"""What is installed: the client alone, or the server too (`pip install 'spackmon[server]'`)."""

from importlib.util import find_spec

from spackmon.errors import Code, Refused


def has_server() -> bool:
    """Whether the packages are there that only the server needs."""
    return find_spec("sqlalchemy") is not None


def without_server(what: str) -> Refused:
    """The answer to who wants `what` of an installation that is the client alone."""
    return Refused(Code.SERVER_NOT_INSTALLED, f"{what} needs the server: pip install 'spackmon[server]'")
