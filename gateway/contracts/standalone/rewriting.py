"""Rewrites a schema so that all its references are pointers into it, with one target each.

The structure stays: a subschema that can be used where it stands is found at the same pointer. What
a reference means elsewhere becomes a definition: what no keyword of schemas holds, a schema of
another document, and a schema under another dynamic scope, once for each such scope.
"""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gateway.base.errors import Invalid
from gateway.base.faults import Fault
from gateway.base.json_pointer import escaped
from gateway.contracts.faults import LISTED, several
from gateway.contracts.keywords import rebuilt
from gateway.contracts.standalone.subschemas import MAIN, Subschema, Subschemas

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_DROPPED = ("$id", "$schema", "$vocabulary", "$dynamicAnchor", "$recursiveAnchor")
_IN_COPIES = ("$anchor", "$defs", "definitions")  # a copy is not referred to from outside
_APPLIED = "allOf"
MAX_WRITTEN = 10_000  # schemas, with those of definitions that are added
_SAFE = "/~!$&'()*+,;=:@"

Scope = Mapping[str, Subschema]
"""The outermost subschema of each dynamic anchor in the dynamic scope."""


@dataclass(frozen=True, slots=True)
class _Link:
    """A reference with one target, or with one that its dynamic scope may replace."""

    target: Subschema
    dynamic: str | None


