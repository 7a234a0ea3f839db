"""The libraries of a machine's system: stored once, whichever report brings what is read of them."""

from itertools import permutations

from spackmon.abi.reader.packed import pack
from spackmon.status import SourceKind
from spackmon.submission import AttributeValue, HostImage, HostLibrary
from tests.abi.packing import elf
from tests.ingest.installs import count, install
from tests.ingest.reports import Site, hash_of

LIBC = pack(elf("/lib64"))
FILES = (AttributeValue("elf", "/opt/a/lib/libgreet.so", binary_value=pack(elf("/opt/a"))),)


def _hosts(number: int) -> list[HostImage]:
    """Two reports of one machine, of which the first brings what is read of a library, and one of another."""
    kept, other = f"{number:02x}" * 32, f"{number + 64:02x}" * 32
    return [
        HostImage(
            "debian", version, "x86_64", (HostLibrary("/lib64/libc.so.6", "libc.so.6", sha256, content),)
        )
        for version, sha256, content in [("12", kept, LIBC), ("12", kept, None), ("13", other, None)]
    ]


STORED = """
    SELECT c.key, h.os_version, l.path, l.name, f.digest FROM analysis_host a
    JOIN analysis n ON n.id = a.analysis_id JOIN claim c ON c.id = n.claim_id
    JOIN host_image h ON h.id = a.host_image_id JOIN host_library l ON l.host_image_id = h.id
    JOIN system_library s ON s.id = l.system_library_id LEFT JOIN elf_file f ON f.id = s.elf_file_id
    ORDER BY c.key
"""


def test_a_library_is_stored_once_in_whatever_order_reports_come(site: Site) -> None:
    seen = []
    for number, order in enumerate(permutations(range(3))):
        for one in order:
            key = f"{number} {one}"
            report = install(
                SourceKind.PREFIX, key, graph=None, spec_hash=hash_of(key), package_name="greet",
                attributes={"elf": FILES}, host=_hosts(number)[one],
            )  # fmt: skip
            assert site.apply(report).changed
            assert not site.apply(report).changed
        rows = site.rows(STORED)
        seen.append([(key.split()[1], *rest) for key, *rest in rows if key.startswith(f"{number} ")])
    assert all(rows == seen[0] for rows in seen)
    assert [row[1] for row in seen[0]] == ["12", "12", "13"]
    assert [row[4] is None for row in seen[0]] == [False, False, True]
    assert [count(site, table) for table in ("host_image", "system_library", "elf_file")] == [12, 12, 2]


def test_files_that_are_read_on_another_machine_are_of_that_one(site: Site) -> None:
    told = {
        "graph": None,
        "spec_hash": hash_of("greet"),
        "package_name": "greet",
        "attributes": {"elf": FILES},
    }
    for host in _hosts(1)[::2]:
        assert site.apply(install(SourceKind.PREFIX, "a", **told, host=host)).changed
    assert [row[1] for row in site.rows(STORED)] == ["13"]
