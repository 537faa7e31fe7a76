"""One question, decided. Runs in a worker: any part of it may take for ever on hostile input."""

from collections.abc import Iterator
from itertools import chain, islice
from time import monotonic
from typing import Any

import jsonschema_rs

from gateway.base import strict_json
from gateway.base.errors import Malformed
from gateway.contracts.compatibility.algebra import Inclusion, inclusion
from gateway.contracts.compatibility.candidates import Candidates
from gateway.contracts.compatibility.closing import closed_normal
from gateway.contracts.compatibility.dialects import Unreadable, dialect_of
from gateway.contracts.compatibility.explaining import changes
from gateway.contracts.compatibility.induction import included_by_induction
from gateway.contracts.compatibility.normal import normal
from gateway.contracts.compatibility.question import (
    Compatible,
    Counterexample,
    Direction,
    Incompatible,
    Policy,
    Question,
    Undecided,
    Verdict,
)
from gateway.contracts.compatibility.saturation import plain, saturated
from gateway.contracts.compatibility.validators import Witness
from gateway.contracts.compatibility.walking import same

_DEPTH = 64
_GLANCE = 200  # documents tried against a proof of inclusion, which must survive them
_SEARCH = 6000  # documents tried for a counterexample
_SECONDS = 0.7  # for one search
_TIME_IS_UP = "the time limit was reached before it was proven either way"


def decide(question: Question) -> Iterator[Verdict]:
    """The verdict, last. Before it may come weaker ones, which hold if the work is cut short."""
    try:
        yield from _Case(question).verdicts()
    except Unreadable as error:
        yield Undecided(question.direction, str(error))


class _Case:
    def __init__(self, question: Question) -> None:
        self._question = question
        backward = question.direction is Direction.BACKWARD
        old, new = _Readable("old", question.old), _Readable("new", question.new)
        writer, reader = (old, new) if backward else (new, old)
        self._writer, self._reader = writer.normal, reader.normal
        self._mine, self._theirs = writer.witness, reader.witness
        if question.policy is Policy.OPTIONAL_FRIENDLY:
            self._writer = closed_normal(writer.normal)
            self._mine = Witness(self._writer)
        self._changes = changes(old.normal, new.normal)

    def verdicts(self) -> Iterator[Verdict]:
        if same(self._writer, self._reader):
            yield Compatible()
            return
        yield self._undecided(_TIME_IS_UP)
        if not self._question.by_algebra:
            example = self._proof(self._guesses(), _SEARCH)
            yield self._lost(example) if example else self._undecided(_TIME_IS_UP)
            return
        found = self._inclusion()
        if found.proven:
            against = self._proof(self._guesses(), _GLANCE)
            yield self._lost(against) if against else Compatible()
            return
        if found.proven is False:
            yield self._lost(None)
        lost = () if found.rest is None else _documents(found.rest, True)
        example = self._proof(chain(lost, self._guesses()), _SEARCH)
        certain = example or found.proven is False
        yield self._lost(example) if certain else self._undecided(found.reason)

    def _inclusion(self) -> Inclusion:
        """What the algebra says, helped where it knows too little."""
        found = inclusion(self._writer, self._reader)
        if found.proven is not None:
            return found
        writer, reader = saturated(self._writer, self._reader), plain(self._reader)
        better = inclusion(writer, reader)
        if better.proven is None and included_by_induction(writer, reader):
            return Inclusion(True)
        return better if better.proven is not None else found

    def _guesses(self) -> Iterator[Any]:
        """Documents that may be lost."""
        maker = _candidates(self._writer, self._reader)
        for example in self._question.examples:
            yield from islice(maker.around(strict_json.parse(example)), 500)
        yield from maker.documents()

    def _proof(self, documents: Iterator[Any], most: int) -> Counterexample | None:
        """The first of the documents that is lost, if both validators say so."""
        for document in islice(documents, most):
            if not self._mine.accepts(document) or self._theirs.accepts(document):
                continue
            if self._mine.agreed(document) and self._theirs.agreed(document) is False:
                return Counterexample(document, self._theirs.objection(document))
        return None

    def _lost(self, example: Counterexample | None) -> Incompatible:
        return Incompatible(self._question.direction, example, self._changes)

    def _undecided(self, reason: str) -> Undecided:
        return Undecided(self._question.direction, reason, self._changes)


class _Readable:
    """A schema that was read, checked and brought into normal form. Raises Unreadable."""

    def __init__(self, which: str, text: bytes) -> None:
        try:
            schema = strict_json.parse(text, depth=_DEPTH)
            dialect_of(schema)
            jsonschema_rs.meta.validate(schema)
            self.normal = normal(schema)
            self.witness = Witness(schema)
        except (Malformed, Unreadable) as error:
            raise Unreadable(f"the {which} schema: {error}") from None
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            reason = str(error).partition("\n")[0][:300]
            raise Unreadable(f"the {which} schema is no JSON Schema: {reason}") from None


def _candidates(writer: Any, reader: Any) -> Candidates:
    return Candidates(writer, reader, monotonic() + _SECONDS)


def _documents(writer: Any, reader: Any) -> Iterator[Any]:
    return _candidates(writer, reader).documents()
