"""Comparison of a new version with the earlier versions of its contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.contracts import StoredVersion, VersionState
from gateway.contracts.compatibility import (
    CompatibilityChecker,
    CompatibilityMode,
    Compatible,
    HistoryComparison,
    Incompatible,
    Rule,
)

Bundles = tuple[bytes, bytes | None]  # a schema and its reply schema, with all references embedded
_encode = msgspec.json.Encoder(decimal_format="number").encode
_COMPATIBLE = "compatible"
# Replies travel in the other direction: the requester must understand the responder.
_MIRRORED = {"backward": "forward", "forward": "backward"}


@dataclass(frozen=True, slots=True)
class CompatibilityReport:
    """The comparison with earlier versions under a rule. `part` is schema or reply."""

    rule: Rule
    comparison: HistoryComparison
    part: str = "schema"

    @property
    def compatible(self) -> bool:
        """Whether compatibility is proven."""
        return isinstance(self.comparison.result, Compatible)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON has it."""
        result = self.comparison.result
        report: dict[str, Any] = {
            "outcome": type(result).__name__.lower(),
            "mode": self.rule.mode.value,
            "policy": self.rule.policy.value,
            "against": self.comparison.against,
        }
        if isinstance(result, Compatible):
            return report
        report["part"] = self.part
        report["direction"] = result.direction.value
        report["changes"] = [
            {"pointer": change.pointer, "text": change.text} for change in result.changes
        ]
        if not isinstance(result, Incompatible):
            return {**report, "reason": result.reason}
        if result.counterexample is not None:
            report["counterexample"] = {
                # Exact numbers, as JSON has them.
                "document": msgspec.Raw(_encode(result.counterexample.document)),
                "reason": result.counterexample.reason,
            }
        return report

    def document(self) -> bytes:
        """The report as JSON text."""
        return _encode(self.as_json())


async def compare_versions(
    checker: CompatibilityChecker,
    bundles: Bundles,
    older: Mapping[int, Bundles],
    rule: Rule,
    examples: Sequence[Any],
    owner: str = "",
) -> CompatibilityReport:
    """Compare a version with earlier ones, by number: the schema first, then the reply schema.

    `owner` waits for its turns.
    """
    text, reply = bundles
    schemas = {number: each[0] for number, each in older.items()}
    found = await checker.compare_history(text, schemas, rule, owner=owner, examples=examples)
    if reply is None or not isinstance(found.result, Compatible):
        return CompatibilityReport(rule, found)
    replies = {number: each[1] for number, each in older.items() if each[1]}
    mirrored = await checker.compare_history(reply, replies, _mirrored(rule), owner=owner)
    if isinstance(mirrored.result, Compatible):
        return CompatibilityReport(rule, found)
    return CompatibilityReport(rule, mirrored, "reply")


def in_force(versions: Sequence[StoredVersion]) -> list[StoredVersion]:
    """The versions that events may have been validated against: all but unapproved drafts."""
    return [
        each for each in versions if each.state is not VersionState.DRAFT and not unapproved(each)
    ]


def bundles_by_number(versions: Sequence[StoredVersion]) -> dict[int, Bundles]:
    """The schemas that `compare_versions` compares with."""
    return {each.version.number: (each.bundle, each.reply_bundle) for each in versions}


def unapproved(version: StoredVersion) -> bool:
    """Whether the version is not compatible and nobody has approved it."""
    report = msgspec.json.decode(version.comparison) if version.comparison else {}
    breaking = report.get("outcome", _COMPATIBLE) != _COMPATIBLE
    return breaking and version.approved_by is None


def _mirrored(rule: Rule) -> Rule:
    direction, _, transitive = rule.mode.value.partition("-")
    direction = _MIRRORED.get(direction, direction)
    return Rule(
        CompatibilityMode(f"{direction}-{transitive}" if transitive else direction), rule.policy
    )
