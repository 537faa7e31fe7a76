"""Personal data: values and member names that a schema marks by `x-pii` are masked."""

from typing import Any

from gateway.contracts.keywords import subschemas

MASK = "…"
MARK = "x-pii"
_DEPTH = 64
_IN_PLACE = ("allOf", "anyOf", "oneOf")
_ITEMS = ("items", "additionalItems", "unevaluatedItems", "contains")


class NameMask:
    """Masks member names that are personal data themselves, in pointers and messages.

    A mark inside `propertyNames` says that the names of members are personal data, such as objects
    with a NIK as their keys. Then only names that the schema itself uses are shown.
    """

    def __init__(self, document: Any) -> None:
        self._known: frozenset[str] | None = None
        schemas = [schema for _, schema in subschemas(document) if isinstance(schema, dict)]
        if any(_marked(schema.get("propertyNames")) for schema in schemas):
            self._known = frozenset(
                name for schema in schemas for name in schema.get("properties", ())
            )

    def path(self, path: list[str | int]) -> list[str | int]:
        """A path with every name masked that may be personal data."""
        if self._known is None:
            return path
        return [s if isinstance(s, int) or s in self._known else MASK for s in path]

    def message(self, message: str, keyword: str) -> str:
        """A message, replaced if it may name members that are personal data."""
        return message if self._known is None else f"the data violate {keyword}"


def _marked(schema: Any) -> bool:
    return any(isinstance(each, dict) and each.get(MARK) for _, each in subschemas(schema))


def mask_personal_data(schema: Any, data: Any) -> Any:
    """The data with every value masked that the schema marks in any of its branches.

    Follows references inside the schema. Data under a reference that it cannot follow are masked
    as a whole.
    """
    return _masked([schema], schema, data, _DEPTH)


def _masked(schemas: list[Any], root: Any, data: Any, depth: int) -> Any:
    applicable = _applicable(schemas, root)
    if depth == 0 or any(schema.get(MARK) for schema in applicable):
        return MASK
    if isinstance(data, dict):
        names = _names(applicable, root, data)
        return {
            names[name]: _masked(_under(applicable, name), root, value, depth - 1)
            for name, value in data.items()
        }
    if isinstance(data, list):
        return [
            _masked(_at(applicable, index), root, value, depth - 1)
            for index, value in enumerate(data)
        ]
    return data


def _names(schemas: list[dict[str, Any]], root: Any, data: Any) -> dict[str, str]:
    """The names to show for members; names that are personal data become numbers."""
    kinds = [schema["propertyNames"] for schema in schemas if "propertyNames" in schema]
    if not any(kind.get(MARK) for kind in _applicable(kinds, root)):
        return {name: name for name in data}
    known = {name for schema in schemas for name in schema.get("properties", ())}
    return {
        name: name if name in known else f"{MASK}{number}" for number, name in enumerate(data, 1)
    }


def _applicable(schemas: list[Any], root: Any) -> list[dict[str, Any]]:
    """The schemas, and all that apply to the same location through references and branches."""
    found: list[dict[str, Any]] = []
    seen: set[int] = set()
    waiting = list(schemas)
    while waiting:
        schema = waiting.pop()
        if not isinstance(schema, dict) or id(schema) in seen:
            continue
        seen.add(id(schema))
        found.append(schema)
        reference = schema.get("$ref", schema.get("$dynamicRef"))
        if isinstance(reference, str):
            waiting.append(_target(root, reference))
        for keyword in _IN_PLACE:
            waiting += schema.get(keyword, [])
        waiting += [schema[word] for word in ("if", "then", "else", "not") if word in schema]
        waiting += schema.get("dependentSchemas", {}).values()
    return found


def _under(schemas: list[dict[str, Any]], name: str) -> list[Any]:
    found = []
    for schema in schemas:
        found += [schema["properties"][name]] if name in schema.get("properties", {}) else []
        found += schema.get("patternProperties", {}).values()
        found += [
            schema[word]
            for word in ("additionalProperties", "unevaluatedProperties")
            if word in schema
        ]
    return found


def _at(schemas: list[dict[str, Any]], index: int) -> list[Any]:
    found = []
    for schema in schemas:
        prefix = schema.get("prefixItems", [])
        found += [prefix[index]] if index < len(prefix) else []
        for word in _ITEMS:
            inner = schema.get(word)
            found += inner[index : index + 1] if isinstance(inner, list) else [inner]
    return found


def _target(root: Any, reference: str) -> Any:
    """The target of a reference in the bundle, by pointer or by the id of an embedded schema."""
    base, _, pointer = reference.partition("#")
    target = root
    if base and base != root.get("$id"):
        embedded = root.get("$defs", {}).values()
        target = next((each for each in embedded if _has_id(each, base)), None)
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict):
            target = target.get(step)
        elif isinstance(target, list) and step.isdecimal() and int(step) < len(target):
            target = target[int(step)]
        else:
            target = None
    return {MARK: True} if target is None else target


def _has_id(schema: Any, id: str) -> bool:
    return isinstance(schema, dict) and schema.get("$id") == id
