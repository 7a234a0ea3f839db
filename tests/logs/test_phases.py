"""Whole logs divided into phases, and the times in them."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from spackmon.logs.phases import divide, first_time, last_time

TIMED = b"==> [2026-11-22-09:12:08.340736] '/usr/bin/make' '-j2'\n"
LOG = (
    b"==> libgreet: Executing phase: 'edit'\n"
    b"==> libgreet: Executing phase: 'build'\n"
    + TIMED
    + b"greet.c:6:39: warning: unused variable \xe9\n"
    + b"==> libgreet: Executing phase: 'install'\n"
    + b"==> [2026-11-22-09:12:09.260509] '/usr/bin/make' 'install'\n"
)
PIECES = st.sampled_from(
    [
        b"==> libgreet: Executing phase: 'build'",
        b"==> libgreet: Executing phase: 'install'\n",
        b"\x1b[1;34m==>\x1b[0m libgreet: Executing phase: '\x1b[0;94mtest\x1b[0m'\n",
        b"==> zlib: Executing phase: 'build'\n",
        b"==> [9999-99-99-99:99:99.999999]\n",
        TIMED,
        b": Executing phase: '",
        b"\n",
        b"\x00\xff" * 200,
    ]
)


def test_a_log_is_divided_at_the_lines_that_name_a_phase() -> None:
    divided = divide(LOG)
    assert divided.preamble == b""
    assert [(phase.package, phase.name, phase.text.count(b"\n")) for phase in divided.phases] == [
        ("libgreet", "edit", 1),
        ("libgreet", "build", 3),
        ("libgreet", "install", 2),
    ]


@given(st.lists(st.one_of(PIECES, st.binary(max_size=30)), max_size=20).map(b"".join))
def test_preamble_and_phases_joined_are_the_log(log: bytes) -> None:
    divided = divide(log)
    assert divided.preamble + b"".join(phase.text for phase in divided.phases) == log
    names = [phase.name for phase in divided.phases]
    assert len(set(names)) == len(names)


def test_colours_do_not_hide_a_phase_nor_a_time() -> None:
    colourful = LOG.replace(b"==>", b"\x1b[1;34m==>\x1b[0m").replace(b"'build'", b"'\x1b[0;94mbuild\x1b[0m'")
    assert [phase.name for phase in divide(colourful).phases] == ["edit", "build", "install"]
    assert first_time(colourful) == datetime(2026, 11, 22, 9, 12, 8, 340736)


def test_spacks_before_0_16_name_the_phase_alone() -> None:
    divided = divide(LOG.replace(b"libgreet: Exec", b"Exec"))
    assert [(phase.package, phase.name) for phase in divided.phases] == [
        (None, "edit"), (None, "build"), (None, "install"),
    ]  # fmt: skip


def test_what_a_command_prints_about_other_packages_begins_no_phase() -> None:
    log = LOG.replace(
        TIMED, TIMED + b"==> zlib: Executing phase: 'install'\n  ==> libgreet: Executing phase: 'x'\n"
    )
    assert [(phase.package, phase.name) for phase in divide(log).phases] == [
        ("libgreet", "edit"),
        ("libgreet", "build"),
        ("libgreet", "install"),
    ]


def test_a_phase_that_comes_again_stays_in_the_one_that_printed_it() -> None:
    divided = divide(LOG + LOG)
    assert [phase.name for phase in divided.phases] == ["edit", "build", "install"]
    assert divided.phases[-1].text.endswith(LOG)


def test_the_first_and_the_last_time_of_a_log() -> None:
    quoted = LOG + b"echo ==> [2030-01-01-00:00:00.000000]\n==> [2026-22-99-00:00:00.000000] no such day\n"
    assert first_time(quoted) == datetime(2026, 11, 22, 9, 12, 8, 340736)
    assert last_time(quoted) == datetime(2026, 11, 22, 9, 12, 9, 260509)
    assert first_time(b"==> Using cached archive: x\n") is None
