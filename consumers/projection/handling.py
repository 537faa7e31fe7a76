"""One event: its handler, and the note of its live effect, in the transaction of both."""

from consumers.events import Event
from consumers.projection.definition import Connection, Projection
from consumers.projection.failures import EventFailed, has_ended, is_outage

_NOTE_EFFECT = """
INSERT INTO projections.live_effects (projection, source, id, handler, key, event)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
"""


async def handle(
    connection: Connection, projection: Projection, event: Event, text: str, effect: str | None
) -> None:
    """Apply one event. Raises EventFailed, or what the database raises in an outage.

    `effect` is the name of its live effect, if it has one. It is noted once for each event,
    whichever build comes first.
    """
    try:
        await projection.handle(event, connection)
    except Exception as error:
        if is_outage(error, connection) or await has_ended(connection):
            raise ConnectionError("The database is away.") from error
        raise EventFailed(error) from error
    if effect is not None:
        await connection.execute(
            _NOTE_EFFECT,
            projection.name,
            event.source,
            event.id,
            effect,
            event.ordering_key,
            text,
        )
