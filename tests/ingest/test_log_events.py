"""What logs say went wrong is stored with them, replaced with them, and read again by newer rules."""

from spackmon.ingest.tables.log_events import count_unread, read_again, unread
from tests.ingest.reports import Site, spec

ZLIB = spec("zlib", "1.2.11")
BROKEN = b"""a.c:3:1: error: 'x' undeclared
w.c:4:1: warning: unused variable 'y' [-Wunused-variable]
make: *** [Makefile:6: a.o] Error 1
"""
EVENTS = """SELECT k.name, e.kind, e.role, e.error_class, e.line, e.source_file, e.source_line, e.is_first
    FROM log_event e JOIN phase p ON p.log_id = e.log_id JOIN phase_kind k ON k.id = p.kind_id
    ORDER BY k.position, e.position"""


def test_a_phase_comes_with_its_errors_and_has_those_of_its_last_log(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.phase(build_id, "build", "ERROR", BROKEN)
    assert site.rows(EVENTS) == [
        ("build", "ERROR", "PRIMARY", "compile", 1, "a.c", 3, True),
        ("build", "WARNING", "PRIMARY", None, 2, "w.c", 4, False),
        ("build", "ERROR", "CONSEQUENCE", None, 3, None, None, False),
    ]
    site.phase(build_id, "build", "ERROR", BROKEN.replace(b"a.c:3:1", b"a.c:9:1"))
    assert [row[6] for row in site.rows(EVENTS) if row[7]] == [9]
    # The log before it went with its events.
    assert site.rows("SELECT count(DISTINCT log_id) FROM log_event") == [(1,)]
    site.phase(build_id, "build", "SUCCESS", b"done\n")
    assert site.rows("SELECT count(*) FROM log_event") == [(0,)]


def test_any_bytes_are_stored(site: Site) -> None:
    log = b"a\0b.c:3:1: error: \0 \xff\xfe\n" + b"e.c:999999999999:1: error: \xf0\x9f\x92\xa5\n"
    site.phase(site.build(ZLIB), "build", "ERROR", log)
    assert [row[1] for row in site.rows(EVENTS)] == ["ERROR", "ERROR"]


def test_what_older_rules_read_is_read_again_once(site: Site) -> None:
    site.phase(site.build(ZLIB), "build", "ERROR", BROKEN)
    before = site.rows(EVENTS)

    def age(statement: str) -> None:
        site.database.write(lambda connection: connection.exec_driver_sql(statement))

    age("UPDATE log SET rules_version = NULL")
    age("DELETE FROM log_event WHERE is_first")
    (log_id,) = site.database.read_once(lambda connection: unread(connection, 0, 10))
    site.database.write(lambda connection: read_again(connection, log_id))
    assert site.rows(EVENTS) == before
    assert site.database.read_once(count_unread) == 0
    site.database.write(lambda connection: read_again(connection, log_id + 1000))
