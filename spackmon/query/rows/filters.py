"""What the fields of a filter ask of a row.

Every condition is true or false, never unknown: what is not there differs from every value, so that `not`
gives exactly the other rows. An empty list, wherever it stands, matches nothing.
"""

import json
from collections.abc import Callable
from functools import reduce
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    case,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from spackmon.errors import Code, Refused
from spackmon.graph.parameters import indexed_name, indexed_value
from spackmon.graph.spec import Deptype
from spackmon.graph.versions import version_key
from spackmon.models import Compiler, OtherCompiler, Spec, Tag
from spackmon.query.rows.lookups import without_nul
from spackmon.query.rows.operators import all_of, checked, compared, contains, operands, unless
from spackmon.query.rows.ranges import few_of, newest_within
from spackmon.query.rows.relations import Above, Reported, Shared
from spackmon.query.rows.tags import Tags, sets_of
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Among, Belongs, Condition, Filtering, Predicate, Way, Ways
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Attribute, Scope, is_unique, referred_table
from spackmon.query.sql.values import Given, plain

_ONE = literal_column("1", Integer())


def compares(*path: Attribute, convert: Callable[[Any], Any] | None = None) -> Predicate:
    """A column, reached by foreign keys, compared by the operators that are given.

    `convert` turns an operand into what the column holds.
    """

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        holder, attribute = row.along(path[:-1]), path[-1]

        def holds(name: str, value: Given) -> ColumnElement[bool]:
            if name == "eq" and holder.reference is not None and holder.is_found_by(attribute):
                operand = filtering.bind(value, holder[attribute].type, convert or checked)
                # Of two indexes SQLite takes either: a row has few that belong to it, a person has many.
                leads = filtering.dialect_name != "sqlite" or not holder.is_led
                reference = holder.reference if leads else holder.reference + literal_column("0", Integer())
                return _refers(reference, holder, attribute, operand)
            return compared(name, holder[attribute], value, convert or checked, filtering)

        def of_value(column: ColumnElement[Any]) -> ColumnElement[bool]:
            return all_of(
                compared(name, column, value, convert or checked, filtering)
                for name, value in operands(given)
            )

        newest = newest_within(row, path, given, lambda other: predicate(other, given, filtering).holds)
        every = all_of(holds(name, value) for name, value in operands(given))
        return Condition(every, newest=newest, few=few_of(row, path, of_value))

    return predicate


def compares_shared(reference: Attribute, attribute: Attribute) -> Predicate:
    """A text that many rows share, which `reference` is the number of, is compared once for all of them."""
    is_always_there = not attribute.property.columns[0].nullable

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        text = row.beneath(referred_table(reference))

        def shares(passes: ColumnElement[bool]) -> ColumnElement[bool]:
            found = select(text.row_id).select_from(text.source).where(passes).correlate(None)
            # Where no text passes, no row is looked at.
            return and_(found.exists(), among(row[reference], found))

        def holds(name: str, value: Given) -> ColumnElement[bool]:
            if name == "isNull":
                none = (
                    row[reference].is_(None)
                    if is_always_there
                    else unless(shares(text[attribute].is_not(None)))
                )
                return none == filtering.bind(value, Boolean())
            if name in ("ne", "notIn"):
                return unless(holds("eq" if name == "ne" else "in", value))
            return shares(compared(name, text[attribute], value, checked, filtering))

        return Condition(all_of(holds(name, value) for name, value in operands(given)))

    return predicate


def compares_value(
    value_of: Callable[[Scope], ColumnElement[Any]], convert: Callable[[Any], Any] | None = None
) -> Predicate:
    """What is computed of a row, compared as a column is."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        column = value_of(row)
        return Condition(
            all_of(
                compared(name, column, value, convert or checked, filtering)
                for name, value in operands(given)
            )
        )

    return predicate


def compares_versions(*path: Attribute) -> Predicate:
    """A version key, compared as Spack orders versions."""
    return compares(*path, convert=lambda version: version_key(without_nul("version", version)))


def compares_parameter_names(*path: Attribute) -> Predicate:
    """The name of a parameter, as `graph.parameters` keeps it."""
    return compares(*path, convert=lambda name: indexed_name(without_nul("name", name)))


def has_element(*path: Attribute) -> Predicate:
    """A list of texts, kept as compact JSON, has an element, or is empty."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        column = row.along(path[:-1])[path[-1]]
        # A comma before each element, so that a quote behind one always begins an element.
        elements = constant(",").concat(func.substr(column, 2))

        def holds(name: str, value: Given) -> ColumnElement[bool]:
            if name == "isEmpty":
                return (column == constant("[]")) == filtering.bind(value, Boolean())
            element = filtering.bind(
                value, Text(), lambda text: "," + json.dumps(without_nul("contains", text))
            )
            return contains(elements, element, filtering)

        return Condition(all_of(holds(name, value) for name, value in operands(given)))

    return predicate


