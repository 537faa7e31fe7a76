"""A folder of contracts for the registry: what its schemas refer to may stand beside them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.contracts import queries
from gateway.contracts.admission import require_readable
from gateway.contracts.compiling import Library
from gateway.contracts.queries import Sight
from gateway.contracts.values import Submission


async def library_of(
    session: AsyncSession, submissions: Sequence[Submission], base_url: str
) -> Library:
    """All that these schemas refer to. Raises Invalid where one cannot be read or found."""
    beside = {
        (each.contract.type, version.number): version.text
        for each in submissions
        for version in each.versions
    }
    for (type, number), text in beside.items():
        require_readable(f"{type} version {number}", text)
    texts = [text for each in submissions for v in each.versions for text in (v.text, v.reply)]
    return await queries.library(
        session,
        [text for text in texts if text is not None],
        Sight(everything=True),
        base_url,
        beside,
    )
