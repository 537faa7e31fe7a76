"""Record types and their selectors. They are declared, never guessed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from adapters.legacy_cobol.copybook.kinds import Kind
from adapters.legacy_cobol.copybook.layout import Item, Literal, Range, Record
from adapters.legacy_cobol.fields.policy import Policy
from adapters.legacy_cobol.records.member_names import MemberNaming

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """Matches if the field has one of these values. Text is compared in the order of the file."""

    path: Path
    ranges: tuple[Range, ...]

    @staticmethod
    def equals(record: Record, name: str | Path, *values: Literal) -> "Selector":
        """Matches if the field has one of the values. Raises KeyError."""
        found = record.find(*((name,) if isinstance(name, str) else name))
        return Selector(found.path, tuple(Range(value) for value in values))

    @staticmethod
    def condition(record: Record, name: str) -> "Selector":
        """Matches if the level 88 of this name is true. Raises KeyError."""
        for item in record.items():
            for each in item.conditions:
                if each.name == name.upper():
                    return Selector(item.path, each.ranges)
        raise KeyError(f"no level 88 {name.upper()} in {record.name}")


def snake(item: Item) -> str:
    """The member name of an item: NIK-LENGKAP becomes nik_lengkap."""
    return item.name.lower().replace("-", "_")


@dataclass(frozen=True)
class RecordType:
    """A type of record in a file.

    A record has the first type whose selectors in `when` all match. `variants` decide between
    items that share bytes by REDEFINES: the first whose selectors all match, else the first
    without selectors. Without `variants` it is the first that is not FILLER. `names` and
    `policies` are by path, `kinds` by kind of field; `policy` applies to all other fields. A record
    may end before the `optional` item, or after any item from there on.

    Members have the names that `names` and `naming` give. Of items with the same name in one
    object, the later ones get a number: kode, kode_2. Raises ValueError if `names` are not unique.
    """

    name: str
    record: Record
    when: tuple[Selector, ...] = ()
    variants: Mapping[Path, tuple[Selector, ...]] = field(default_factory=dict)
    names: Mapping[Path, str] = field(default_factory=dict)
    policies: Mapping[Path, Policy] = field(default_factory=dict)
    kinds: Mapping[type[Kind], Policy] = field(default_factory=dict)
    optional: Path = ()
    policy: Policy = Policy()  # noqa: RUF009  (frozen)
    naming: Callable[[Item], str] = snake

    def __post_init__(self) -> None:
        self.members  # noqa: B018  (checks the names)

    @cached_property
    def members(self) -> Mapping[Path, str]:
        """The names of all items that are members of documents, by path."""
        return self._naming.names(self.record.root)

    def is_optional(self, item: Item) -> bool:
        """Whether records may end before this item."""
        return self._optional_from is not None and item.offset >= self._optional_from

    @cached_property
    def _optional_from(self) -> int | None:
        return self.record.find(*self.optional).offset if self.optional else None

    @cached_property
    def values(self) -> Mapping[str, tuple[Path, ...]]:
        """The values of documents that are in no list: their names, with dots, and their items.

        Variants of shared bytes may have the same name.
        """
        found: dict[str, tuple[Path, ...]] = {}
        self._add_values(self.record.root, "", found)
        return found

    def _add_values(self, group: Item, before: str, found: dict[str, tuple[Path, ...]]) -> None:
        for path in self._naming.paths(group):
            item = self.record.find(*path)
            name = f"{before}{self.members[path]}"
            if item.kind is not None and item.occurs is None:
                found[name] = (*found.get(name, ()), path)
            elif item.occurs is None:
                self._add_values(item, f"{name}.", found)

    @property
    def top_members(self) -> frozenset[str]:
        """The names of the members of the whole document."""
        return frozenset(self.members[path] for path in self._naming.paths(self.record.root))

    @property
    def _naming(self) -> MemberNaming:
        return MemberNaming(self.names, self.variants, self.naming)

    def name_of(self, item: Item) -> str:
        """The member name of an item in documents."""
        return self.members.get(item.path) or self.names.get(item.path) or self.naming(item)

    def policy_of(self, item: Item) -> Policy:
        """The policy of an item: its own, that of its kind, or that of the record type."""
        own = self.policies.get(item.path)
        if own is not None or item.kind is None:
            return own or self.policy
        return self.kinds.get(type(item.kind)) or self.policy.suited_to(type(item.kind))
