"""Every row of a site, loaded by the ORM, and the few ways to find them again."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from spackmon.database import Database
from spackmon.graph.compilers import LANGUAGE_BITS
from spackmon.models import (
    Analysis,
    Attempt,
    Attribute,
    Base,
    Build,
    BuildEvent,
    ConfigureArguments,
    EnvironmentVariable,
    EventContext,
    InstallFile,
    NotificationChannel,
    NotificationDelivery,
    NotificationRule,
    OtherCompiler,
    Phase,
    PhaseKind,
    Spec,
    SpecCompiler,
    TagSetMember,
)
from spackmon.models.places import number_of
from spackmon.viewer import OPERATOR, Viewer


class Rows:
    """The tables of a test-size site, as objects, and as somebody may see them."""

    def __init__(self, database: Database, viewer: Viewer = OPERATOR) -> None:
        self._by: dict[tuple[Any, str], dict[Any, list[Any]]] = {}
        self._tables: dict[Any, list[Any]] = {}

        def load(connection: Any) -> None:
            with Session(connection, expire_on_commit=False) as session:
                for mapper in Base.registry.mappers:
                    self._tables[mapper.class_] = list(session.scalars(select(mapper.class_)))
                for model in (BuildEvent, Analysis, Attribute):
                    # Those of a claim that another one knows better are nobody's.
                    counted = [row for row in self._tables[model] if row.attempt_id is not None]
                    self._tables[model] = counted
                session.expunge_all()

        database.read_once(load)
        own = [
            (spec.id, language, spec.compiler_id)
            for spec in self._tables[Spec]
            for language, bit in LANGUAGE_BITS.items()
            if spec.compiler_languages & bit
        ]
        others = [(one.spec_id, one.language, one.compiler_id) for one in self._tables[OtherCompiler]]
        self._tables[SpecCompiler] = [
            SpecCompiler(spec_id=spec_id, language=language, compiler_id=compiler_id)
            for spec_id, language, compiler_id in own + others
        ]
        self._repeat_shared_texts()
        for phase in self._tables[Phase]:
            kind = self.get(PhaseKind, phase.kind_id)
            phase.name, phase.position, phase.status = kind.name, kind.position, kind.status
            phase.id = number_of(phase.attempt_id, phase.place)
        if not viewer.sees_details:
            self._tables[EnvironmentVariable] = []
            for file in self._tables[InstallFile]:
                file.owner = file.group = None
        if not viewer.sees_all:
            for model in (NotificationRule, NotificationChannel, NotificationDelivery):
                self._tables[model] = []

    def _repeat_shared_texts(self) -> None:
        for run in (*self._tables[Attempt], *self._tables[Build]):
            arguments = self.get(ConfigureArguments, run.configure_arguments_id)
            run.configure_arguments = arguments and arguments.text
        for event in self._tables[BuildEvent]:
            context = self.get(EventContext, event.context_id)
            event.pre_context = context and context.pre_context
            event.post_context = context and context.post_context

    def all(self, model: Any) -> Sequence[Any]:
        """All rows of a table."""
        return self._tables[model]

    def by(self, model: Any, column: str, value: Any) -> list[Any]:
        """The rows of a table with this value in a column."""
        index = self._by.get((model, column))
        if index is None:
            index = defaultdict(list)
            for row in self._tables[model]:
                index[getattr(row, column)].append(row)
            self._by[model, column] = index
        return index.get(value, [])

    def get(self, model: Any, row_id: int | None) -> Any:
        """The row with this id, or None."""
        found = self.by(model, "id", row_id)
        return found[0] if found else None

    @cached_property
    def tags_of_attempts(self) -> dict[int, set[int]]:
        """The ids of a run's tags."""
        found: dict[int, set[int]] = defaultdict(set)
        for attempt in self._tables[Attempt]:
            members = self.by(TagSetMember, "tag_set_id", attempt.tag_set_id)
            found[attempt.id].update(member.tag_id for member in members)
        return found


def identity(row: Any) -> list[Any]:
    """The values of a row's primary key."""
    mapper = inspect(type(row))
    return [getattr(row, mapper.get_property_by_column(column).key) for column in mapper.primary_key]
