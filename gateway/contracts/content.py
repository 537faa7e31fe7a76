"""What is in a submission, in the forms that are stored."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from gateway.base import strict_json
from gateway.contracts.tables import ExampleRow
from gateway.contracts.values import Submission, Version

_encode = msgspec.json.Encoder(decimal_format="number").encode
_canonicalise = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


def digest_of(version: Version) -> bytes:
    """SHA-256 of what a version judges by, indifferent to white space and member order."""
    parts = [version.text] + ([version.reply] if version.reply is not None else [])
    return hashlib.sha256(b"\n".join(_canonical(part) for part in parts)).digest()


def _canonical(text: bytes) -> bytes:
    return _canonicalise(strict_json.parse(text))


def examples_document(submission: Submission) -> Mapping[str, Any]:
    """The examples as JSON has them."""
    return {
        "valid": [{"name": name, "data": data} for name, data in submission.valid.items()],
        "invalid": [asdict(example) for example in submission.invalid],
        "valid_replies": [
            {"name": name, "data": data} for name, data in submission.valid_replies.items()
        ],
        "invalid_replies": [asdict(example) for example in submission.invalid_replies],
    }


def example_rows(submission: Submission) -> Iterator[ExampleRow]:
    """The examples as rows of their contract."""
    documents: list[tuple[str, str, Any]] = [
        *(("valid", name, data) for name, data in submission.valid.items()),
        *(("invalid", example.name, asdict(example)) for example in submission.invalid),
        *(("valid-reply", name, data) for name, data in submission.valid_replies.items()),
        *(("invalid-reply", e.name, asdict(e)) for e in submission.invalid_replies),
    ]
    for kind, name, document in documents:
        yield ExampleRow(
            type=submission.contract.type, kind=kind, name=name, document=_encode(document)
        )
