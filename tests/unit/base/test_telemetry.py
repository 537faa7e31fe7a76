"""What a log line may hold."""

import json
import subprocess
import sys

FAILING = """
import logging
from gateway.base import telemetry

def handle(nik):
    name = "SI" + "TI"  # the source itself may be shown
    raise RuntimeError(f"a defect of {nik}") from ExceptionGroup("of " + name, [ValueError(name)])

telemetry.configure("api")
try:
    handle("3273" + "011203900001")
except RuntimeError as error:
    telemetry.log().error(
        "http.request_crashed", exc_info=error, reason="3273011203900001 of siti@contoh.go.id",
        url="postgresql://nusabus:kata-sandi@127.0.0.1/nusabus", header=["Bearer eyJhbGci.eyJz.x"],
    )
    logging.getLogger("a.library").warning("3273%s, Basic %s", "011203900001", "c2l0aTpzaXRp")
    logging.getLogger("a.library").exception("lost")
logging.getLogger("a.library").warning("%d of %d", "one")
"""


def test_a_logged_error_shows_where_it_was_but_no_values() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FAILING], capture_output=True, text=True, check=True
    )
    line = json.loads(ended.stderr.splitlines()[0])
    assert (line["event"], line["process"], line["level"]) == (
        "http.request_crashed",
        "api",
        "error",
    )
    assert [frame["name"] for frame in line["exception"][0]["frames"]] == ["<module>", "handle"]
    for personal in ("3273011203900001", "siti@", "SITI", "kata-sandi", "eyJ", "c2l0aTpzaXRp"):
        assert personal not in ended.stderr
    assert (line["reason"], line["url"]) == ("… of …", "postgresql://…@127.0.0.1/nusabus")
    of_library = [json.loads(each) for each in ended.stderr.splitlines()[1:]]
    assert [(each["event"], each["level"], each["message"]) for each in of_library] == [
        ("library.warned", "warning", "…, …"),
        ("library.failed", "error", "lost"),
        ("library.warned", "warning", "%d of %d"),
    ]
    assert {each["logger"] for each in of_library} == {"a.library"}
    assert of_library[1]["exception"][0]["exc_type"] == "RuntimeError"
    assert "handle" in [frame["name"] for frame in of_library[1]["exception"][0]["frames"]]
