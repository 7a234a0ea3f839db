"""The profiles of hypothesis, for all property tests alike.

The suite tries the same examples each time, so that what failed fails again; `make fuzz` tries others.
An example that takes long says how busy the machine is and fails no test.
"""

import os

from hypothesis import HealthCheck, settings

# A database whose rows grow from example to example is what several properties are about.
_UNCHECKED = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)

settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, print_blob=True, suppress_health_check=_UNCHECKED
)
settings.register_profile("fuzz", parent=settings.get_profile("suite"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def examples(on_sqlite: int, *, is_sqlite: bool) -> settings:
    """How many of a property that stores something: its rules are tried on the quicker database.

    The other, of which the statements are what may differ, has a third of them.
    """
    return settings(max_examples=on_sqlite if is_sqlite else on_sqlite // 3)
