"""What Spacks judge differently about the same spec: the rules that changed, by the version that has them."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one Spack where they are not those of all; docs/spec-language.md has them as a table."""

    takes_lone_percent: bool
    """`zlib %` is `zlib %*`, and no mistake."""

    needs_every_virtual: bool
    """`%c,cxx=gcc` asks for one edge that provides both, not for one that provides either."""

    keeps_percent_with_caret: bool
    """In `^gcc %gcc` and `^ %gcc` the `%` belongs to what `^` found, and is asked for only with it.

    Otherwise it is the spec's own where no other name tells whose it is, and where a condition of the `^`
    does not hold, it is asked of any dependency of the name, or of the spec itself.
    """

    has_deptypes_of_caret: bool
    """`^[deptypes=run] python` asks for an edge with these deptypes; otherwise they mean nothing."""

    has_compiler_beside_edges: bool
    """A compiler of before 1.0 is a build dependency that provides c, cxx and fortran, beside the others.

    Otherwise `^` does not see it, `%` sees it alone in specs that a Spack of format v5 wrote again, and what
    it provides and how it is needed is not looked at.
    """


class SpackVersion(Enum):
    """The Spacks whose judgement can be asked for."""

    SPACK_1_2 = "SPACK_1_2"
    SPACK_1_3 = "SPACK_1_3"


RULES = {
    SpackVersion.SPACK_1_2: Rules(
        takes_lone_percent=False,
        needs_every_virtual=False,
        keeps_percent_with_caret=False,
        has_deptypes_of_caret=False,
        has_compiler_beside_edges=False,
    ),
    SpackVersion.SPACK_1_3: Rules(
        takes_lone_percent=True,
        needs_every_virtual=True,
        keeps_percent_with_caret=True,
        has_deptypes_of_caret=True,
        has_compiler_beside_edges=True,
    ),
}
