"""How far the results agree with the labels."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.contracts.compatibility import (
    Comparison,
    CompatibilityChecker,
    Compatible,
    Incompatible,
    Undecided,
)
from tests.compatibility.questions import HERE, Labelled


@dataclass(frozen=True)
class Answered:
    """A question with what was answered."""

    question: Labelled
    result: Comparison

    @property
    def agrees(self) -> bool:
        """Whether the result is decided, and right."""
        if isinstance(self.result, Undecided):
            return False
        return isinstance(self.result, Compatible) is self.question.compatible

    @property
    def outcome(self) -> str:
        """The result in a few words."""
        if isinstance(self.result, Incompatible):
            shown = "with" if self.result.counterexample else "without"
            return f"incompatible {shown} a counterexample"
        return type(self.result).__name__.lower()


async def answered(questions: Iterable[Labelled], checker: CompatibilityChecker) -> list[Answered]:
    """Every question put to the workers."""
    return [
        Answered(
            each,
            await checker.compare(
                each.old, each.new, each.direction, each.policy, examples=each.examples
            ),
        )
        for each in questions
    ]


def known() -> dict[str, str]:
    """The disagreements that are known, each with its reason."""
    found: dict[str, str] = json.loads((HERE / "known.json").read_bytes())
    return found


def report(answers: list[Answered]) -> str:
    """Agreement in one page: by file, by outcome, and each disagreement with its reason."""
    agreed = sum(each.agrees for each in answers)
    lines = [f"{agreed} of {len(answers)} answers agree ({100 * agreed / len(answers):.1f} %)"]
    for file in dict.fromkeys(each.question.file for each in answers):
        of_file = [each for each in answers if each.question.file == file]
        lines.append(f"  {file:16} {sum(a.agrees for a in of_file):4} of {len(of_file):4}")
    for outcome, count in Counter(each.outcome for each in answers).most_common():
        lines.append(f"  {count:4} {outcome}")
    reasons = known()
    for each in answers:
        if not each.agrees:
            label = "compatible" if each.question.compatible else "incompatible"
            said = reasons.get(str(each.question), f"NOT KNOWN YET: {each.result}")
            lines.append(f"- {each.question}: label {label} ({each.question.why}); {said}")
    return "\n".join(lines)
