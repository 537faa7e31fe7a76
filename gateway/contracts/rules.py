"""What contracts owe: their own rule, their owner's default, or everyone's."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.contracts.compatibility import Mode, Policy, Rule
from gateway.contracts.tables import RuleRow
from gateway.contracts.values import Registered

EVERYONE = ""  # in place of an organisation: what holds where nothing else is said
_levels = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for the contracts of an organisation.

    `rule` is for those that name none, `lint` are the levels that were raised above the national
    profile. `revision` grows with every change; it is 0 where nobody has set them.
    """

    rule: Rule
    lint: Mapping[str, str]
    revision: int


async def rule_of(session: AsyncSession, registered: Registered) -> Rule:
    """The compatibility that a contract owes."""
    return registered.rule or (await defaults(session, registered.contract.owner)).rule


async def defaults(session: AsyncSession, organisation: str) -> Defaults:
    """What an organisation has set, or what holds for everyone."""
    row = await session.get(RuleRow, organisation)
    if row is not None:
        return Defaults(_rule(row), _levels(row.lint), row.revision)
    general = await session.get(RuleRow, EVERYONE)
    if general is None:
        return Defaults(Rule(Mode.BACKWARD), {}, 0)
    return Defaults(_rule(general), _levels(general.lint), 0)


async def put_defaults(
    session: AsyncSession, organisation: str, rule: Rule, lint: Mapping[str, str]
) -> None:
    """Set them. Run inside `Database.change(Topic.CONTRACTS)`."""
    row = await session.get(RuleRow, organisation)
    if row is None:
        row = RuleRow(organisation=organisation, mode="", policy="", lint=b"", revision=0)
        session.add(row)
    row.mode, row.policy = rule.mode.value, rule.policy.value
    row.lint = msgspec.json.encode(lint)
    row.revision += 1


def _rule(row: RuleRow) -> Rule:
    return Rule(Mode(row.mode), Policy(row.policy))
