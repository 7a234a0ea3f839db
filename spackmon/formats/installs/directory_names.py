"""What the name of a prefix or of a stage tells: `libgreet-2.0-xj63m6lwsborawqxekke3hb5oqagtdf7`.

A site may name its prefixes otherwise, so that this is asked only where the files themselves do not tell.
"""

import re
from typing import NamedTuple

_NAME = re.compile(r"(?P<label>[\w.+=-]{1,400})-(?P<hash>[a-z2-7]{32})", re.ASCII)
# Versions begin with a digit far more often than a later word of a package's name does.
_PACKAGE = re.compile(r"(?P<package>[\w.+-]+?)(?:-(?=\d).*)?")


class NamedBuild(NamedTuple):
    """A spec's DAG hash and its package, as far as the name tells."""

    package_name: str
    spec_hash: str


def named_build(directory_name: str) -> NamedBuild | None:
    """What is built there; None where the name is of another kind."""
    named = _NAME.fullmatch(directory_name)
    if named is None:
        return None
    package = _PACKAGE.fullmatch(named["label"])
    return NamedBuild(package["package"] if package else named["label"], named["hash"])
