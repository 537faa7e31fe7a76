"""What a log line may hold."""

import json
import subprocess
import sys

FAILING = """
from gateway.base import telemetry

def handle(nik):
    raise RuntimeError("a defect")

telemetry.configure("api")
try:
    handle("3273" + "011203900001")
except RuntimeError as error:
    telemetry.log().error("http.request_crashed", exc_info=error)
"""


def test_a_logged_error_shows_where_it_was_but_no_values() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FAILING], capture_output=True, text=True, check=True
    )
    line = json.loads(ended.stderr)
    assert (line["event"], line["process"], line["level"]) == (
        "http.request_crashed",
        "api",
        "error",
    )
    assert [frame["name"] for frame in line["exception"][0]["frames"]] == ["<module>", "handle"]
    assert "3273011203900001" not in ended.stderr
