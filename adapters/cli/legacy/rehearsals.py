"""`send --dry-run`: what would happen to a file."""

import json
from pathlib import Path

from adapters.cli import screen
from adapters.cli.exits import Exit, Failure
from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.rehearsal import Rehearsal, rehearse
from adapters.legacy_cobol.transfer.reject_report import paragraph


def show_rehearsal(feed: Feed, file: Path, *, as_json: bool) -> int:
    """Print the outcome that a file would have. Exit code 2 if records would be left out."""
    try:
        found = rehearse(feed, file)
    except (OSError, ValueError) as error:
        raise Failure(f"{file}: {error}") from None
    if as_json:
        screen.print_json(_about(found))
    else:
        _print(found)
    good = found.outcome.is_published and not found.checked.rejected
    return Exit.OK if good else Exit.CHANGES


def _about(found: Rehearsal) -> dict[str, object]:
    checked = found.checked
    return {
        "outcome": str(found.outcome), "reason": found.reason, "records": checked.records,
        "rejected": checked.rejected, "events": checked.events,
        "totals": [each.as_json() for each in checked.totals],
        "first_event": json.loads(found.first) if found.first else None,
    }  # fmt: skip


def _print(found: Rehearsal) -> None:
    out, checked = screen.out(), found.checked
    because = f"  ({found.reason})" if found.reason else ""
    events = checked.events if found.outcome.is_published else 0
    out.print(
        f"would be {found.outcome}: {events:,} of {checked.records:,} published, "
        f"{checked.rejected:,} rejected{because}",
        markup=False,
    )
    for each in checked.totals:
        mark = "agrees" if each.agrees else "DIFFERS"
        if each.unknown and each.agrees:
            mark = f"not proven, unreadable records: {each.unknown}"
        out.print(f"  {each.name}: sender {each.stated}, found {each.found}: {mark}", markup=False)
    for reject in found.rejects:
        out.print(b"".join(paragraph(reject)).decode().strip("\n"), markup=False)
    if found.first:
        out.print(f"The first event: {found.first.decode()}", markup=False)
    out.print("Nothing was sent, and the feed has not changed.")
