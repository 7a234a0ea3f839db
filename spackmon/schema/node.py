"""What has an id of its own."""

import strawberry


@strawberry.interface(description="An object with an id, by which `node` returns it.")
class Node:
    """An object with an id, by which `node` returns it."""

    id: strawberry.ID = strawberry.field(
        description="Its id: `Type:number`; a build's is the bare number, as the addresses of pages have it."
    )
