"""The asking client: requests and their replies, in a process of its own (see `bench.paced`)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from bench.answer import answer
from bench.events import fresh_prefix
from bench.paced import Answer, Pace, carry_out, quantiles

TYPE = "id.go.dukcapil.nik.validasi.v1"
PHASES = ("ask to record", "record to responder", "responder to record", "record to answer")
_BODY = (
    '{"specversion":"1.0","id":"%s-%d","source":"/dukcapil/bench","type":"' + TYPE + '",'
    '"datacontenttype":"application/json","data":{"nomor_permintaan":"VAL-dukcapil-20231105-%06d",'
    '"nik":"3273011203900001","nama":"Budi Santoso","tujuan":"IZIN_USAHA"}}'
)


@dataclass(frozen=True)
class Ask:
    """What to ask. `rate` is in requests a second, 0 for as fast as the answers come."""

    port: int
    headers: Mapping[str, str]
    connections: int
    rate: float
    seconds: float
    host: str = "127.0.0.1"


def _requests(ask: Ask) -> Callable[[int], bytes]:
    prefix = fresh_prefix().decode()
    lines = [f"POST /v1/requests HTTP/1.1\r\nHost: {ask.host}:{ask.port}"]
    lines += [f"{name}: {value}" for name, value in ask.headers.items()]
    head = "\r\n".join(lines)

    def request(number: int) -> bytes:
        body = _BODY % (prefix, number, number % 1_000_000)
        return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    return request


async def _carry_out(ask: Ask) -> dict[str, Any]:
    pace = Pace(ask.port, ask.connections, ask.rate, ask.seconds, 200, ask.host)
    began, answers = await carry_out(pace, _requests(ask))
    return _summary(answers, began)


def _summary(answers: Sequence[Answer], began: float) -> dict[str, Any]:
    last = max(answer.got for answer in answers)
    phases = [_phases(*answer) for answer in answers]
    return {
        "requests": len(answers),
        "rate": len(answers) / (last - began),
        "latency": quantiles([answer.got - answer.due for answer in answers]),
        "phases": {
            name: quantiles([each[place] for each in phases]) for place, name in enumerate(PHASES)
        },
    }


def _phases(due: float, got: float, body: bytes) -> tuple[float, ...]:
    """Seconds between its stations. All clocks are this machine's."""
    found = json.loads(body)
    times = (
        due,
        _time(found["request"]["recordedtime"]),
        _time(found["reply"]["data"]["diperiksa_pada"]),
        _time(found["reply"]["recordedtime"]),
        got,
    )
    return tuple(after - before for before, after in pairwise(times))


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Read an Ask as JSON from standard input, write what was found to standard output."""
    answer(lambda question: _carry_out(Ask(**question)))


def as_question(ask: Ask) -> dict[str, Any]:
    """What `main` reads."""
    return asdict(ask)


if __name__ == "__main__":
    main()
