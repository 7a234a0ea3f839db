"""The spec language, read as Spack reads it; what it refuses is refused at the same place."""

import pytest

from spackmon.graph.abstract_spec import VariantConstraint
from spackmon.graph.spec import Deptype
from spackmon.graph.spec_syntax import MAXIMUM_LENGTH, MAXIMUM_TOKENS, SpecSyntaxError, parse_spec
from tests.graph.spec_language import rows


@pytest.mark.parametrize("answer", rows("invalid"), ids=lambda answer: answer["query"])
def test_what_spack_refuses_is_refused_where_spack_points(answer):
    with pytest.raises(SpecSyntaxError) as refusal:
        parse_spec(answer["query"])
    assert 0 <= refusal.value.position < len(answer["query"])
    if answer["position"] is not None:
        assert refusal.value.position == answer["position"]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("zlib@=1.2:1.4", 4),
        ("zlib@1.4:1.2", 4),
        ("zlib+pic~pic", 8),
        ("zlib os=debian12 arch=linux-rhel8-zen3", 17),
        ("zlib target=default_target", 5),
        ("zlib os==debian12", 5),
        ("zlib+cflags", 4),
        ("zlib x=a,*", 5),
        ("zlib ^[deptypes=install]gcc", 16),
        ("zlib %[deptypes=link]gcc %[deptypes=link,build]gcc", 47),
        ("zlib %[when='+x@']gcc", 15),
        ("zlib %[virtuals=c gcc", 18),
        ("zlib ^gcc os=rhel8 ^gcc os=rhel9", 24),
        ("zlib ^gcc target=zen2: ^gcc target=:haswell", 28),
        ("./zlib.json", 0),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_place(text, position):
    with pytest.raises(SpecSyntaxError) as refusal:
        parse_spec(text)
    assert refusal.value.position == position


def test_a_spec_that_nobody_writes_by_hand_is_refused_before_it_costs_anything():
    with pytest.raises(SpecSyntaxError, match="characters"):
        parse_spec("a" * (MAXIMUM_LENGTH + 1))
    with pytest.raises(SpecSyntaxError, match="parts"):
        parse_spec(" ".join(f"+v{number}" for number in range(MAXIMUM_TOKENS + 1)))
    with pytest.raises(SpecSyntaxError):
        parse_spec("^" * (MAXIMUM_LENGTH - 1))


def test_attributes_belong_to_the_dependency_before_them():
    hdf5 = parse_spec("hdf5+mpi %gcc@12 target=zen3 ^zlib %clang")
    gcc, zlib = hdf5.edges
    assert hdf5.variants == (VariantConstraint("mpi", (True,), is_exact=True),)
    assert hdf5.targets == ()
    assert (gcc.is_direct, gcc.spec.name, gcc.spec.targets) == (True, "gcc", ("zen3",))
    assert (zlib.is_direct, zlib.spec.name) == (False, "zlib")
    assert [(edge.is_direct, edge.spec.name) for edge in zlib.spec.edges] == [(True, "llvm")]


def test_the_edges_of_a_dependency_carry_types_virtuals_and_conditions():
    (edge,) = parse_spec("hdf5 %[deptypes=build,link virtuals=c when='@1.14 +mpi'] cxx=gcc@12").edges
    assert (edge.deptypes, edge.virtuals) == (Deptype.BUILD | Deptype.LINK, ("c", "cxx"))
    assert edge.when == parse_spec("@1.14+mpi")
    assert edge.spec == parse_spec("gcc@12")


def test_one_name_is_one_dependency_with_the_constraints_of_both():
    twice = parse_spec("zlib %gcc@9:12 +graphite cflags=-O2 ^c=gcc@11: target=zen: /abc %binutils ^gcc /abcd")
    (edge,) = twice.edges
    assert edge.is_direct
    assert edge.virtuals == ("c",)
    assert edge.spec.versions == parse_spec("@11:12").versions
    assert (edge.spec.hash_prefix, edge.spec.targets) == ("abcd", ("zen:",))
    # As Spack does: what stands behind the second mention is forgotten with it.
    assert edge.spec.edges == ()
    assert parse_spec("zlib ^gcc ^gcc %binutils") == parse_spec("zlib ^gcc")
    assert parse_spec("zlib ^gcc %binutils ^gcc") == parse_spec("zlib ^gcc %binutils")
    assert len(parse_spec("zlib %[deptypes=build]gcc %[deptypes=link]gcc").edges) == 2
    assert len(parse_spec("zlib ^+pic ^+shared").edges) == 2


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("zlib@ 1.2 , 1.4", "zlib@1.2,1.4"),
        ("-zlib", "~zlib"),
        ("x=TRUE", "+x"),
        ("languages:='c,fortran'", "languages:=fortran,c"),
        ("arch=linux--zen3", "platform=linux target=zen3"),
        ("arch=zen3", "target=zen3"),
        ("zlib ^", "zlib ^*"),
        ("zlib^^openssl", "zlib ^* ^openssl"),
        ("cflags='-O3 -g'", "cflags=-O3 cflags=-g"),
        ("cflags=''", ""),
        (" ", ""),
        ("%%gcc", "%gcc"),
        ("@1.2:os=rhel8", "@1.2: os=rhel8"),
        ("@1.2:1.4key=x", "@1.2:1 4key=x"),
        (r"x='a\'b'", 'x="a\'b"'),
    ],
)
def test_there_are_several_ways_to_say_a_thing(text, same):
    assert parse_spec(text) == parse_spec(same)
