"""One comparison. Runs in a worker: any part of it may never end on hostile input."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from time import process_time
from typing import Any

import jsonschema_rs

from gateway.base import strict_json
from gateway.base.errors import Malformed
from gateway.contracts.compatibility.algebra import Inclusion, inclusion
from gateway.contracts.compatibility.candidates import Candidates
from gateway.contracts.compatibility.changes import changes
from gateway.contracts.compatibility.closed_form import closed_normal_form
from gateway.contracts.compatibility.dialects import UnreadableSchema, dialect_of
from gateway.contracts.compatibility.induction import included_by_induction
from gateway.contracts.compatibility.masking import masked
from gateway.contracts.compatibility.normal_form import normal_form
from gateway.contracts.compatibility.saturation import saturated, without_trivial_patterns
from gateway.contracts.compatibility.subschemas import same_json
from gateway.contracts.compatibility.validators import ValidatorPair
from gateway.contracts.compatibility.values import (
    Comparison,
    ComparisonTask,
    CompatibilityDirection,
    CompatibilityPolicy,
    Compatible,
    Counterexample,
    Incompatible,
    Undecided,
)

_DEPTH = 64
_CROSS_CHECK = 200  # documents that a proof of inclusion must survive
_SEARCH = 6000  # documents tried for a counterexample
_SECONDS = 0.7  # for one search
_TIMED_OUT = "The time limit was reached before compatibility was proven or disproven."


def compare(task: ComparisonTask) -> Iterator[Comparison]:
    """The result, last. Weaker results may come before it; they hold if the work is cut short.

    A counterexample shows no personal data.
    """
    try:
        for result in _Comparer(task).results():
            if isinstance(result, Incompatible) and result.counterexample is not None:
                yield replace(result, counterexample=None)  # masking it may take too long
                result = replace(result, counterexample=masked(result.counterexample, task))
            yield result
    except UnreadableSchema as error:
        yield Undecided(task.direction, str(error))


class _Comparer:
    def __init__(self, task: ComparisonTask) -> None:
        self._task = task
        backward = task.direction is CompatibilityDirection.BACKWARD
        old, new = _ReadSchema("Old", task.old), _ReadSchema("New", task.new)
        writer, reader = (old, new) if backward else (new, old)
        self._writer, self._reader = writer.normal, reader.normal
        self._writes, self._reads = writer.validators, reader.validators
        if task.policy is CompatibilityPolicy.OPTIONAL_FRIENDLY:
            self._writer = closed_normal_form(writer.normal)
            self._writes = ValidatorPair(self._writer)
        self._changes = changes(old.normal, new.normal)

    def results(self) -> Iterator[Comparison]:
        if same_json(self._writer, self._reader):
            yield Compatible()
            return
        yield self._undecided(_TIMED_OUT)
        if not self._task.by_algebra:
            example = self._counterexample(self._candidates(), _SEARCH)
            yield self._incompatible(example) if example else self._undecided(_TIMED_OUT)
            return
        found = self._inclusion()
        if found.proven:
            example = self._counterexample(self._candidates(), _CROSS_CHECK)
            yield self._incompatible(example) if example else Compatible()
            return
        if found.proven is False:
            yield self._incompatible(None)
        refused = () if found.rest is None else _documents(found.rest, True)
        example = self._counterexample(chain(refused, self._candidates()), _SEARCH)
        certain = example or found.proven is False
        yield self._incompatible(example) if certain else self._undecided(found.reason)

    def _inclusion(self) -> Inclusion:
        """The result of the algebra, with rewritten schemas if it cannot decide the originals."""
        found = inclusion(self._writer, self._reader)
        if found.proven is not None:
            return found
        writer = saturated(self._writer, self._reader)
        reader = without_trivial_patterns(self._reader)
        better = inclusion(writer, reader)
        if better.proven is None and included_by_induction(writer, reader):
            return Inclusion(True)
        return better if better.proven is not None else found

    def _candidates(self) -> Iterator[Any]:
        """Documents that the reader's schema may refuse."""
        candidates = _candidates(self._writer, self._reader)
        for example in self._task.examples:
            yield from islice(candidates.around(strict_json.parse(example)), 500)
        yield from candidates.documents()

    def _counterexample(self, documents: Iterator[Any], limit: int) -> Counterexample | None:
        """The first document that only the reader's schema refuses, if both validators agree."""
        for document in islice(documents, limit):
            if not self._writes.accepts(document) or self._reads.accepts(document):
                continue
            if self._writes.both_accept(document) and self._reads.both_accept(document) is False:
                return Counterexample(document, self._reads.first_error(document))
        return None

    def _incompatible(self, example: Counterexample | None) -> Incompatible:
        return Incompatible(self._task.direction, example, self._changes)

    def _undecided(self, reason: str) -> Undecided:
        return Undecided(self._task.direction, reason, self._changes)


class _ReadSchema:
    """A schema that was parsed, checked and normalised. Raises UnreadableSchema."""

    def __init__(self, side: str, text: bytes) -> None:
        try:
            schema = strict_json.parse(text, depth=_DEPTH)
            dialect_of(schema)
            jsonschema_rs.meta.validate(schema)
            self.normal = normal_form(schema)
            self.validators = ValidatorPair(schema)
        except (Malformed, UnreadableSchema) as error:
            raise UnreadableSchema(f"{side} schema: {error}") from None
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            reason = str(error).partition("\n")[0][:300]
            raise UnreadableSchema(f"{side} schema: not a valid JSON Schema: {reason}") from None


def _candidates(writer: Any, reader: Any) -> Candidates:
    return Candidates(writer, reader, process_time() + _SECONDS)


def _documents(writer: Any, reader: Any) -> Iterator[Any]:
    return _candidates(writer, reader).documents()
