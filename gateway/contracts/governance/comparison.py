"""Whether a new version keeps what the versions before it promised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gateway.base import strict_json
from gateway.contracts import State, StoredVersion, without_personal_data
from gateway.contracts.compatibility import (
    Compatibility,
    Compatible,
    Counterexample,
    Incompatible,
    Judgement,
    Mode,
    Rule,
)
from gateway.contracts.compiling import BUNDLE_DEPTH

Bundled = tuple[bytes, bytes | None]  # a schema and its reply schema, with what they refer to
_encode = msgspec.json.Encoder(decimal_format="number").encode
_COMPATIBLE = "compatible"
_HIDDEN = "personal data that the other version does not accept"
# ReplyQueue travel the other way: who asked must understand what is answered.
_MIRRORED = {"backward": "forward", "forward": "backward"}


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict under a rule. `part` is schema or reply, `version` the earlier one that decided."""

    rule: Rule
    judgement: Judgement
    part: str = "schema"

    @property
    def compatible(self) -> bool:
        """Whether nothing is lost, and that is proven."""
        return isinstance(self.judgement.verdict, Compatible)

    def report(self) -> Mapping[str, Any]:
        """As JSON has it."""
        verdict = self.judgement.verdict
        found: dict[str, Any] = {
            "outcome": type(verdict).__name__.lower(),
            "mode": self.rule.mode.value,
            "policy": self.rule.policy.value,
            "against": self.judgement.version,
        }
        if isinstance(verdict, Compatible):
            return found
        found["part"] = self.part
        found["direction"] = verdict.direction.value
        found["changes"] = [
            {"pointer": change.pointer, "text": change.text} for change in verdict.changes
        ]
        if not isinstance(verdict, Incompatible):
            return {**found, "reason": verdict.reason}
        if verdict.counterexample is not None:
            found["counterexample"] = {
                # Exact numbers, as JSON has them.
                "document": msgspec.Raw(_encode(verdict.counterexample.document)),
                "reason": verdict.counterexample.reason,
            }
        return found

    def document(self) -> bytes:
        """The report as JSON."""
        return _encode(self.report())


async def judge(
    compatibility: Compatibility,
    bundles: Bundled,
    older: Mapping[int, Bundled],
    rule: Rule,
    examples: Sequence[Any],
) -> Judged:
    """A version against those before it, by number."""
    text, reply = bundles
    before = {number: each[0] for number, each in older.items()}
    found = await compatibility.judge_history(text, before, rule, examples=examples)
    if reply is None or not isinstance(found.verdict, Compatible):
        return Judged(rule, _masked(found, text, before))
    replies = {number: each[1] for number, each in older.items() if each[1]}
    mirrored = await compatibility.judge_history(reply, replies, _mirrored(rule))
    if isinstance(mirrored.verdict, Compatible):
        return Judged(rule, found)
    return Judged(rule, _masked(mirrored, reply, replies), "reply")


def _masked(found: Judgement, text: bytes, older: Mapping[int, bytes]) -> Judgement:
    """The counterexample may be made of registered examples: what either schema marks as personal
    is not shown."""
    verdict = found.verdict
    if not isinstance(verdict, Incompatible) or verdict.counterexample is None:
        return found
    example = verdict.counterexample
    document = example.document
    for schema in (text, older.get(found.version) if found.version else None):
        if schema is not None:
            document = without_personal_data(
                strict_json.parse(schema, depth=BUNDLE_DEPTH), document
            )
    shown = Counterexample(document, example.reason)
    if document != example.document and _quotes(example, document):
        shown = Counterexample(document, _HIDDEN)
    return replace(found, verdict=replace(verdict, counterexample=shown))


def _quotes(example: Counterexample, shown: Any) -> bool:
    """Whether the reason, which quotes the value at its pointer, quotes what is not shown."""
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


def in_force(versions: Sequence[StoredVersion]) -> list[StoredVersion]:
    """The versions that events were, or may have been, judged by: all but unapproved drafts."""
    return [each for each in versions if each.state is not State.DRAFT and not unapproved(each)]


def bundled(versions: Sequence[StoredVersion]) -> dict[int, Bundled]:
    """What `judge` compares with."""
    return {each.version.number: (each.bundle, each.reply_bundle) for each in versions}


def unapproved(version: StoredVersion) -> bool:
    """Whether it would break something, and nobody has approved that."""
    verdict = msgspec.json.decode(version.verdict) if version.verdict else {}
    breaking = verdict.get("outcome", _COMPATIBLE) != _COMPATIBLE
    return breaking and version.approved_by is None


def _mirrored(rule: Rule) -> Rule:
    word, _, transitive = rule.mode.value.partition("-")
    word = _MIRRORED.get(word, word)
    return Rule(Mode(f"{word}-{transitive}" if transitive else word), rule.policy)
