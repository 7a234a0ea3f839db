"""What a bill of materials that others wrote lists."""

import strawberry


@strawberry.type(description="A package or component that a bill of materials lists.")
class BillComponent:
    """A package or component that a bill of materials lists."""

    name: str = strawberry.field(description="Its name.")
    version: str | None = strawberry.field(description="Its version; null if the document has none.")
    licenses: list[str] = strawberry.field(
        description="Identifiers, expressions and names of licences, each once; empty where it asserts none."
    )
    purl: str | None = strawberry.field(description="Its package URL; null if the document has none.")


@strawberry.type(description="What a bill of materials in SPDX or CycloneDX lists.")
class BillOfMaterials:
    """What a bill of materials in SPDX or CycloneDX lists."""

    component_count: int = strawberry.field(description="How many components it lists.")
    components: list[BillComponent] = strawberry.field(
        description="The first 1,000 of them, in the order of the document."
    )
