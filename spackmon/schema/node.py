"""What has an id of its own."""

import strawberry


@strawberry.interface(description="Something with an id, by which `node` finds it again.")
class Node:
    """Something with an id, by which `node` finds it again."""

    id: strawberry.ID = strawberry.field(
        description="Its id: `Type:number`; a build's is the bare number, as the addresses of pages have it."
    )
