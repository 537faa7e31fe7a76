"""What programmers start from: a type for their language, and an event to look at.

The judge of an event stays the schema: what a language cannot say is left to it.
"""

from gateway.contracts.code.example import example_event
from gateway.contracts.code.names import class_name
from gateway.contracts.code.python import pydantic_model
from gateway.contracts.code.typescript import typescript_type

__all__ = ["class_name", "example_event", "pydantic_model", "typescript_type"]
