"""The names of members in documents: unique in each object, whatever the copybook calls them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.legacy_cobol.copybook.layout import Item, families

Path = tuple[str, ...]
Branch = tuple[tuple[Path, Path], ...]  # the shared bytes around an item, and the variant it is in


@dataclass(frozen=True, slots=True)
class MemberNaming:
    """How the members of one record are named.

    `declared` are the names of the layout, `variants` the items that selectors choose, `naming`
    names all others. Of others with the same name in one object, the later ones get a number.
    """

    declared: Mapping[Path, str]
    variants: Mapping[Path, Sequence[object]]
    naming: Callable[[Item], str]

    def names(self, root: Item) -> dict[Path, str]:
        """The names of all items that are members, by path.

        Raises ValueError if a declared name is not unique in its object.
        """
        if root.kind is not None:
            return {root.path: self.declared.get(root.path) or self.naming(root)}
        found: dict[Path, str] = {}
        objects = [root]
        while objects:
            members = list(self._members(objects.pop(), ()))
            found |= self._named(members)
            objects += [item for item, _ in members if item.kind is None]
        return found

    def paths(self, group: Item) -> Iterator[Path]:
        """The paths of the members of the object that a group is."""
        if group.kind is not None:
            yield group.path
            return
        for item, _ in self._members(group, ()):
            yield item.path

    def _named(self, members: list[tuple[Item, Branch]]) -> dict[Path, str]:
        """The names of the members of one object."""
        own = {item.path: self.declared.get(item.path) for item, _ in members}
        wanted = {item.path: own[item.path] or self.naming(item) for item, _ in members}
        reserved = set(wanted.values())
        taken: dict[str, list[tuple[Item, Branch]]] = {}
        found: dict[Path, str] = {}
        for item, branch in members:
            name, number = wanted[item.path], 1
            others = [each for each, other in taken.get(name, ()) if _meet(branch, other)]
            if others and (own[item.path] or own[others[0].path]):
                raise ValueError(_not_unique(item, others[0], name))
            while others and (name in taken or name in reserved):
                number += 1
                name = f"{wanted[item.path]}_{number}"
            taken.setdefault(name, []).append((item, branch))
            found[item.path] = name
        return found

    def _members(self, group: Item, branch: Branch) -> Iterator[tuple[Item, Branch]]:
        """The members of the object that a group is, with those of FILLER groups in it."""
        for family in families(group.children):
            if len(family) == 1 or not any(each.path in self.variants for each in family):
                yield from self._of(next(filter(_is_named, family), family[0]), branch)
                continue
            selected = [each for each in family if self.variants.get(each.path)]
            others = [each for each in family if not self.variants.get(each.path)]
            for each in selected + others[:1]:
                inside = (*branch, (family[0].path, each.path))
                yield from list(self._of(each, inside)) or [(each, inside)]

    def _of(self, item: Item, branch: Branch) -> Iterator[tuple[Item, Branch]]:
        if not item.filler or item.occurs is not None:
            yield item, branch
        elif item.kind is None:
            yield from self._members(item, branch)


def _is_named(item: Item) -> bool:
    return not item.filler


def _meet(one: Branch, other: Branch) -> bool:
    """Whether one document may have both: they are not in different variants of the same bytes."""
    variants = dict(one)
    return all(variants.get(family, variant) == variant for family, variant in other)


def _not_unique(item: Item, other: Item, name: str) -> str:
    one, two = (".".join(each.path[1:]) for each in (other, item))
    return f"{one} and {two} would both be the member {name!r}: declare another name for one"
