"""Made graphs: any shape, and a few values of everything, so that two of them have much in common."""

import json

from hypothesis import strategies as st

from spackmon.graph.spec import Deptype, Edge, SpecNode, TargetDescription

NAMES = ["app", "gcc", "glibc", "mpich", "zlib"]
VIRTUALS = ["c", "cxx", "libc", "mpi"]


def node(identity: str, name: str = "zlib", version: str = "1.2", edges: tuple[Edge, ...] = (), **fields):
    """A node of which only what matters is given; `parameters` as an object."""
    fields["parameters"] = json.dumps(fields.get("parameters", {}))
    fields["target"] = TargetDescription(name=fields.get("target", "zen3"), document="")
    defaults = {"platform": "linux", "operating_system": "debian12", "document": "{}"}
    return SpecNode(
        name=name,
        version=version,
        hash=identity,
        hash_kind="hash",
        hashes=(("hash", identity),),
        edges=edges,
        **{**defaults, **fields},
    )


@st.composite
def graphs(draw, prefix: str = "n", maximum_nodes: int = 6) -> tuple[dict[str, SpecNode], str]:
    """The nodes of a graph and its root, from which all can be reached; every name occurs once."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=maximum_nodes, unique=True))
    nodes = {}
    for position, name in enumerate(names):
        below = range(position + 1, len(names))
        children = {position + 1} & set(below) | draw(st.sets(st.sampled_from(below))) if below else set()
        edges = tuple(
            Edge(
                f"{prefix}{child}",
                draw(st.sampled_from([Deptype.BUILD, Deptype.LINK, Deptype.LINK | Deptype.RUN])),
                tuple(sorted(draw(st.sets(st.sampled_from(VIRTUALS), max_size=2)))),
            )
            for child in sorted(children)
        )
        nodes[f"{prefix}{position}"] = node(
            f"{prefix}{position}",
            name,
            draw(st.sampled_from(["1.2", "1.10"])),
            edges,
            namespace=draw(st.sampled_from([None, "builtin"])),
            package_hash=draw(st.sampled_from([None, "p1", "p2"])),
            target=draw(st.sampled_from(["zen3", "icelake"])),
            operating_system=draw(st.sampled_from(["debian12", "rhel9"])),
            external=draw(st.sampled_from([None, '{"path":"/usr"}'])),
            parameters=draw(
                st.fixed_dictionaries(
                    {"cflags": st.sampled_from([[], ["-O2"], ["-O2", "-g"], ["-g", "-O2"]])},
                    optional={
                        "shared": st.booleans(),
                        "libs": st.sampled_from([["shared"], ["shared", "static"]]),
                        "api": st.sampled_from(["v1", "v2"]),
                    },
                )
            ),
        )
    return nodes, f"{prefix}0"
