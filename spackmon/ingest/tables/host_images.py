"""The machines on which files were read, each once with the libraries of its system that they need."""

import hashlib
import json
from collections.abc import Mapping

from sqlalchemy import Connection

from spackmon.ingest.rows import over_rows
from spackmon.ingest.tables.digests import finding, put
from spackmon.submission import HostImage

_FIND_LIBRARIES, _FIND_IMAGES = finding("system_library"), finding("host_image")
_INSERT_LIBRARIES = over_rows(
    "digest bytea",
    """
    INSERT INTO system_library (digest) SELECT i.digest FROM {input} i
    WHERE true ORDER BY i.digest ON CONFLICT DO NOTHING RETURNING id, digest
    """,
)
_READ_LIBRARIES = over_rows(
    "id bigint, elf_file_id bigint",
    """
    UPDATE system_library SET elf_file_id = i.elf_file_id FROM {input} i
    WHERE system_library.id = i.id AND system_library.elf_file_id IS NULL
    """,
)
_INSERT_IMAGES = over_rows(
    "digest bytea, os text, os_version text, architecture text",
    """
    INSERT INTO host_image (digest, os, os_version, architecture)
    SELECT i.digest, i.os, i.os_version, i.architecture FROM {input} i
    WHERE true ON CONFLICT DO NOTHING RETURNING id, digest
    """,
)
_INSERT_HOST_LIBRARIES = over_rows(
    "host_image_id bigint, path text, name text, system_library_id bigint",
    """
    INSERT INTO host_library (host_image_id, path, name, system_library_id)
    SELECT i.host_image_id, i.path, i.name, i.system_library_id FROM {input} i
    WHERE true ORDER BY i.host_image_id, i.path ON CONFLICT DO NOTHING
    """,
)
_OF_ANALYSIS = over_rows(
    "analysis_id bigint, host_image_id bigint",
    """
    INSERT INTO analysis_host (analysis_id, host_image_id)
    SELECT i.analysis_id, i.host_image_id FROM {input} i
    WHERE true
    ON CONFLICT (analysis_id) DO UPDATE SET host_image_id = excluded.host_image_id
    WHERE analysis_host.host_image_id <> excluded.host_image_id
    RETURNING analysis_id
    """,
)


def put_host_image(connection: Connection, host: HostImage, read: Mapping[bytes, int]) -> int:
    """The row of a machine; `read` has the rows of what was read of libraries, by digests of the files."""
    # Of a path that is named twice the last counts.
    at = {one.path: (one.name, bytes.fromhex(one.sha256)) for one in host.libraries}
    digests = {digest for _, digest in at.values()}
    ids = put(connection, _FIND_LIBRARIES, _INSERT_LIBRARIES, dict.fromkeys(digests, ()))
    _READ_LIBRARIES.run(connection, sorted((ids[one], file) for one, file in read.items() if one in ids))
    identity = [
        host.os,
        host.os_version,
        host.architecture,
        sorted((p, n, d.hex()) for p, (n, d) in at.items()),
    ]
    digest = hashlib.sha256(json.dumps(identity).encode()).digest()
    names = (host.os, host.os_version, host.architecture)
    (image_id,) = put(connection, _FIND_IMAGES, _INSERT_IMAGES, {digest: names}).values()
    rows = [(image_id, path, name, ids[library]) for path, (name, library) in sorted(at.items())]
    _INSERT_HOST_LIBRARIES.run(connection, rows)
    return image_id


def put_host_of_analysis(connection: Connection, analysis_id: int, host_image_id: int) -> bool:
    """Say on which machine an analyzer read files; whether that is news."""
    return bool(_OF_ANALYSIS.run(connection, [(analysis_id, host_image_id)]))
