"""How `POST /v1/events` reads in the OpenAPI document."""

from typing import Any

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1, "maxLength": 255},
        "source": {"type": "string", "format": "uri-reference", "maxLength": 512},
        "type": {"type": "string", "maxLength": 255},
        "subject": {"type": "string", "maxLength": 512},
        "time": {"type": "string", "format": "date-time"},
        "partitionkey": {"type": "string", "maxLength": 255},
        "data": {"description": "judged by the contract of the type"},
    },
}
COMPONENTS: dict[str, Any] = {
    "CloudEvent": _EVENT,
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "what was wrong and what to do"},
            "pointer": {"type": "string"},
            "byte": {"type": "integer"},
            "contract": {"type": "string"},
            "version": {"type": "integer"},
            "total": {"type": "integer"},
            "violations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "keyword", "message"],
                    "properties": {
                        "pointer": {"type": "string"},
                        "keyword": {"type": "string"},
                        "message": {"type": "string"},
                    },
                },
            },
        },
    },
    "Receipt": {
        "type": "object",
        "required": [
            "id",
            "source",
            "shard",
            "sequence",
            "recordedtime",
            "digest",
            "duplicate",
        ],
        "properties": {
            "id": {"type": "string"},
            "source": {"type": "string"},
            "shard": {"type": "integer"},
            "sequence": {"type": "integer"},
            "recordedtime": {"type": "string", "format": "date-time"},
            "digest": {"type": "string", "description": "SHA-256 of the event"},
            "duplicate": {"type": "boolean", "description": "it was stored before"},
        },
    },
    "BatchAnswer": {
        "type": "object",
        "required": ["accepted", "refused", "results"],
        "properties": {
            "accepted": {"type": "integer"},
            "refused": {"type": "integer"},
            "results": {
                "type": "array",
                "description": "an answer for each event, in the order sent",
                "items": {
                    "type": "object",
                    "required": ["status"],
                    "properties": {
                        "status": {"type": "integer"},
                        "receipt": {"$ref": "#/components/schemas/Receipt"},
                        "problem": {"$ref": "#/components/schemas/Problem"},
                    },
                },
            },
        },
    },
}


def problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": _PROBLEM}


def answer(description: str, schema: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": {"schema": reference}}}


OPERATION: dict[str, Any] = {
    "tags": ["events"],
    "summary": "Publish an event, or a batch of them",
    "description": (
        "CloudEvents 1.0 in binary, structured or batched mode. An answer with a receipt means "
        "that the event is stored durably. The same event again gets the same receipt, marked "
        "duplicate; after a time-out or a 5xx repeat it with the same id."
    ),
    "operationId": "publish_v1_events_post",
    "security": [{"HTTPBearer": []}],
    "parameters": [
        {
            "name": "atomic",
            "in": "query",
            "required": False,
            "description": "store a batch as a whole or not at all",
            "schema": {"type": "boolean", "default": False},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": {"schema": {"$ref": "#/components/schemas/CloudEvent"}},
            "application/cloudevents-batch+json": {
                "schema": {
                    "type": "array",
                    "maxItems": 1000,
                    "items": {"$ref": "#/components/schemas/CloudEvent"},
                }
            },
            "application/json": {
                "schema": {"description": "the data; the attributes stand in ce-* headers"}
            },
        },
    },
    "responses": {
        "202": answer("stored: the receipt", "Receipt"),
        "207": answer("a batch: an answer for each event", "BatchAnswer"),
        "400": problem("the request is malformed"),
        "401": problem("no valid access token"),
        "403": problem("no such contract that the caller may publish"),
        "409": problem("the id belongs to another event"),
        "413": problem("a limit is exceeded"),
        "415": problem("no media type or content coding that is read here"),
        "422": problem("the data break the contract, or one of an atomic batch was refused"),
        "503": problem("not available, or the outcome is unknown: repeat with the same id"),
    },
}


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """Add the operation to the OpenAPI document of the other routes."""
    document["paths"].setdefault("/v1/events", {})["post"] = OPERATION
    components = document.setdefault("components", {})
    components.setdefault("schemas", {}).update(COMPONENTS)
    return document
