"""Whatever refers to a build or to a run has an end of its own when that is no more."""

from spackmon.ingest.tables.hanging import OF_ATTEMPT, OF_BUILD
from spackmon.models import Attempt, Base, Build


def test_every_column_that_refers_to_a_build_or_a_run_is_registered() -> None:
    for model, register in ((Build, OF_BUILD), (Attempt, OF_ATTEMPT)):
        table = model.__table__
        # Numbers without a foreign key are called by the same name.
        referring = {
            (other.name, column.name)
            for other in Base.metadata.sorted_tables
            for column in other.columns
            if column.references(table.c.id) or column.name.endswith(f"{table.name}_id")
        }
        assert register.keys() == referring
