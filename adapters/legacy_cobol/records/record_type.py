"""Record types and their selectors. They are declared, never guessed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from adapters.legacy_cobol.copybook.layout import Item, Literal, Range, Record
from adapters.legacy_cobol.fields.policy import Policy

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
    `policies` are by path; `policy` applies to all other fields.
    """

    name: str
    record: Record
    when: tuple[Selector, ...] = ()
    variants: Mapping[Path, tuple[Selector, ...]] = field(default_factory=dict)
    names: Mapping[Path, str] = field(default_factory=dict)
    policies: Mapping[Path, Policy] = field(default_factory=dict)
    policy: Policy = Policy()  # noqa: RUF009  (frozen)
    naming: Callable[[Item], str] = snake

    def name_of(self, item: Item) -> str:
        """The member name of an item in documents."""
        return self.names.get(item.path) or self.naming(item)

    def policy_of(self, item: Item) -> Policy:
        """The policy of an item: its own, or that of the record type."""
        return self.policies.get(item.path, self.policy)
