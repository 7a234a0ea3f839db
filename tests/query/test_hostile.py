"""What a stranger asks takes little of the event loop, a bounded amount of work, and bounded memory."""

import asyncio
import contextlib
import gc
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.hostile import mesh
from spackmon.errors import Code, Refused
from spackmon.query.meanings.limits import Limits
from spackmon.query.serve.documents import read_document
from spackmon.query.serve.preparation import Preparation, Request
from spackmon.query.serve.refusals import InvalidRequestError
from spackmon.query.serve.service import QueryService
from spackmon.query.serve.workers import Workers
from spackmon.recent import Recent
from spackmon.schema import schema
from tests.counting import calls, retained_bytes
from tests.query.conftest import AskedSite
from tests.waiting import until_in_loop

BY_NAME = "query($names: [String!]) { specs(where: {name: {in: $names}}) { nodes { id } } }"
BUILDS = "query($where: BuildFilter) { builds(where: $where) { nodes { id } } }"
SATISFYING = "query($text: String) { specs(satisfying: $text) { nodes { id } } }"
OBJECTS = "spec { name version } phases { nodes { name } } tags { nodes { name } } environment { hostname }"


def nested(levels: int) -> dict[str, Any]:
    """A filter within a filter."""
    where: dict[str, Any] = {}
    for _ in range(levels):
        where = {"and": [where]}
    return where


RELATION = {"spec": {"name": {"eq": "a"}}, "tags": {"some": {"name": {"eq": "b"}}}}
HOSTILE: dict[str, tuple[str, Mapping[str, Any]]] = {
    "the same field": ("{" + "builds{__typename} " * 1200 + "}", {}),
    "the same list": ("{ builds {" + "nodes { spec { name } } " * 300 + "} }", {}),
    "the same arguments": ("{" + 'builds(satisfying: "a b c d e f g h") {__typename} ' * 190 + "}", {}),
    "fragments in a mesh": (mesh(100, 11), {}),
    "fragments doubled": (
        "{ specs { nodes { ...F0 } } } "
        + " ".join(
            f"fragment F{one} on Spec {{ a: graph {{ nodes {{ ...F{one + 1} }} }}"
            f" b: graph {{ nodes {{ ...F{one + 1} }} }} }}"
            for one in range(25)
        )
        + " fragment F25 on Spec { id }",
        {},
    ),
    "many objects": ("{" + "".join(f"a{n}: builds {{ nodes {{ {OBJECTS} }} }}" for n in range(95)) + "}", {}),
    "nesting": ("{" + "builds{nodes{" * 1200 + "id" + "}}" * 1200 + "}", {}),
    "blanks": ("{__typename}" + " " * 950_000, {}),
    "a comment": ("{__typename} #" + "a" * 99_000, {}),
    "unknown fields": ("{" + " ".join(f"x{number}" for number in range(2400)) + "}", {}),
    "unknown members": ("{builds(where:{" + " ".join(f"a{n}:1" for n in range(1600)) + "}){nodes{id}}}", {}),
    "unknown members sent": (BUILDS, {"where": {f"x{number}": 1 for number in range(20_000)}}),
    "names": (BY_NAME, {"names": [f"n{number}" for number in range(100_000)]}),
    "no names": (BY_NAME, {"names": [[1]] * 40_000}),
    "alternatives": (BUILDS, {"where": {"or": [RELATION] * 300}}),
    "alternatives in alternatives": (BUILDS, {"where": {"or": [{"or": [RELATION] * 20}] * 20}}),
    "empty filters": (BUILDS, {"where": {"and": [{}] * 100_000}}),
    "deep variables": (BUILDS, {"where": nested(5_000)}),
    "a long spec": (SATISFYING, {"text": "a@" + ",".join(f"{n}.{n}" for n in range(60_000))}),
    "a spec of many": (SATISFYING, {"text": "a " + " ".join(f"^b{number}@1:2" for number in range(300))}),
    "a large number": ("{ builds(first: " + "9" * 90_000 + ") { nodes { id } } }", {}),
    "the schema": ("{__schema{" + "".join(f"a{n}:types{{fields{{name}}}}" for n in range(95)) + "}}", {}),
}  # fmt: skip

