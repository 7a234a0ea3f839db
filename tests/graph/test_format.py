"""Specs as Spack 1.2 prints them, against its own texts (tests/data/oracle)."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.formats.specs.spec_json import read
from spackmon.graph.format import DISPLAY_FORMAT, SHORT_FORMAT, STRING_FORMAT, format_spec
from spackmon.graph.format_values import specfile_version
from spackmon.graph.spec import Deptype, Edge
from spackmon.graph.template import MAXIMUM_LENGTH, BadFormat
from spackmon.graph.tree import tree
from tests.formats import corpus
from tests.graph import oracle
from tests.graph.random_graphs import node


@pytest.fixture(scope="module")
def answers():
    return oracle.rows("format")


def test_the_named_formats_print_what_spack_prints(answers):
    for answer in answers:
        nodes, root = oracle.graphs()[answer["hash"]], answer["hash"]
        assert format_spec(nodes, root) == answer["format_default"]
        assert format_spec(nodes, root, SHORT_FORMAT) == answer["short_spec"]
        assert format_spec(nodes, root, STRING_FORMAT) == answer["str"]
        assert tree(nodes, root, template=DISPLAY_FORMAT) == answer["long_spec"]


def test_any_format_prints_what_spack_prints_and_fails_where_it_fails(answers):
    failures = 0
    for answer in answers:
        nodes, root = oracle.graphs()[answer["hash"]], answer["hash"]
        for template, wanted in answer["fmt"].items():
            if isinstance(wanted, str):
                assert format_spec(nodes, root, template, install_tree="/home/spack/opt") == wanted
            else:
                failures += 1
                with pytest.raises(BadFormat) as caught:
                    format_spec(nodes, root, template)
                # Spack lets a KeyError through, which quotes its message.
                message = wanted["message"][1:-1] if wanted["error"] == "KeyError" else wanted["message"]
                assert str(caught.value) == message
    assert failures


ATTRIBUTES = oracle.rows("attributes")


@pytest.mark.parametrize("answer", ATTRIBUTES, ids=lambda answer: answer["about"])
def test_every_attribute_is_printed_or_refused_as_by_spack(answer):
    graph = read(answer["document"])
    versions = {
        identity: specfile_version(json.loads(node.document), graph.format_version)
        for identity, node in graph.nodes.items()
    }
    printed = {
        template: _printed(graph.nodes, graph.root, template, specfile_versions=versions)
        for template in answer["fmt"]
    }
    assert printed == {
        template: wanted if isinstance(wanted, str) else wanted["message"]
        for template, wanted in answer["fmt"].items()
    }


def _printed(nodes, root, template, **options):
    try:
        return format_spec(nodes, root, template, install_tree="/home/spack/opt", **options)
    except BadFormat as error:
        return str(error)


ONE = {
    "app": node(
        "app",
        "app",
        "git.main=1.09-rc1",
        (Edge("gcc", Deptype.BUILD, ("c",)), Edge("mpich", Deptype.LINK, ("mpi",))),
        namespace="builtin",
        external='{"path":"/usr","module":["app/1"]}',
        parameters={"cflags": ["-O2", "-g"], "libs": ["b", "a"], "+x": True, "name": "it's", "none": []},
    ),
    "gcc": node("gcc", "llvm", "17"),
    "mpich": node("mpich", "mpich", "4.1.2", (Edge("zlib", Deptype.LINK),)),
    "zlib": node("zlib", "zlib", "1.3"),
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        (r"\{{name}\}\\", "{app}\\"),
        ("{NAME} {Arch.OS}", "app debian12"),
        ("{name}{@version}", "app@git.main=1.09-rc1"),
        ("{@versions}", "@git.main=1.09-rc1"),
        ("{^zlib.version.up_to_1} {version.ref} {version.ref_version}", "1 main 1.09-rc1"),
        ("{version.joined} {version.dotted} {version.dashed} {version.underscored}",
         "109rc1 1.09.rc1 1-09-rc1 1_09_rc1"),
        ("{compiler_flags}", "cflags='-O2 -g'"),
        ("{variants}", """++x libs:=a,b name="it's" none:='*'"""),
        ("{variants.libs.name} {variants.libs.value}", "libs ('a', 'b')"),
        ("{compilers}", "%c=clang@17"),
        ("{%compiler}", "%llvm@17/gcc"),
        ("{prefix}", "/usr"),
        ("{external} {external_path} {external_modules}", "True /usr ['app/1']"),
        ("{^mpi.name}{@^mpi.version} {^zlib.hash:2} {^app.name}", "mpich@4.1.2 zl app"),
        ("{^llvm.name}", "llvm"),
        ("{^mpich.prefix}", "$spack/opt/spack/linux-zen3/mpich-4.1.2-mpich"),
        ("{hash:0}{hash:0002}{hash:99999999999999999999}", "apapp"),
        ("a{ namespace=namespace_if_anonymous}b{ os=os}{ target=target.name}", "ab os=debian12 target=zen3"),
        ("{abstract_hash}{fullname}", "builtin.app"),
    ],
)  # fmt: skip
def test_every_part_of_a_template_means_what_it_means_to_spack(template, text):
    assert format_spec(ONE, "app", template) == text


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{name", "Missing close brace"),
        ("name}", "Unmatched close brace"),
        ("{}", "non-empty"),
        ("{version.}", "non-empty"),
        ("{hash:x}", "Missing close brace"),
        ("${PACKAGE}", "old syntax"),
        ("{@name}", "The sigil @ may only be used for versions. It was used with the attribute name."),
        ("{%name}", "only be used for compilers"),
        ("{/version}", "only be used for DAG hashes"),
        ("{@hash}", "only be used for DAG hashes"),
        ("{_hash}", "private"),
        ("{variants.nope}", "Variant 'nope' does not exist"),
        ("{nope}", "Attempted to format attribute nope. Spec  has no attribute nope"),
        ("{name.upper}", "Spec name has no attribute upper"),
        ("{^nope.name}", "No spec with name nope in app@git.main=1.09-rc1/app"),
        ("x" * (MAXIMUM_LENGTH + 1), "longer than"),
    ],
)
def test_a_bad_template_is_refused_with_its_reason(template, problem):
    with pytest.raises(BadFormat) as caught:
        format_spec(ONE, "app", template)
    assert problem in str(caught.value)


@given(st.text(alphabet="{}\\^@%/= .:ahnmevrsioc0_$é\n", max_size=40))
def test_any_text_is_printed_or_refused(template):
    with suppress(BadFormat):
        assert format_spec(ONE, "app", template) is not None


@pytest.mark.parametrize("name", corpus.FORMATS)
def test_specs_of_every_format_are_printed(name):
    for document in corpus.documents(name):
        graph = read(document)
        text = format_spec(graph.nodes, graph.root, "{name}{@version} {compiler.name} {hash}{compilers}")
        root = graph.nodes[graph.root]
        assert text.startswith(f"{root.name}@{root.version} ")
        assert (root.compiler is None) or text.endswith(f" %{root.compiler[0]}@={root.compiler[1]}")
        assert len(tree(graph.nodes, graph.root).splitlines()) <= len(graph.nodes)
