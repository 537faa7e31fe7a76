"""Generated code: types for programming languages, and a complete example event.

The schema stays authoritative for rules that a language cannot express.
"""

from gateway.contracts.code.example import example_event
from gateway.contracts.code.names import class_name
from gateway.contracts.code.python import pydantic_model
from gateway.contracts.code.typescript import typescript_type

__all__ = ["class_name", "example_event", "pydantic_model", "typescript_type"]
