"""Bootstrap: the first client, which makes all others."""

from datetime import UTC, datetime

from pydantic import SecretStr
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.base.database import Database, Topic
from gateway.base.errors import Conflict
from gateway.base.settings import Settings
from gateway.identity.credentials import store_secret
from gateway.identity.tables import ClientRow, OrganisationRow, SecretRow
from gateway.identity.values import OPERATOR, ClientState, Role

ADMIN = f"{OPERATOR}-admin"


async def bootstrap(database: Database, settings: Settings, reset: bool) -> tuple[str, SecretStr]:
    """Make the operator's organisation and its administrator; returns its id and only secret.

    With `reset` an existing administrator gets its rights back, and a new secret that replaces all
    others. Without it, raises Conflict if there is one.
    """
    async with database.change(Topic.IDENTITY) as session:
        await _provide_operator(session)
        client = await session.get(ClientRow, ADMIN)
        if client is None:
            session.add(_administrator())
            await session.flush()
        elif reset:
            await _restore(session, client)
        else:
            raise Conflict(f"{ADMIN} exists. Use --reset to replace its secrets.")
        _, secret = store_secret(session, settings, ADMIN)
    return ADMIN, secret


async def _restore(session: AsyncSession, client: ClientRow) -> None:
    client.state = ClientState.ACTIVE
    client.roles = sorted({*client.roles, Role.ADMIN})
    await session.execute(delete(SecretRow).where(col(SecretRow.client) == client.id))


async def _provide_operator(session: AsyncSession) -> None:
    row = await session.get(OrganisationRow, OPERATOR)
    if row is None:
        row = OrganisationRow(
            name=OPERATOR,
            title="Nusabus",
            description="Operates the national event bus",
            operator=True,
            created=datetime.now(UTC),
        )
        session.add(row)
    row.operator = True  # also if a folder of contracts has made it first
    await session.flush()


def _administrator() -> ClientRow:
    return ClientRow(
        id=ADMIN,
        organisation=OPERATOR,
        title="Administrator of the bus",
        roles=[Role.ADMIN],
        state=ClientState.ACTIVE,
        created=datetime.now(UTC),
    )
