"""Whose source it is, in memory."""

from datetime import UTC, datetime

import pytest

from gateway.base.errors import Forbidden, Malformed
from gateway.identity.source_owners import REMEMBERED, SourceOwners, SourcePrefix

CREATED = datetime(2024, 1, 1, tzinfo=UTC)


def owners(**prefixes: str) -> SourceOwners:
    """Owners of these prefixes; `gateway` stands for the gateway itself."""
    return SourceOwners(
        SourcePrefix(str(number), prefix, None if name == "gateway" else name, None, CREATED)
        for number, (name, prefix) in enumerate(prefixes.items())
    )


def test_the_longest_way_counts_whole_segments() -> None:
    found = owners(bps="/bps/", pajak="https://pajak.go.id/a/b/", gateway="/nusabus/")
    found.require("/bps/" + "x/" * 200, "bps")
    found.require("https://pajak.go.id/a/b", "pajak")
    for source in ("https://pajak.go.id/a", "https://pajak.go.id/", "/nusabus/x", "/x", "x", ""):
        for organisation in ("bps", "pajak", "nusabus", "", "None"):
            with pytest.raises(Forbidden):
                found.require(source, organisation)


def test_without_prefixes_nobody_owns_anything() -> None:
    for source in ("/bps", "", "x:y", "https://h"):
        with pytest.raises(Forbidden):
            owners().require(source, "bps")


def test_a_spelling_is_told_to_the_owner_only() -> None:
    found = owners(bps="/bps/")
    with pytest.raises(Malformed, match="normal form"):
        found.require("/bps/./x", "bps")
    with pytest.raises(Forbidden):
        found.require("/bps/./x", "bmkg")


def test_what_is_remembered_is_bounded() -> None:
    found = owners(bps="/bps/")
    for number in range(REMEMBERED + 100):
        found.require(f"/bps/{number}", "bps")
    assert found._decide.cache_info().currsize == REMEMBERED
    before = found._decide.cache_info().hits
    found.require(f"/bps/{REMEMBERED + 99}", "bps")
    assert found._decide.cache_info().hits == before + 1
