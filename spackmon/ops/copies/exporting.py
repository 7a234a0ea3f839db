"""Tables as files for other programs: JSON objects a line, or Parquet, some rows in memory at a time.

The columns are those of the tables. What is packed there is unpacked: logs, specs' documents and, as JSON,
what claims say of phases are texts.
What is for signing in, for receivers of messages, or waits to be applied, stays here.
"""

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from spackmon.errors import Code, Refused
from spackmon.graph.packed_claims import unpack, unpack_hashes
from spackmon.log_bucket import Contents
from spackmon.logs.chunks import unpacked
from spackmon.ops.copies.copying import Snapshot
from spackmon.ops.copies.forms import Form, Kind
from spackmon.runs import packed_phases

Format = Literal["ndjson", "parquet"]

_ROWS_AT_ONCE = 5_000
_BYTES_AT_ONCE = 16 << 20
_KEPT_BACK = frozenset({
    "inbox_entry", "notification_channel", "notification_delivery", "notification_rule",
    "identity", "log_object", "rate_count", "reported_change", "session", "signing_key", "submission_batch",
    "token",
})  # fmt: skip
# Secrets, and what is in other columns when it is unpacked.
_HIDDEN = {"person": ("password_hash",), "spec_document": ("packed", "dictionary")}
_UNPACKED: dict[str, dict[str, Kind]] = {"log_chunk": {"content": "text"}, "claim": {"phases": "text"}}


def export(
    source: Snapshot, directory: Path, format_: Format, contents: Contents, tell: Callable[[str, int], None]
) -> None:
    """Write a file for each table into `directory`, which is made; `tell` is given each with its rows.

    Raises OSError, and Refused PARQUET_MISSING without pyarrow, and what `contents` raises.
    """
    write = _write_parquet if format_ == "parquet" else _write_ndjson
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for form in source.forms:
        if form.name not in _KEPT_BACK:
            path = directory / f"{form.name}.{format_}"
            draft = path.with_name(f".{path.name}")
            tell(form.name, write(draft, _shown(form), _rows(source, form, contents)))
            draft.replace(path)


def _shown(form: Form) -> list[tuple[str, Kind]]:
    """The columns that are written."""
    hidden = _HIDDEN.get(form.name, ())
    of_table = _UNPACKED.get(form.name, {})
    return [(name, of_table.get(name, kind)) for name, kind in form.columns if name not in hidden]


def _rows(source: Snapshot, form: Form, contents: Contents) -> Iterator[dict[str, Any]]:
    names = [name for name, _ in form.columns]
    wanted = [name for name, _ in _shown(form)]
    for line in source.lines(form):
        row = dict(zip(names, json.loads(line), strict=True))
        if form.name == "log_chunk":
            packed = contents(base64.b64decode(row["content"]))
            row["content"] = unpacked(packed).decode("utf-8", "replace")
        elif form.name == "spec_document" and row["packed"] is not None:
            packed = base64.b64decode(row["packed"])
            row["document"], row["edges"] = unpack(packed, row["dictionary"])
            row["hashes"], row["package_hash"] = unpack_hashes(packed, row["dictionary"])
        elif form.name == "claim" and row["phases"] is not None:
            row["phases"] = _phases(row)
        yield {name: row[name] for name in wanted}


def _phases(claim: dict[str, Any]) -> str:
    """What a claim says of phases, without what it does not know of them."""
    since = datetime.fromisoformat(claim["first_reported_at"])
    found = [
        {**asdict(phase), "reported_at": phase.reported_at.isoformat()}
        for phase in packed_phases.unpack(base64.b64decode(claim["phases"]), since, defaultdict(int))
    ]
    known = [{n: v for n, v in one.items() if v is not None and n != "log_bytes"} for one in found]
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"))


def _write_ndjson(path: Path, columns: Sequence[tuple[str, Kind]], rows: Iterator[dict[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", errors="replace") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, columns: Sequence[tuple[str, Kind]], rows: Iterator[dict[str, Any]]) -> int:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        sentence = "Parquet needs pyarrow: pip install 'spackmon[parquet]'"
        raise Refused(Code.PARQUET_MISSING, sentence) from None
    types = {
        "text": arrow.string(), "integer": arrow.int64(), "float": arrow.float64(), "boolean": arrow.bool_(),
        "moment": arrow.timestamp("us", tz="UTC"), "bytes": arrow.binary(),
    }  # fmt: skip
    schema = arrow.schema([(name, types[kind]) for name, kind in columns])
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for some in _batches(rows):
            arrays = [
                arrow.array([_value(kind, row[name]) for row in some], types[kind]) for name, kind in columns
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            count += len(some)
    return count


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows that are written together: many, unless they are large."""
    some: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        some.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(some) >= _ROWS_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _value(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind == "moment":
        return datetime.fromisoformat(value)
    if kind == "bytes":
        return base64.b64decode(value)
    return value.encode("utf-8", "replace").decode() if kind == "text" else value
