"""An example event: a complete CloudEvent with the data of a valid example."""

import re
from collections.abc import Mapping
from typing import Any

from gateway.contracts.lint.locations import effective
from gateway.contracts.values import Contract

ID = "8f0b3a52-6d5e-4c3a-9b1d-2f6a7c1e4d90"  # arbitrary; each event needs its own
TIME = "2026-01-05T03:00:00Z"
SUBJECT = "contoh-1"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def example_event(contract: Contract, dataschema: str, schema: Any, data: Any) -> dict[str, Any]:
    """A CloudEvent (JSON format) with these data, as a publisher sends it."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": ID,
        "source": f"/{contract.owner}/contoh",
        "type": contract.type,
        "time": TIME,
        "datacontenttype": "application/json",
        "dataschema": dataschema,
    }
    if contract.ordering.key in ("subject", "partitionkey"):
        event[contract.ordering.key] = _key(contract, schema, data)
    return {**event, "data": data}


def _key(contract: Contract, schema: Any, data: Any) -> str:
    """The value of the first field that the description of the ordering key names.

    Never personal data, because attributes are routed and logged.
    """
    known = data if isinstance(data, Mapping) else {}
    fields = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    for name in _NAME.findall(contract.ordering.description):
        field = fields.get(name)
        marked = isinstance(field, dict) and effective(schema, field).get("x-pii")
        if isinstance(known.get(name), str) and field is not None and not marked:
            return str(known[name])
    return SUBJECT
