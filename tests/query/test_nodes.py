"""Whatever has an id is found again by it."""

from graphql import GraphQLInterfaceType

from spackmon.query.meanings.statement import SPEC_REVISION
from spackmon.schema import schema
from tests.query.conftest import AskedSite
from tests.query.test_filters import ROOTS

NODE = schema._schema.type_map["Node"]
assert isinstance(NODE, GraphQLInterfaceType)
KINDS = {type_.name for type_ in schema._schema.get_possible_types(NODE)}


def test_every_kind_of_node_is_found_by_the_id_that_the_schema_wrote(furnished: AskedSite) -> None:
    query = "query($id: ID!) { node(id: $id) { __typename id } }"
    of_builds = {"Analysis": "analyses", "Claim": "sources"}
    of_groups = {"ErrorGroupRuling"}
    lists = {
        noun: f"{ROOTS[f'{noun}Filter']}(first: 2) {{ nodes {{ id }} }}"
        for noun in KINDS - of_builds.keys() - of_groups
    }
    found = furnished.ask("{" + " ".join(f"{noun}: {asked}" for noun, asked in lists.items()) + "}")
    for noun, listed in of_builds.items():
        having = (
            f"{{ builds(where: {{{listed}: {{some: {{}}}}}}, first: 1) {{ nodes {{ {listed} {{ id }} }} }} }}"
        )
        (build,) = furnished.ask(having)["builds"]["nodes"]
        found[noun] = {"nodes": build[listed]}
    ruled = "{ errorGroups(where: {rulings: {some: {}}}, first: 1) { nodes { rulings { nodes { id } } } } }"
    (group,) = furnished.ask(ruled)["errorGroups"]["nodes"]
    found["ErrorGroupRuling"] = group["rulings"]
    assert found.keys() == KINDS
    for noun, connection in found.items():
        assert connection["nodes"], noun
        for node in connection["nodes"]:
            assert furnished.ask(query, id=node["id"])["node"] == {"__typename": noun, "id": node["id"]}
            literal = f'{{ node(id: "{node["id"]}") {{ __typename id }} }}'
            assert furnished.ask(literal)["node"] == {"__typename": noun, "id": node["id"]}


def test_a_node_answers_by_fragments_on_its_type_and_by_one_plan_for_each_type(furnished: AskedSite) -> None:
    query = """query($id: ID!) { node(id: $id) {
      ... on Node { id }
      ... on Build { status spec { ...named } }
      ...named
      ... on Tag { name }
    } }
    fragment named on Spec { name version }"""
    assert set(furnished.ask(query, id="Spec:1")["node"]) == {"id", "name", "version"}
    assert set(furnished.ask(query, id="1")["node"]) == {"id", "status", "spec"}
    assert set(furnished.ask(query, id="Tag:1")["node"]) == {"id", "name"}
    assert furnished.ask(query, id="Tag:99999")["node"] is None
    ids = [node["id"] for node in furnished.ask("{ specs(last: 8) { nodes { id } } }")["specs"]["nodes"]]
    furnished.reader.statements.clear()
    for identity in ids:
        assert furnished.ask(query, id=identity)["node"]["id"] == identity
    assert len(set(furnished.reader.statements) - {SPEC_REVISION}) == 1
    for wrong in ("Nothing:1", "Spec:x", "Spec:", ":", "x", "Query:1", "SpecHash:1"):
        assert furnished.error(query, id=wrong)["extensions"]["code"] == "ID_INVALID", wrong


def test_nodes_come_in_the_order_of_their_ids_of_whatever_types(furnished: AskedSite) -> None:
    found = furnished.ask("{ specs(first: 2) { nodes { id } } builds(first: 2) { nodes { id } } }")
    specs, builds = ([node["id"] for node in found[name]["nodes"]] for name in ("specs", "builds"))
    ids = [specs[0], builds[1], "Spec:999999", builds[0], specs[0]]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    furnished.reader.statements.clear()
    assert furnished.ask(query, ids=ids)["nodes"] == [
        {"__typename": "Spec", "id": specs[0]},
        {"__typename": "Build", "id": builds[1]},
        None,
        {"__typename": "Build", "id": builds[0]},
        {"__typename": "Spec", "id": specs[0]},
    ]
    assert len(furnished.reader.statements) == 1
    assert furnished.ask(query, ids=[])["nodes"] == []
    assert furnished.error(query, ids=["Nothing:1"])["extensions"]["code"] == "ID_INVALID"
    assert furnished.error(query, ids=specs[:1] * 101)["extensions"]["code"] == "PAGE_TOO_LARGE"
