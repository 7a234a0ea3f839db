"""Commands that move texts of logs to a bucket and back."""

import json
from pathlib import Path
from typing import Any

from spackmon.database import Database
from spackmon.logs.references import SIGN
from tests.cli.command import Shell
from tests.ops.buckets import LOG, bucket_settings, keys, opened, reported, stored
from tests.server import served

__all__ = ["bucket_settings"]


def test_commands_move_logs_there_and_back(
    shell_on_both: Shell, tmp_path: Path, bucket_settings: dict[str, Any]
) -> None:
    shell, url = shell_on_both, shell_on_both.environment["SPACKMON_DATABASE_URL"]
    with served(url, tmp_path / "served") as server:
        reported(server, "large", LOG)
    assert "LOG_BUCKET is not set" in shell.refused("bucket", "push")
    environment = {f"SPACKMON_{name.upper()}": value for name, value in bucket_settings.items()}
    assert shell.done("bucket", "push", **environment) == "1 log moved, 0 unused objects removed\n"
    assert shell.done("bucket", "status").split()[:6] == ["LOGS", "BYTES", "in", "the", "bucket", "1"]
    shell.done("bucket", "check", **environment)
    shell.done("log", "reread", **environment)
    # A copy refers to the same objects; what is exported has the texts.
    copied = f"sqlite:///{tmp_path}/copied.sqlite3"
    shell.done("db", "copy", copied)
    other = Shell(copied, tmp_path / "other")
    out = tmp_path / "out"
    other.done("export", out, **environment)
    chunks = [json.loads(line) for line in (out / "log_chunk.ndjson").read_text().splitlines()]
    assert "".join(one["content"] for one in sorted(chunks, key=lambda one: one["number"])) == LOG.decode()
    assert "LOG_BUCKET is not set" in other.refused("export", out)
    read_only = {**environment, "SPACKMON_LOG_BUCKET_READ_ONLY": "1"}
    assert "READ_ONLY" in shell.refused("bucket", "push", **read_only)
    assert shell.done("bucket", "pull", **read_only) == "1 log moved back\n"
    database = Database(url)
    assert not any(one.startswith(SIGN) for one in stored(database))
    database.close()
    opened(bucket_settings).delete(keys(bucket_settings))
    assert "lacks" in other.refused("bucket", "check", **environment)