PLAIN = "{ specs { totalCount } }"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database is enough: what is refused never gets there."""
    return sqlite_url


def test_the_loop_goes_on_while_requests_are_read(site: AskedSite) -> None:
    def answer_all() -> None:
        for query, variables in HOSTILE.values():
            site.answer(query, variables)

    # The loop runs in this thread, what reads and compiles in another.
    assert calls(answer_all, after=lambda: site.answer(PLAIN)) < 2_000 * len(HOSTILE)


def test_no_request_takes_more_work_than_the_largest_that_is_answered(site: AskedSite) -> None:
    def prepare(query: str, variables: Mapping[str, Any]) -> None:
        with contextlib.suppress(InvalidRequestError, Refused):
            site.service._preparation.prepare(Request(query, variables, None, Limits()))

    def prepare_all() -> None:
        for query, variables in HOSTILE.values():
            prepare(query, variables)

    assert calls(prepare_all, after=lambda: prepare(PLAIN, {})) < 300_000 * len(HOSTILE)


def test_a_document_that_is_refused_leaves_little_to_the_garbage_collector() -> None:
    def refuse() -> bool:
        try:
            read_document(HOSTILE["the same field"][0], schema._schema, Limits())
        except InvalidRequestError:
            return True
        return False

    assert refuse()
    gc.collect()
    gc.disable()
    try:
        assert refuse()
        # It has 4,800 tokens, of which each knew the next one and the one before.
        assert gc.collect() < 2_000
    finally:
        gc.enable()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_outside_of_all_years_is_a_coded_error(site: AskedSite, moment: str) -> None:
    query = "query($at: DateTime!) { builds(where: {startedAt: {ge: $at}}) { nodes { id } } }"
    assert site.error(query, at=moment)["extensions"]["code"] == "ARGUMENT_INVALID"
    assert (
        site.error(query.replace("($at: DateTime!)", "").replace("$at", f'"{moment}"'))["extensions"]["code"]
        == "ARGUMENT_INVALID"
    )


def test_long_lists_share_a_plan_and_one_parameter(site: AskedSite) -> None:
    names = [f"n{number}" for number in range(20_000)]
    for length in (10, 11, 990, 1_100, 20_000):
        assert site.ask(BY_NAME, names=names[:length]) == {"specs": {"nodes": []}}
    assert len(set(site.reader.statements)) == 1


def weighed(number: int) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Requests of several kinds; each number's differ from all others."""
    objects = " ".join(f"a{alias}: builds(first: 5) {{ nodes {{ {OBJECTS} }} }}" for alias in range(10))
    return {
        "blanks": (f"{{ specs {{ nodes {{ id }} }} }} # {number}" + " " * 20_000, {}),
        "tokens": (f"{{ specs {{ nodes {{ {'id ' * 140} }} }} }} # {number}", {}),
        "objects": (f"{{ {objects} }} # {number}", {}),
        "a spec": (SATISFYING, {"text": f"a@{number} ^b@1:2 %gcc@{number}"}),
        "a filter": (BUILDS, {"where": {"or": [RELATION] * number}}),
    }


def test_what_is_kept_takes_no_more_memory_than_is_counted_and_what_is_refused_none(site: AskedSite) -> None:
    for name in weighed(0):
        kept = Recent(100_000_000)
        preparation = QueryService(schema, site.database, site.reader, Limits(), kept)._preparation
        for number in (1, 2):
            preparation.prepare(Request(*weighed(number)[name], None, Limits()))
        counted = kept.size_bytes

        def prepare(name: str = name, preparation: Preparation = preparation) -> None:
            for number in range(3, 7):
                preparation.prepare(Request(*weighed(number)[name], None, Limits()))
            for number in range(5):
                with pytest.raises(InvalidRequestError):
                    preparation.prepare(
                        Request("{ nope } #" + "x" * 10_000 + str(number), {}, None, Limits())
                    )

        assert 0 < retained_bytes(prepare) <= kept.size_bytes - counted, name


def test_one_entry_does_not_drive_out_all_others() -> None:
    kept = Recent(800)
    for number in range(8):
        kept.put(number, number, 100)
    kept.put("large", "large", 101)
    assert kept.get("large") is None
    assert kept.get(0) == 0
    kept.put(8, 8, 100)
    assert (kept.get(0), kept.get(1), kept.get(8), kept.size_bytes) == (0, None, 8, 800)
    kept.put(8, 8, 30)
    assert kept.size_bytes == 730


def test_beyond_what_waits_a_new_question_is_refused_and_a_known_one_answered(site: AskedSite) -> None:
    known = "{ builds { nodes { id } } }"
    site.ask(known)
    site.service.workers = Workers(threads=1, waiting=0)
    started, end = asyncio.Event(), asyncio.Event()

    async def ask() -> tuple[Code, bytes]:
        async def hold() -> None:
            async with site.service.workers._limiter:
                started.set()
                await end.wait()

        async def wait() -> None:
            await site.service.workers.run(int)

        site.service.workers._waiting = 1
        holding = asyncio.ensure_future(hold())
        await started.wait()
        waiting = asyncio.ensure_future(wait())
        await until_in_loop(lambda: site.service.workers._limiter.statistics().tasks_waiting, "the second")
        with pytest.raises(Refused) as refused:
            await site.service.execute("{ specs { nodes { id } } }")
        answer = await site.service.execute(known)
        end.set()
        await asyncio.gather(holding, waiting)
        return refused.value.code, answer.body

    code, body = site._runner.run(ask())
    assert (code, code.retryable, json.loads(body)) == (Code.BUSY, True, {"data": {"builds": {"nodes": []}}})


def test_who_waits_too_long_for_others_is_refused(site: AskedSite) -> None:
    async def run() -> Code:
        workers = Workers(threads=1, waiting=1, wait_seconds=0)
        async with workers._limiter:
            with pytest.raises(Refused) as refused:
                await workers.run(int)
        workers._wait_seconds = math.inf
        assert await workers.run(int) == 0
        return refused.value.code

    assert site._runner.run(run()) is Code.BUSY
