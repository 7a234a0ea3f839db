"""Submissions without the secrets of whoever built, as they are stored."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from spackmon.masking.rules import Rules
from spackmon.masking.texts import MASK, masked_json, masked_named, masked_text, masked_variables
from spackmon.submission import (
    AnalysisReport,
    AttributeValue,
    BillReport,
    BuildcacheReport,
    ConcretizationFailureReport,
    InstallReport,
    Submission,
)

# A binary result that is longer is no text of a few settings.
_TEXT_BYTES = 1 << 20


def masked_submission(submission: Submission, rules: Rules) -> Submission:
    """`submission` as it is stored.

    Of variables, configure arguments, analyzers' results and what a solver said secrets are masked; specs and
    logs stay as they came (docs/secrets.md).
    """
    if isinstance(submission, AnalysisReport | InstallReport):
        return replace(
            submission,
            environment_variables=_variables(submission.environment_variables, rules),
            configure_arguments=_text(submission.configure_arguments, rules),
            attributes=_attributes(submission.attributes, rules),
        )
    if isinstance(submission, ConcretizationFailureReport):
        return replace(
            submission,
            abstract_spec=_text(submission.abstract_spec, rules),
            message=_text(submission.message, rules),
        )
    if isinstance(submission, BillReport):
        return replace(submission, document=masked_json(submission.document, rules))
    if isinstance(submission, BuildcacheReport):
        return replace(submission, name=masked_text(submission.name, rules))
    return submission


def masked_attribute(attribute: AttributeValue, rules: Rules) -> AttributeValue:
    """A finding of an analyzer as it is stored."""
    if attribute.value is not None:
        return replace(attribute, value=masked_named(attribute.name, attribute.value, rules))
    if attribute.json_value is not None:
        return replace(attribute, json_value=masked_json(attribute.json_value, rules))
    return replace(attribute, binary_value=_bytes(attribute.name, attribute.binary_value, rules))


def _variables(variables: Mapping[str, str] | None, rules: Rules) -> Mapping[str, str] | None:
    return variables and masked_variables(variables, rules)


def _text(text: str | None, rules: Rules) -> str | None:
    return text and masked_text(text, rules)


def _attributes(
    attributes: Mapping[str, Iterable[AttributeValue]] | None, rules: Rules
) -> Mapping[str, tuple[AttributeValue, ...]] | None:
    if attributes is None:
        return None
    return {
        analyzer: tuple(masked_attribute(one, rules) for one in values)
        for analyzer, values in attributes.items()
    }


def _bytes(name: str, value: bytes | None, rules: Rules) -> bytes | None:
    if value is None or len(value) > _TEXT_BYTES:
        return value
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return MASK.encode() if rules.is_secret(name, "binary", by_itself=False) else value
    return masked_named(name, text, rules).encode()
