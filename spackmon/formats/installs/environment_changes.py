"""What Spack changed in the environment before it built: `export CC=/opt/gcc;`, `unset CFLAGS;`, one a line.

The whole environment of the process, which 0.16 and every failed stage keep beside it or under the same name
(`CC=/opt/gcc; export CC`), may hold the passwords and tokens of whoever built: of that nothing is taken.
"""

import re

from spackmon.formats.bytes.fields import FieldUnfit, short_text

_CHANGE = re.compile(
    r"(?:unset (?P<unset>\w+)"
    # A value as shlex.quote writes it: bare, or in quotes with every quote in it as '"'"'.
    r"|export (?P<name>\w+)=(?P<value>(?:[^\s'\"\\]|'[^']*'|\"[^\"]*\")*)"
    r");(?:\n|\Z)"
)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def environment_changes(text: str, file_name: str) -> dict[str, str] | None:
    """The variables that were set, by name; None where `text` is the whole environment of a process.

    Raises FieldUnfit naming the line, where a change is followed by something else.
    """
    variables = {}
    position = 0
    while position < len(text):
        change = _CHANGE.match(text, position)
        if change is None:
            if position == 0:
                return None
            line = text.count("\n", 0, position) + 1
            raise FieldUnfit(f"{file_name}, line {line}: expected `export NAME=VALUE;` or `unset NAME;`")
        if change["name"] is not None:
            name = short_text(change["name"], file_name)
            variables[name] = _QUOTED.sub(lambda quoted: quoted[1] or quoted[2] or "", change["value"])
        position = change.end()
    return variables
