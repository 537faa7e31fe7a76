"""What the sender is told, in its own code page."""

from pathlib import Path

import pytest

from adapters.legacy_cobol.fields.codepages import known
from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.framing import Framing
from adapters.legacy_cobol.transfer.acknowledgement import body_of, types
from adapters.legacy_cobol.transfer.journal import FileOutcome
from tests.legacy_feeds import LAYOUT, a_feed, submit
from tests.unit.legacy.transfer.outbound_worlds import work

PAGES = [*sorted(known()), "ascii", "utf-8", "shift_jis", "cp874"]


@pytest.mark.parametrize("page", PAGES)
async def test_an_answer_in_the_code_page_of_the_feed(tmp_path: Path, page: str) -> None:
    """Whatever stands in names and reasons: a file that is published must come to its end."""
    layout = LAYOUT.replace('code_page = "ascii"', f'code_page = "{page}"')
    signs = "ebcdic" if page in known() else "ascii-letters"
    feed = a_feed(tmp_path, layout=layout.replace('"ascii-letters"', f'"{signs}"'))
    name = f"PAY-é日{'ü' * 50}.DAT"
    submit(feed, b"?" * 33, name)
    (file,) = await work(feed)
    assert file.outcome is FileOutcome.QUARANTINE
    (ack,) = (feed.folder / "acks").iterdir()
    assert len(ack.read_bytes()) == 400
    chunk = chunk_of(ack.read_bytes(), Framing(body_of(feed)))
    (document,) = Decoder(types(), feed.layout.encoding).decode(chunk).documents()
    assert document is not None
    assert document["status_code"] == "QUARANTINE"
    assert document["file_name"].startswith("PAY-")
