"""Receipts and refusals on the wire."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from gateway import publishing
from gateway.base.errors import Refused
from gateway.grpc.problems import problem_of
from gateway.grpc.wire.bus_pb2 import ChunkResult, Receipt, ReceiptRange


def receipt_of(receipt: publishing.Receipt) -> Receipt:
    """One receipt."""
    recorded = Timestamp()
    recorded.FromDatetime(receipt.recorded)
    return Receipt(
        id=receipt.id,
        source=receipt.source,
        shard=receipt.shard,
        sequence=receipt.sequence,
        recorded_time=recorded,
        digest=receipt.digest,
        duplicate=receipt.duplicate,
    )


def result_of(number: int, results: Sequence[publishing.Receipt | Refused]) -> ChunkResult:
    """The results of a chunk: ranges of receipts, and each refusal."""
    answer = ChunkResult(number=number)
    ranges: list[_Range] = []
    last: dict[int, _Range] = {}  # by shard
    for index, result in enumerate(results):
        if isinstance(result, Refused):
            answer.refused.add(event=index, problem=problem_of(result))
            continue
        found = last.get(result.shard)
        if found is None or not found.goes_on_with(result):
            found = last[result.shard] = _Range(result)
            ranges.append(found)
        found.events.append(index)
    answer.stored.extend([each.message() for each in ranges])
    return answer


class _Range:
    """Receipts of one shard that follow each other."""

    def __init__(self, first: publishing.Receipt) -> None:
        self.events: list[int] = []
        self._first = first

    def goes_on_with(self, receipt: publishing.Receipt) -> bool:
        """Whether a receipt of the shard is the next one."""
        return (
            receipt.sequence == self._first.sequence + len(self.events)
            and receipt.duplicate == self._first.duplicate
            and receipt.recorded == self._first.recorded
        )

    def message(self) -> ReceiptRange:
        """The range on the wire."""
        recorded = Timestamp()
        recorded.FromDatetime(self._first.recorded)
        return ReceiptRange(
            shard=self._first.shard,
            first_sequence=self._first.sequence,
            recorded_time=recorded,
            duplicate=self._first.duplicate,
            events=self.events,
        )
