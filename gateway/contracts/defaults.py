"""The defaults of an organisation's contracts: compatibility rule and lint levels."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.contracts.compatibility import CompatibilityMode, CompatibilityPolicy, Rule
from gateway.contracts.tables import DefaultsRow

EVERYONE = ""  # in place of an organisation: the defaults of organisations without their own
_levels = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class Defaults:
    """The defaults of an organisation.

    `rule` is for contracts without their own. `lint` holds the levels that are raised above the
    national profile. `revision` grows with every change; it is 0 if they were never set.
    """

    rule: Rule
    lint: Mapping[str, str]
    revision: int


async def defaults_of(session: AsyncSession, organisation: str) -> Defaults:
    """The defaults of an organisation, or the general ones if it has set none."""
    row = await session.get(DefaultsRow, organisation)
    if row is not None:
        return Defaults(_rule(row), _levels(row.lint), row.revision)
    general = await session.get(DefaultsRow, EVERYONE)
    if general is None:
        return Defaults(Rule(CompatibilityMode.BACKWARD), {}, 0)
    return Defaults(_rule(general), _levels(general.lint), 0)


async def put_defaults(
    session: AsyncSession, organisation: str, rule: Rule, lint: Mapping[str, str]
) -> None:
    """Set the defaults of an organisation. Run inside `Database.change(Topic.CONTRACTS)`."""
    row = await session.get(DefaultsRow, organisation)
    if row is None:
        row = DefaultsRow(organisation=organisation, mode="", policy="", lint=b"", revision=0)
        session.add(row)
    row.mode, row.policy = rule.mode.value, rule.policy.value
    row.lint = msgspec.json.encode(lint)
    row.revision += 1


def _rule(row: DefaultsRow) -> Rule:
    return Rule(CompatibilityMode(row.mode), CompatibilityPolicy(row.policy))
