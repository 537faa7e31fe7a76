"""The content of a submission in its stored forms: digest, examples as JSON, examples as rows."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from gateway.contracts.tables import ExampleRow
from gateway.contracts.values import Submission, Version

_encode = msgspec.json.Encoder(decimal_format="number").encode
_canonicalise = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


def digest_of(version: Version) -> bytes:
    """SHA-256 of the schemas of a version; white space and member order do not count."""
    documents = [version.document, *([] if version.reply is None else [version.reply_document])]
    return hashlib.sha256(b"\n".join(map(_canonicalise, documents))).digest()


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
