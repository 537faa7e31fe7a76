"""Reports about rejected records: a file with their bytes, and reports for people and programs."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain

from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import Framing
from adapters.legacy_cobol.transfer.journal import File, Reject
from adapters.legacy_cobol.transfer.masking import masked


def rejects_file(rejects: Iterable[Reject], framing: Framing) -> Iterator[bytes]:
    """The original bytes of rejected records, framed like the file, without header and trailer."""
    return frame_records((each.raw for each in rejects), framing.body)


def report(file: File, rejects: Iterable[Reject]) -> Iterator[bytes]:
    """A report for people: for each record its position, what is wrong, and what to do."""
    yield (
        f"Rejected records of {masked(file.name)} "
        f"(arrival {file.arrival}, received {file.received})\n"
        f"Rejected: {file.rejected} of {file.records} records\n".encode()
    )
    yield from chain.from_iterable(paragraph(each) for each in rejects)


def paragraph(reject: Reject) -> Iterator[bytes]:
    """The paragraph about one record."""
    kind = f" ({reject.kind})" if reject.kind else ""
    yield f"\nRecord {reject.number}{kind} at byte {reject.offset}:\n".encode()
    for fault in reject.faults:
        place = "" if fault.offset is None else f" at byte {fault.offset + 1} of the record"
        value = f", hex {fault.hex}" if fault.hex else ""
        detail = f": {fault.detail}" if fault.detail else ""
        yield f"  {fault.field}{place}: {fault.code}{value}{detail}\n".encode()
        yield f"    {fault.advice}\n".encode()


def report_lines(rejects: Iterable[Reject]) -> Iterator[bytes]:
    """A report for programs: one JSON object for each record."""
    for each in rejects:
        found = {
            "record": each.number,
            "offset": each.offset,
            "type": each.kind,
            "faults": [asdict(fault) for fault in each.faults],
        }
        yield json.dumps(found, ensure_ascii=False).encode() + b"\n"
