"""A claim's phases are the same after they were some bytes."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from spackmon.runs.claim import PhaseClaim
from spackmon.runs.packed_phases import logs_of, pack, unpack

SINCE = datetime(2022, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1))
seconds = st.none() | st.floats(0, 1e6) | st.floats(0, 1e6).map(lambda number: round(number, 6))
phases = st.builds(
    PhaseClaim,
    name=st.sampled_from(["configure", "build", "spack-build-out", "0", "größer", ',null]"']),
    position=st.integers(1, 6),
    status=st.sampled_from(["SUCCESS", "ERROR", "odd", "1"]),
    duration_seconds=seconds,
    reported_at=moments.map(lambda moment: moment.replace(tzinfo=UTC)),
    log_id=st.none() | st.integers(1, 2**31 - 1),
    mark=st.none() | moments.map(datetime.isoformat) | st.sampled_from(["", "2022-01-02", "7"]),
    cpu_seconds=seconds,
    peak_memory_bytes=st.none() | st.integers(0, 2**60),
)


@settings(max_examples=200)
@given(st.lists(phases, max_size=5, unique_by=lambda phase: phase.name))
def test_what_is_packed_comes_out_as_it_was_by_its_positions(claimed: list[PhaseClaim]) -> None:
    packed = pack(claimed, SINCE)
    ordered = sorted(claimed, key=lambda phase: (phase.position, phase.name))
    assert unpack(packed, SINCE, defaultdict(int)) == tuple(ordered)
    assert logs_of(packed) == [(phase.name, phase.log_id) for phase in ordered]


def test_what_old_clients_send_takes_no_more_than_its_numbers() -> None:
    mark = (SINCE + timedelta(seconds=2)).replace(tzinfo=None).isoformat()
    reported = [
        PhaseClaim(name, place, "SUCCESS", None, SINCE + timedelta(seconds=place), place, mark=mark)
        for place, name in enumerate(("autoreconf", "configure"), 1)
    ]
    packed = pack(reported, SINCE)
    assert packed is not None
    assert packed.hex(" ") == (
        "02 00 00 00 01 00 00 00 02 07 01 80 89 7a 01 80 92 f4 01 0e 01 80 92 f4 01 01 80 92 f4 01"
    )
    assert pack([], SINCE) is None
