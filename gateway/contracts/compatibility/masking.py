"""A counterexample without personal data: it may be made of a registered example."""

from typing import Any

from gateway.base import strict_json
from gateway.contracts.compatibility.values import ComparisonTask, Counterexample
from gateway.contracts.compilation import BUNDLE_DEPTH
from gateway.contracts.personal_data import mask_personal_data

_HIDDEN = "The document holds personal data that the other version refuses."


def masked(example: Counterexample, task: ComparisonTask) -> Counterexample:
    """The counterexample with every value masked that either schema marks.

    The time that this takes has no bound but that of the worker.
    """
    document = example.document
    for schema in (task.new, task.old):
        document = mask_personal_data(strict_json.parse(schema, depth=BUNDLE_DEPTH), document)
    hidden = document != example.document and _quotes_masked(example, document)
    return Counterexample(document, _HIDDEN if hidden else example.reason)


def _quotes_masked(example: Counterexample, shown: Any) -> bool:
    """Whether the reason, which quotes the value at its pointer, quotes a masked value."""
    pointer = example.reason.removeprefix("`").partition("`")[0]
    value = example.document
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and isinstance(shown, dict) and name in value and name in shown:
            value, shown = value[name], shown[name]
        elif isinstance(value, list) and isinstance(shown, list) and name.isdecimal():
            value, shown = value[int(name)], shown[int(name)]
        else:
            return True
    return bool(value != shown)
