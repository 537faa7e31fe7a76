"""The rules of lint about personal data outside of marked fields: in texts, names and keys."""

import re
from collections.abc import Iterator
from typing import Any

from gateway.base.masking import mask_id
from gateway.contracts.lint.locations import Location, Role, as_list
from gateway.contracts.lint.profile import Profile
from gateway.contracts.values import Contract

Hit = tuple[str, str, str]
_TEXTS = ("title", "description", "default", "const", "enum", "examples", "$comment")
# Attributes are in the headers of messages, in lists and in logs of brokers, where data are not.
_ATTRIBUTES = {"id", "source", "subject", "partitionkey"}
_WORD = re.compile(r"[a-z_]+")
_BEFORE = re.compile(r"^\s*(?:(?:id|source|subject|partitionkey)\s*(?:=|:|is)?\s*)?(?:the|a|an)?\b")
_FIRST = 2  # words of a description


def contract_hits(contract: Contract, profile: Profile) -> Iterator[Hit]:
    """National ids in the texts of a contract, and an ordering key that is personal data."""
    for pointer, text in (
        ("/title", contract.title),
        ("/description", contract.description),
        ("/ordering/description", contract.ordering.description),
    ):
        if _personal(text):
            yield "national-id", pointer, "the text contains a national id or a telephone number"
    key, described = contract.ordering.key, contract.ordering.description.lower()
    first = _WORD.findall(_BEFORE.sub("", described))[
        :_FIRST
    ]  # what it is, not what it must not be
    kinds = sorted({kind for each in first if (kind := profile.personal_kind(each))})
    if key in _ATTRIBUTES and kinds:
        yield "personal-key", "/ordering", f"{key} holds personal data ({', '.join(kinds)})"


def schema_hits(location: Location, _: Profile) -> Iterator[Hit]:
    """National ids in the texts, examples and names of a schema, which everybody may read."""
    if location.role is Role.PROPERTY and _personal(location.name):
        yield "national-id", "", "the name of a member contains a national id"
    for word in _TEXTS:
        if any(_personal(each) for each in as_list(location.schema.get(word))):
            yield "national-id", f"/{word}", "the text contains a national id or a telephone number"


def _personal(value: Any) -> bool:
    return isinstance(value, str) and mask_id(value) != value
