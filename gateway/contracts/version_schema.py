"""The schema of a version as it validates events, compiled or on its way to where it will be."""

from functools import cached_property
from hashlib import blake2b

import msgspec

from gateway.base import strict_json
from gateway.contracts.validation import Validator


class VersionSchema(msgspec.Struct, frozen=True, dict=True):
    """The schema of a version for events or replies: bundled, as JSON text."""

    type: str
    version: int
    text: bytes
    closed: bool = False
    """Whether the closed form validates, see `compatibility.closed_form`."""

    @cached_property
    def key(self) -> bytes:
        """Equal schemas of one version have one key."""
        name = f"{self.type}\n{self.version}\n{self.closed}\n"
        return blake2b(name.encode() + self.text, digest_size=16).digest()

    def compiled(self) -> Validator:
        """Compile it."""
        schema = strict_json.parse(self.text)
        if not self.closed:
            return Validator(self.type, self.version, schema, self.text)
        # Few schemas need it, and a worker process that does not starts in half the time.
        from gateway.contracts.compatibility import closed_form

        return Validator(self.type, self.version, closed_form(schema))