def has_deptype(*path: Attribute) -> Predicate:
    """A set of deptypes, kept as the sum of their bits, has one, or is exactly some."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        column = row.along(path[:-1])[path[-1]]

        def holds(name: str, value: Given) -> ColumnElement[bool]:
            if name == "contains":
                return column.bitwise_and(filtering.bind(value, Integer(), deptype_bit)) != 0
            bits = [filtering.bind(one, Integer(), deptype_bit) for one in filtering.each(value)]
            given_all = [column.bitwise_and(bit) != 0 for bit in bits]
            others = reduce(lambda rest, bit: rest.bitwise_and(bit.bitwise_not()), bits, column)
            return and_(*given_all, others == 0) if bits else false()

        return Condition(all_of(holds(name, value) for name, value in operands(given)))

    return predicate


def compares_parameter_values(*path: Attribute) -> Predicate:
    """An element of a parameter, as `graph.parameters` keeps it, compared with what Spack shows of it.

    A text stands for itself and for the truth value or the number that is written so.
    """

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        column = row.along(path[:-1])[path[-1]]

        def holds(name: str, value: Given) -> ColumnElement[bool]:
            values = value if name in ("in", "notIn") else Given([value])
            equal = or_(*(filtering.is_among(column, values, form) for form in (_as_text, _as_scalar)))
            return not_(equal) if name in ("ne", "notIn") else equal

        return Condition(all_of(holds(name, value) for name, value in operands(given)))

    return predicate


def _as_text(value: str) -> str:
    return indexed_value(without_nul("value", value))


def _as_scalar(value: str) -> str:
    if value.lower() in ("true", "false"):
        return value.lower()
    try:
        number = json.loads(value)
    except (ValueError, RecursionError):
        number = None
    return indexed_value(number) if isinstance(number, int | float) else _as_text(value)


def deptype_bit(deptype: Any) -> int:
    """The bit of a deptype that is given by its name."""
    return Deptype[str(plain(deptype))].value


def through(input_name: str, *path: Attribute) -> Predicate:
    """The row that foreign keys lead to, if there is one, passes a filter."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        other = row.along(path).present()
        passes = _passes(input_name, given, other, filtering)
        return Condition(and_(other.is_there(), passes))

    return predicate


def through_chosen(input_name: str, model: Any, row_id: Callable[[Scope], ColumnElement[Any]]) -> Predicate:
    """The row that SQL chooses for this one, if it chooses one, passes a filter."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        other = row.beneath(model.__table__)
        passes = _passes(input_name, given, other, filtering)
        rows = select(constant("")).select_from(other.joined()).where(other.has_id(row_id(row)), passes)
        return Condition(rows.correlate_except(None).exists())

    return predicate


def related(input_name: str, model: Any, belongs: Belongs, among: Among | None = None) -> Predicate:
    """Of the rows that belong to this one, `some`, `none` or `every` one passes; `among` may walk to it."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        asked = dict(operands(given))
        walk = among(row, asked["some"], filtering) if among and "some" in asked else None
        found = [quantified(*one, row, filtering, walk is not None) for one in asked.items()]
        holds, is_common = all_of(one for one, _ in found), found[0][1] if len(found) == 1 else None
        ways = None
        if is_common is not None and walk is None and "some" in asked:
            walked, _ = quantified("some", asked["some"], row, filtering, is_walked=True)
            ways = Ways(holds, (Way(is_common, walked), Way(not_(is_common), holds)))
        return Condition(holds, among=walk, ways=ways)

    def quantified(
        name: str, value: Given, row: Scope, filtering: Filtering, is_walked: bool
    ) -> tuple[ColumnElement[bool], ColumnElement[bool] | None]:
        """The condition, and whether what it seeks is common, if that is known."""
        other = row.beneath(model.__table__).led()
        belonging = (belongs.found if isinstance(belongs, Reported) else belongs)(row, other)
        conditions = _conditions(input_name, value, other, filtering)
        passes = all_of(
            one.holds if one.walked is None or not is_walked else one.walked for one in conditions
        )
        sought = unless(passes) if name == "every" else passes
        rows = select(constant("")).select_from(other.joined()).where(belonging, sought, *other.is_counted())
        if is_walked:
            # PostgreSQL asks it of a row at a time: else it joins all rows before it shows the first.
            rows = rows.limit(_ONE).offset(literal_column("0"))
        found: ColumnElement[bool] = rows.correlate_except(None).exists()
        if isinstance(belongs, Above) and filtering.dialect_name == "postgresql":
            # Over lists it cannot begin with those that pass, and would look each spec's up.
            passing = select(other.row_id).select_from(other.joined()).where(sought, *other.is_counted())
            found = belongs.has_one_of(row, passing.correlate(None))
        is_few = next((one.is_few for one in conditions if one.is_few is not None), None)
        if is_few is not None and name != "every" and isinstance(belongs, Shared):
            found = case((is_few, has_one_of_few(belongs, value, row, filtering)), else_=found)
        is_common = next((one.is_common for one in conditions if one.is_common is not None), None)
        return found if name == "some" else not_(found), is_common

    def has_one_of_few(
        belongs: Shared, value: Given, row: Scope, filtering: Filtering
    ) -> ColumnElement[bool]:
        """The same, where those that pass are looked up first: what they belong to is a list."""
        other = row.beneath(model.__table__)
        passes = _passes(input_name, value, other, filtering)
        owner = belongs.of_other(other)
        owners = select(owner).select_from(other.joined())
        owners = owners.where(passes, owner.is_not(None), *other.is_counted())
        return func.coalesce(belongs.of_row(row).in_(owners.correlate(None)), false())

    return predicate


