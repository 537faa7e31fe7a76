"""Record types and what chooses them: declared, never guessed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from adapters.legacy_cobol.copybook.layout import Item, Literal, Range, Record
from adapters.legacy_cobol.fields.policy import Policy

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """Holds where the field has one of these values. Text is compared in the file's own order."""

    path: Path
    ranges: tuple[Range, ...]

    @staticmethod
    def equals(record: Record, name: str | Path, *values: Literal) -> "Selector":
        """The named field has one of the values. Raises KeyError."""
        found = record.find(*((name,) if isinstance(name, str) else name))
        return Selector(found.path, tuple(Range(value) for value in values))

    @staticmethod
    def condition(record: Record, name: str) -> "Selector":
        """The level 88 of that name. Raises KeyError."""
        for item in record.items():
            for each in item.conditions:
                if each.name == name.upper():
                    return Selector(item.path, each.ranges)
        raise KeyError(f"no level 88 {name.upper()} in {record.name}")


def snake(item: Item) -> str:
    """NIK-LENGKAP becomes nik_lengkap."""
    return item.name.lower().replace("-", "_")


@dataclass(frozen=True)
class RecordType:
    """One kind of record in a file.

    It is chosen where all selectors of `when` hold; of several types the first. `variants` say
    which items that share their bytes by REDEFINES are meant: the first whose selectors all hold,
    else the first without any; nothing declared means the first that is no FILLER. `names` are
    renames by path, `policies` by path too; `policy` counts for all other fields.
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
        """As it stands in documents."""
        return self.names.get(item.path) or self.naming(item)

    def policy_of(self, item: Item) -> Policy:
        """Its own, or that of the record type."""
        return self.policies.get(item.path, self.policy)
