"""How long an asker wishes to wait."""

import pytest

from gateway.http.requests import wait_of


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ([], 0),
        ([b"wait=5"], 5),
        ([b"respond-async, wait=10"], 10),
        ([b"respond-async", b"Wait = 7; x=1"], 7),
        ([b'wait="3"'], 3),
        ([b"wait=99999"], 20),
        ([b"wait"], 0),
        ([b"wait=-1"], 0),
        ([b"wait=1.5"], 0),
        ([b"await=5"], 0),
        ([b"wait=99999999999999"], 0),
        ([b"\xff"], 0),
    ],
)
def test_prefer(prefer: list[bytes], seconds: float) -> None:
    headers = [(b"accept", b"wait=9"), *((b"prefer", value) for value in prefer)]
    assert wait_of(headers) == seconds
