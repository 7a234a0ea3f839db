"""Buildcaches: where a binary is."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity, relation
from spackmon.query.rows.relations import refer_by
from spackmon.schema.connection import Connection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.person import Person
from spackmon.schema.status import BuildcacheDisagreement

if TYPE_CHECKING:
    from spackmon.schema.spec import Spec

_Spec = Annotated["Spec", strawberry.lazy("spackmon.schema.spec")]


@noun("entries of buildcaches")
class BuildcacheEntry(Node):
    """A binary that a buildcache has, or should have."""

    id: strawberry.ID = identity(models.BuildcacheEntry)
    layout_version: int = column(
        models.BuildcacheEntry.layout_version,
        filters=True,
        description="The layout in which it lies: 3 since Spack 1.0, 2 before.",
    )
    spec_hash: str = column(
        models.BuildcacheEntry.spec_hash,
        filters=True,
        sorts=True,
        description="The hash of its spec, by the index or by the name of the spec's file.",
    )
    in_index: bool | None = column(
        models.BuildcacheEntry.in_index,
        filters=True,
        description="Whether the index lists it; null if there is no index that could be read.",
    )
    has_spec_file: bool | None = column(
        models.BuildcacheEntry.has_spec_file,
        filters=True,
        description="Whether the spec's file is there, in layout 3 its manifest and what that names; null if "
        "the files could not be listed.",
    )
    has_archive: bool | None = column(
        models.BuildcacheEntry.has_archive,
        filters=True,
        description="Whether the archive of what was installed is there; null if nobody could see it.",
    )
    stated_hash: str | None = column(
        models.BuildcacheEntry.stated_hash,
        filters=True,
        description="The hash of the spec that the file has, where that is another than its name says. Only "
        "files that the index does not list are read.",
    )
    disagreement: BuildcacheDisagreement | None = column(
        models.BuildcacheEntry.disagreement,
        filters=True,
        description="How index and contents disagree, the first of the words that holds; null if they do "
        "not, as far as they could be seen.",
    )
    spec: _Spec | None = relation(
        models.BuildcacheEntry.spec_id,
        filters=True,
        description="The spec; null if nobody reported it.",
    )
    buildcache: "Buildcache" = relation(
        models.BuildcacheEntry.buildcache_id, filters=True, description="The buildcache."
    )


@noun("buildcaches")
class Buildcache(Node):
    """A buildcache or mirror, as it was when somebody imported it last."""

    id: strawberry.ID = identity(models.Buildcache)
    name: str = column(
        models.Buildcache.name,
        filters=True,
        sorts=True,
        description="Its path, or its address without a password.",
    )
    owner: Person = relation(models.Buildcache.owner_id, filters=True, description="Who imported it.")
    layout_version: int | None = column(
        models.Buildcache.layout_version,
        filters=True,
        description="The newest layout that it has entries in; null if it has none.",
    )
    is_listed: bool = column(
        models.Buildcache.is_listed,
        filters=True,
        description="Whether its files could be listed; of a web server only the index is read.",
    )
    read_at: datetime = column(
        models.Buildcache.read_at, filters=True, sorts=True, description="When it was read."
    )
    entries: Connection[BuildcacheEntry] = connection(
        models.BuildcacheEntry,
        belongs=refer_by(models.BuildcacheEntry.buildcache_id),
        filters=True,
        description="What it has, or should have.",
    )
