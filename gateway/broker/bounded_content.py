"""Messages of which nobody knows the size before they come: what is too large is not kept.

AMQP has no limit for the bytes that a consumer holds (RabbitMQ has no `prefetch_size`), so a queue
of large messages would fill the memory of its consumers.
"""

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.body import ContentBody
from pamqp.header import ContentHeader


class Discarded(bytes):
    """Stands for a body that was larger than the limit; it is empty."""


def discard_larger(channel: AbstractChannel, limit: int) -> None:
    """From now on, throw a body of more than `limit` bytes away while it comes, frame by frame.

    aiormq has no setting for it: this replaces the method that collects the frames.
    """
    if not isinstance(channel, aiormq.Channel):
        raise TypeError(f"a channel of aiormq is needed, not {channel!r}")
    collect = channel._read_content

    async def read(frame: aiormq.spec.Basic.Deliver, header: ContentHeader) -> DeliveredMessage:
        if header.body_size <= limit:
            return await collect(frame, header)
        left = header.body_size
        while left > 0:
            piece = await channel._get_frame()
            if not isinstance(piece, ContentBody):
                raise ValueError(f"unexpected frame in a body: {piece!r}")
            left -= len(piece.value)
        return DeliveredMessage(frame, header, Discarded(), channel)

    channel._read_content = read  # type: ignore[method-assign, assignment]  # see above
