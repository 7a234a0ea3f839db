"""How a root field's arguments name one row."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Text,
    case,
    cast,
    exists,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSON

from spackmon.errors import Code, Refused
from spackmon.models import (
    Advisory,
    Build,
    EarlierPhase,
    ErrorGroup,
    InstallFile,
    MergedBuild,
    Package,
    Spec,
    SpecHash,
)
from spackmon.models.claims import NUMBERS_OF_CHUNK
from spackmon.models.places import is_earlier, number_column
from spackmon.query.sql.conditions import Filtering, Finder, Found
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.values import Given

MINIMUM_PREFIX = 7
# Each id of `nodes` is a piece of the statement.
MAXIMUM_IDS = 100
# What stands before a build's number, in place of a hash of its spec.
_BUILD = "Build:"
PHASE = "BuildPhase"
# Above every character of a hash, in byte order.
_HIGHEST_CHARACTER = constant("~")


def number_of_id(type_name: str, argument: str = "id") -> Callable[[str], int]:
    """Reads an id: `TypeName:number`, as this schema writes ids, or the bare number. Refused ID_INVALID."""

    def number(identifier: str) -> int:
        digits = identifier.removeprefix(f"{type_name}:")
        if digits.isascii() and digits.isdigit() and len(digits) < 19:
            return int(digits)
        raise Refused(
            Code.ID_INVALID,
            f"`{argument}` must be a number or {type_name}:number, it is {identifier[:100]!r}",
        )

    return number


def by_id(type_name: str) -> Finder:
    """Finds a row by `id`."""
    number = number_of_id(type_name)

    def find(arguments: Mapping[str, Given], filtering: Filtering) -> Found:
        row_id = filtering.bind(arguments["id"], BigInteger, number)
        if type_name == PHASE and filtering.decided(arguments["id"], names_earlier_phase):
            return Found(number_since(row_id, filtering))
        return Found(present_number(row_id) if type_name == "Build" else row_id)

    return find


def present_number(build_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """The number that the build has now: a client may know one that turned out to be another build."""
    other = select(MergedBuild.build_id).where(MergedBuild.id == build_id).scalar_subquery()
    return func.coalesce(other, build_id)


def names_earlier_phase(identifier: str) -> bool:
    """Whether an id has a number of when phases had numbers of their own."""
    digits = identifier.rpartition(":")[2]
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and is_earlier(int(digits))


def number_since(number: ColumnElement[Any], filtering: Filtering) -> ColumnElement[Any]:
    """The number that a phase has which had this one earlier; 0, which none has, where there was none."""
    chunk_size, one = (literal_column(str(value), Integer()) for value in (NUMBERS_OF_CHUNK, 1))
    chunk = (number - one) // chunk_size
    place = cast(number - one - chunk * chunk_size, Integer)

    def of(listed: Any) -> ColumnElement[Any]:
        if filtering.dialect_name == "sqlite":
            path = constant("$[").concat(cast(place, Text)).concat(constant("]"))
            return func.json_extract(listed, path, type_=BigInteger())
        return cast(cast(listed, JSON).op("->>")(place), BigInteger)

    now = number_column(of(EarlierPhase.attempt_ids), of(EarlierPhase.places))
    found = select(now).where(EarlierPhase.chunk == chunk, number >= one)
    return func.coalesce(found.scalar_subquery(), literal_column("0"))


def type_of_id(identifier: str) -> str:
    """What stands before the colon of an id; empty for a bare number."""
    return identifier.rpartition(":")[0]


def package_by_name(arguments: Mapping[str, Given], filtering: Filtering) -> Found:
    """Finds a package by its name."""
    name = filtering.bind(arguments["name"], Text, lambda text: without_nul("name", text))
    return Found(select(Package.id).where(Package.name == name).scalar_subquery())


def error_group_by_fingerprint(arguments: Mapping[str, Given], filtering: Filtering) -> Found:
    """Finds a group of errors by what they have in common."""
    fingerprint = filtering.bind(
        arguments["fingerprint"], Text, lambda text: without_nul("fingerprint", text)
    )
    present = func.coalesce(ErrorGroup.merged_into_id, ErrorGroup.id)
    return Found(select(present).where(ErrorGroup.fingerprint == fingerprint).scalar_subquery())


def advisory_by_identifier(arguments: Mapping[str, Given], filtering: Filtering) -> Found:
    """Finds an advisory by its identifier."""
    identifier = filtering.bind(arguments["identifier"], Text, lambda text: without_nul("identifier", text))
    return Found(select(Advisory.id).where(Advisory.identifier == identifier).scalar_subquery())


def file_by_hash(arguments: Mapping[str, Given], filtering: Filtering) -> Found:
    """Finds an installed file by the hash of its content."""
    value = filtering.bind(arguments["hash"], Text, lambda text: without_nul("hash", text))
    return Found(select(func.min(InstallFile.id)).where(InstallFile.hash == value).scalar_subquery())


def spec_by_hash_or_id(arguments: Mapping[str, Given], filtering: Filtering, argument: str = "hash") -> Found:
    """Finds a spec by any whole hash of it, by a prefix that only one has, by a build, or by its id.

    `argument` is what the field calls the hash. A whole hash may have been shown with several specs (before
    format v3 a DAG hash does not cover all of a spec): the one whose identity it is comes first, then the
    latest.
    """
    if ("id" in arguments) == ("hash" in arguments):
        raise Refused(Code.ARGUMENT_INVALID, "give `spec` either `hash` or `id`")
    if "id" in arguments:
        return by_id("Spec")(arguments, filtering)
    if filtering.decided(arguments["hash"], _names_build):
        # A statement of its own: that of a hash reads specs alone, so that its answer can be kept.
        build_id = filtering.bind(arguments["hash"], BigInteger, number_of_id("Build", argument))
        of_build = select(Build.spec_id).where(Build.id == present_number(build_id))
        return Found(of_build.scalar_subquery())
    value = filtering.bind(arguments["hash"], Text, partial(_whole_or_prefix, argument))
    is_identity = exists().where(Spec.id == SpecHash.spec_id, Spec.hash_kind == SpecHash.kind)
    one: ColumnElement[Any] = literal_column("1")
    whole = (
        select(SpecHash.spec_id)
        .where(SpecHash.value == value)
        .order_by(case((is_identity, 0), else_=1), SpecHash.spec_id.desc())
        .limit(one)
    )
    # One row is read of each, and PostgreSQL knows that: it would plan a statement that adds all up anew for
    # each prefix, which costs more than the answer.
    starting = SpecHash.__table__.alias().c
    starts_so = starting.value >= value, starting.value < value.concat(_HIGHEST_CHARACTER)
    some = select(starting.spec_id).where(*starts_so).order_by(starting.value).limit(one).scalar_subquery()
    other = exists().where(
        SpecHash.value >= value, SpecHash.value < value.concat(_HIGHEST_CHARACTER), SpecHash.spec_id != some
    )
    return Found(
        func.coalesce(whole.scalar_subquery(), some),
        ~exists().where(SpecHash.value == value) & other,
        Code.SPEC_HASH_AMBIGUOUS,
        "several specs have a hash that starts so: give more of its characters",
    )


def _names_build(text: str) -> bool:
    """Whether a build is named instead of a hash."""
    return text.startswith(_BUILD)


def _whole_or_prefix(argument: str, text: str) -> str:
    if len(text) < MINIMUM_PREFIX:
        raise Refused(
            Code.HASH_TOO_SHORT, f"`{argument}` needs at least {MINIMUM_PREFIX} characters, it is {text!r}"
        )
    return without_nul(argument, text)


def without_nul(name: str, text: str) -> str:
    """The text, unless it has a NUL or a lone surrogate, which no database text has."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)):
        raise Refused(
            Code.ARGUMENT_INVALID, f"`{name}` must be text without NUL characters or lone surrogates"
        )
    return text