def has_tags(input_name: str, tags: Tags) -> Predicate:
    """Of the tags of a row `some`, `none` or `every` one passes."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        asked = operands(given)
        holds = all_of(quantified(*one, row, filtering) for one in asked)
        is_some = [name for name, _ in asked] == ["some"] and not row.is_led and row.is_found_by(tags.ours)
        return Condition(holds, few=tags.found(row, sets(*asked[0], row, filtering)) if is_some else None)

    def sets(name: str, value: Given, row: Scope, filtering: Filtering) -> Select[Any]:
        """Those that have a tag that passes, or does not where `every` one is to."""
        tag = row.beneath(Tag.__table__)
        found = sets_of(tag)
        passes = _passes(input_name, value, tag, filtering)
        sought = unless(passes) if name == "every" else passes
        return select(found).select_from(tag.joined()).where(sought, *tag.is_counted()).correlate(None)

    def quantified(name: str, value: Given, row: Scope, filtering: Filtering) -> ColumnElement[bool]:
        have_one = tags.have_one(row, sets(name, value, row, filtering))
        return have_one if name == "some" else not_(have_one)

    return predicate


def compiler_passes(input_name: str) -> Predicate:
    """One of a spec's compilers passes a filter."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        def passing() -> Select[Any]:
            compiler = row.beneath(Compiler.__table__)
            passes = _passes(input_name, given, compiler, filtering)
            return select(compiler.row_id).select_from(compiler.joined()).where(passes)

        other = OtherCompiler.__table__.alias()
        mixed = select(other.c.spec_id).where(other.c.compiler_id.in_(passing()))
        # Nearly every spec has one compiler, which an index of its own finds.
        return Condition(or_(row[Spec.compiler_id].in_(passing()), row.is_exception(mixed)))

    return predicate


def specs_passing(given: Given, row: Scope, filtering: Filtering) -> Select[Any]:
    """The ids of all specs that pass a filter, whatever `row` they are asked for."""
    spec = row.beneath(Spec.__table__)
    passes = _passes("SpecFilter", given, spec, filtering)
    return select(spec.row_id).select_from(spec.joined()).where(passes)


def all_hold(input_name: str) -> Predicate:
    """Every filter of a list holds."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        filters = filtering.each(given)
        parts = [part for one in filters for part in _conditions(input_name, one, row, filtering)]
        return Condition(all_of(part.holds for part in parts) if filters else false(), parts=tuple(parts))

    return predicate


def one_holds(input_name: str) -> Predicate:
    """At least one filter of a list holds."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        return Condition(
            or_(false(), *(_passes(input_name, one, row, filtering) for one in filtering.each(given)))
        )

    return predicate


def does_not_hold(input_name: str) -> Predicate:
    """A filter does not hold."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        return Condition(unless(_passes(input_name, given, row, filtering)))

    return predicate


def _refers(
    reference: ColumnElement[Any], row: Scope, attribute: Attribute, operand: ColumnElement[Any]
) -> ColumnElement[bool]:
    """The row that a foreign key refers to has a value in a column that leads an index of its table.

    That some row has it is asked once for the statement: of a host that nobody has, no build is looked at.
    Where only one may have it, what refers to the row is compared with its id, so that an index of it serves.
    """
    named = row.beneath(row.table)
    found = select(named.row_id).select_from(named.source).where(named[attribute] == operand)
    if is_unique(attribute):
        row_id = found.correlate(None).scalar_subquery()
        return and_(row_id.is_not(None), reference == row_id)
    return and_(found.correlate(None).exists(), row[attribute] == operand)


def _passes(input_name: str, given: Given, row: Scope, filtering: Filtering) -> ColumnElement[bool]:
    return all_of(condition.holds for condition in _conditions(input_name, given, row, filtering))


def _conditions(input_name: str, given: Given, row: Scope, filtering: Filtering) -> list[Condition]:
    if given.value is None:
        raise Refused(Code.FILTER_NULL, f"a {input_name} in a list or a relation must not be null")
    return filtering.all_of(input_name, given, row)
