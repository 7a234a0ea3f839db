"""Every form of a line has examples: it is found by them, and no earlier form takes them."""

from spackmon.logs.candidates import Candidates
from spackmon.logs.event import PRIMARY, Event
from spackmon.logs.prefilter import Prefilter
from spackmon.logs.rules import Rule, shipped
from spackmon.logs.taxonomy import shipped as shipped_taxonomy

ANCHORS = [anchor for rule in shipped() for anchor in rule.anchors]
CANDIDATES = Candidates(shipped())
EXAMPLES = [(rule, example) for rule in shipped() for example in rule.examples]


def _takes(rule: Rule, line: str) -> bool:
    return (
        rule in CANDIDATES.of(line)
        and bool(rule.pattern.match(line))
        and not (rule.unless and rule.unless.search(line))
    )


def test_an_example_is_taken_by_its_own_rule() -> None:
    for rule, example in EXAMPLES:
        line = example.splitlines()[-1]
        taking = [other for other in shipped() if _takes(other, line) and (other is rule or not other.needs)]
        assert taking[:1] == [rule], example


def test_the_prefilter_finds_every_example() -> None:
    prefilter = Prefilter(ANCHORS)
    texts = {example: f"\n{example}\n".encode() for _, example in EXAMPLES}
    assert [example for example, text in texts.items() if not prefilter.places(text, 1, len(text))] == []


def test_a_rule_has_a_name_of_its_own_and_an_example() -> None:
    names = [rule.name for rule in shipped()]
    assert len(names) == len(set(names))
    assert [rule.name for rule in shipped() if not rule.examples] == []


def test_a_rule_of_classes_is_met_by_its_example_and_every_class_says_whom_it_concerns() -> None:
    taxonomy = shipped_taxonomy()
    assert len(taxonomy.blames) == 23
    assert all(taxonomy.descriptions.values())
    for rule in taxonomy.rules:
        tool = min(rule.tools) if rule.tools else "tool"
        event = Event("error", PRIMARY, tool, "", rule.example, 1, 1, 1)
        assert taxonomy.class_of(event, "") == rule.class_name, rule.pattern.pattern