class Rewriting:
    """One schema on its way. `keeps(uri)` says that a reference to another schema stays."""

    def __init__(
        self, subschemas: Subschemas, definitions: str, keeps: Callable[[str], bool]
    ) -> None:
        self._subschemas, self._definitions, self._keeps = subschemas, definitions, keeps
        self._links: dict[Subschema, dict[str, _Link | str]] = {}
        self._used: dict[Subschema, set[str]] = {}
        self._copies: dict[tuple[Subschema, tuple[tuple[str, int], ...]], str] = {}
        self._waiting: list[tuple[str, Subschema, Scope]] = []
        self._lexical: dict[Subschema, Scope] = {}
        self._numbers: dict[str, int] = {}
        self._added: set[str] = set()
        self._written = 0

    def document(self) -> dict[str, Any]:
        """The schema in a form that stands alone. Raises Invalid for a missing target."""
        root = self._subschemas.root
        self._link_all()
        self._find_used()
        self._find_lexical(root, {})
        made: dict[str, Any] = self._rewritten(root, _entered({}, root), copied=False)
        found: dict[str, Any] = {}
        while self._waiting:
            name, subschema, scope = self._waiting.pop()
            found[name] = self._rewritten(subschema, scope, copied=True)
        if found:
            made[self._definitions] = {**made.get(self._definitions, {}), **found}
        return {"$schema": root.schema["$schema"], **made}

    def _link_all(self) -> None:
        """Follow every reference, which may lead to subschemas that were not known before."""
        waiting, names, faults = [self._subschemas.root], set[str](), list[Fault]()
        while waiting:
            subschema = waiting.pop()
            if subschema in self._links:
                continue
            try:
                links = self._links_of(subschema)
            except Invalid as error:
                if error.pointer is None:
                    raise
                faults.append(Fault(error.pointer, str(error)))
                links = {}
            self._links[subschema] = links
            waiting += (each for _, each in self._subschemas.inside(subschema))
            for link in links.values():
                if isinstance(link, _Link):
                    waiting.append(link.target)
                    if link.dynamic is not None and link.dynamic not in names:
                        names.add(link.dynamic)
                        waiting += self._subschemas.dynamic_subschemas(link.dynamic)
        if faults:
            raise several(faults[:LISTED])

    def _links_of(self, subschema: Subschema) -> dict[str, _Link | str]:
        found: dict[str, _Link | str] = {}
        for keyword in REFERENCES:
            reference = (
                subschema.schema.get(keyword) if isinstance(subschema.schema, dict) else None
            )
            if not isinstance(reference, str):
                continue
            self._require_known(subschema, keyword)
            target = self._subschemas.target(subschema, keyword, reference)
            if isinstance(target, str):
                self._require_kept(subschema, keyword, target, reference)
                found[keyword] = target
            else:
                moves = keyword != "$ref"
                name = self._subschemas.dynamic_name(keyword, reference, target) if moves else None
                found[keyword] = _Link(target, name)
        return found

    def _require_known(self, subschema: Subschema, keyword: str) -> None:
        known = {"$dynamicRef": "2020-12", "$recursiveRef": "2019-09"}
        if keyword in known and known[keyword] not in self._subschemas.dialect:
            raise Invalid(
                f"{keyword} is a keyword of {known[keyword]} only. Use $ref, or that $schema.",
                pointer=f"{subschema.pointer}/{keyword}",
            )

    def _require_kept(self, subschema: Subschema, keyword: str, uri: str, reference: str) -> None:
        if keyword != "$ref" or not self._keeps(uri.partition("#")[0]):
            raise Invalid(
                f"{reference[:200]!r} is not the id of a registered schema, and nothing is "
                "fetched. Use urn:nusabus:contract:<type>:<version>, or put the schema under "
                f"{self._definitions}, with its $id.",
                pointer=f"{subschema.pointer}/{keyword}",
            )

    def _find_used(self) -> None:
        """For each subschema the dynamic anchors that it, or what it leads to, may look for."""
        users = self._users()
        for subschema, link in list(self._all_links()):
            if link.dynamic is not None:
                self._note_use(subschema, link.dynamic, users)

    def _users(self) -> dict[Subschema | str, list[Subschema]]:
        """The subschemas that lead to a subschema, or to those of a dynamic anchor."""
        users: dict[Subschema | str, list[Subschema]] = {}
        for subschema in self._links:
            for _, each in self._subschemas.inside(subschema):
                users.setdefault(each, []).append(subschema)
        for subschema, link in self._all_links():
            users.setdefault(link.target, []).append(subschema)
            if link.dynamic is not None:
                users.setdefault(link.dynamic, []).append(subschema)
        return users

    def _note_use(
        self, subschema: Subschema, name: str, users: Mapping[Subschema | str, list[Subschema]]
    ) -> None:
        waiting = [subschema]
        while waiting:
            each = waiting.pop()
            if name in self._used.setdefault(each, set()):
                continue
            self._used[each].add(name)
            waiting += users.get(each, ())
            for anchor, found in each.resource.dynamic.items():
                if found is each:
                    waiting += users.get(anchor, ())

    def _all_links(self) -> Iterator[tuple[Subschema, _Link]]:
        for subschema, links in self._links.items():
            yield from ((subschema, link) for link in links.values() if isinstance(link, _Link))

    def _find_lexical(self, subschema: Subschema, scope: Scope) -> None:
        """Note the dynamic scope, from outside, of what stands in the document itself."""
        self._lexical[subschema] = scope = _entered(scope, subschema)
        for _, each in self._subschemas.inside(subschema):
            self._find_lexical(each, scope)

    def _rewritten(self, subschema: Subschema, scope: Scope, *, copied: bool) -> Any:
        schema = subschema.schema
        if not isinstance(schema, dict):
            return schema
        self._written += 1
        if self._written > MAX_WRITTEN:
            raise _too_many()
        inside = dict(self._subschemas.inside(subschema))

        def below(steps: tuple[str, ...], _: Any) -> Any:
            each = inside[steps]
            return self._rewritten(each, _entered(scope, each), copied=copied)

        kept = self._kept(subschema, schema, copied=copied)
        made = rebuilt(kept, below)
        references = [
            link if isinstance(link, str) else self._pointer(link, scope)
            for link in self._links[subschema].values()
        ]
        if references:
            made["$ref"] = references[0]
        if len(references) > 1:
            made[_APPLIED] = [*made.get(_APPLIED, ()), *({"$ref": each} for each in references[1:])]
        return made

    def _kept(
        self, subschema: Subschema, schema: dict[str, Any], *, copied: bool
    ) -> dict[str, Any]:
        """What of a schema stays: in old drafts, what applies schemas beside `$ref` does not."""
        dropped = {*_DROPPED, *REFERENCES}
        own = subschema.resource is self._subschemas.root.resource
        if copied:
            dropped |= {*_IN_COPIES}
        elif not own:
            dropped.add("$anchor")
        kept = {word: value for word, value in schema.items() if word not in dropped}
        if (
            "$id" in schema
            and subschema is self._subschemas.root
            and own
            and ":" in str(schema["$id"])
        ):
            kept = {"$id": schema["$id"], **kept}
        anchor = schema.get("$dynamicAnchor")
        if own and not copied and isinstance(anchor, str):
            kept.setdefault("$anchor", anchor)
        if self._subschemas.old and "$ref" in self._links[subschema]:
            known = {"$id", "definitions", "$defs", "title", "description", "$comment", "examples"}
            kept = {word: kept[word] for word in kept if word in known or word.startswith("x-")}
        return kept

    def _pointer(self, link: _Link, scope: Scope) -> str:
        """The pointer of what a reference means in this dynamic scope."""
        target = link.target
        if link.dynamic is not None:
            target = scope.get(link.dynamic, target)
        scope = _entered(scope, target)
        used: AbstractSet[str] = self._used.get(target, frozenset())
        key = _key(scope, used)
        lexical = self._lexical.get(target)
        stands = target.document == MAIN and target.schema_position and lexical is not None
        if stands and lexical is not None and key == _key(lexical, used):
            return f"#{quote(target.pointer, safe=_SAFE)}"
        name = self._copies.get((target, key))
        if name is None:
            name = self._copies[target, key] = self._new_name(target)
            self._waiting.append((name, target, scope))
        return f"#/{self._definitions}/{quote(escaped(name), safe=_SAFE)}"

    def _new_name(self, target: Subschema) -> str:
        last = target.pointer.rpartition("/")[2] or target.resource.uri.rpartition("/")[2]
        stem = last.replace("~1", "/").replace("~0", "~") or "schema"
        present = self._subschemas.root.schema.get(self._definitions)
        taken = present if isinstance(present, dict) else {}
        number = self._numbers.get(stem, 0) + 1
        while (name := stem if number == 1 else f"{stem}-{number}") in taken or name in self._added:
            number += 1
        self._numbers[stem] = number
        self._added.add(name)
        return name


def _too_many() -> Invalid:
    return Invalid(
        f"With a schema of its own for each meaning of a dynamic reference there are more than "
        f"{MAX_WRITTEN}. Use $ref where there is one target, or fewer schemas with an $id."
    )


def _entered(scope: Scope, subschema: Subschema) -> Scope:
    """The dynamic scope inside a subschema; that of an outer resource has precedence."""
    own = subschema.resource.dynamic
    return scope if all(name in scope for name in own) else {**own, **scope}


def _key(scope: Scope, used: AbstractSet[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((name, id(subschema)) for name, subschema in scope.items() if name in used))
