"""Good records of any copybook are read, and come back byte by byte, under every policy."""

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.legacy_cobol.fields.codes import FaultCode
from adapters.legacy_cobol.fields.policy import Form, Padding, Trim
from adapters.legacy_cobol.mapping.codecs import decoder_of, encoder_of
from adapters.legacy_cobol.mapping.layout_file import Layout, layout_of
from adapters.legacy_cobol.records.chunk_reader import chunk_of
from adapters.legacy_cobol.records.decoded import Decoded
from adapters.legacy_cobol.records.decoder import Decoder
from adapters.legacy_cobol.records.encoder import originals_needed
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.records.framing import RDW, Framing
from adapters.legacy_cobol.schema.derive import derive
from tests.unit.legacy.records.files import a_type
from tests.unit.legacy.records.random_files import RandomFile

HEAD = 'copybook = "a.cpy"\nform = "free"\n[framing]\nkind = "rdw"\n'


def layout(copybook: str, text: str) -> Layout:
    with TemporaryDirectory() as folder:
        (Path(folder) / "a.cpy").write_text(copybook)
        return layout_of(tomllib.loads(HEAD + text), Path(folder))


def a_policy(random: Random, padding: Padding) -> str:
    lines = [
        f'trim = "{random.choice(list(Trim))}"',
        f'form = "{random.choice(list(Form))}"',
        f'padding = "{padding}"',
        *(
            f'{name} = "{random.choice(("null", "zero", "keep"))}"'
            for name in ("low_values", "high_values")
            if random.random() < 0.5
        ),
    ]
    return "[policy]\n" + "\n".join(lines) + "\n"


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.booleans())
def test_records_come_back(seed: int, short: bool) -> None:
    random = Random(seed)
    padding = random.choice(list(Padding))
    file = RandomFile(random, b"\0" if padding is Padding.NUL else b"\x40")
    last = file.tree[-1]
    text = a_policy(random, padding)
    ends = short and last.name != "FILLER"
    if ends:  # the name of the last item with an equal one before it is that with a number
        path = layout(file.text, "").copybook.records[0].root.children[-1 - bool(last.counter)].name
        text += f'[[records]]\noptional = "R.{path}"\n'
    found = layout(file.text, text)
    some = (len(file.tree) - 1, None) if ends else (None,)
    records = [file.record(random.choice(some)) for _ in range(6)]
    check(found, records)


def check(found: Layout, records: list[bytes]) -> None:
    assert found.framing is not None
    data = b"".join(frame_records(records, found.framing.body))
    decoded = decoder_of(found, found.framing).decode(chunk_of(data, found.framing))
    documents = decoded.documents()
    assert not decoded.faults
    assert [json.loads(each or b"", parse_float=Decimal) for each in decoded.json()] == documents
    encoder = encoder_of(found, found.framing)
    originals = originals_needed(decoded, encoder)
    assert encoder.encode([each or {} for each in documents], "r", originals).records == records
    assert derive(found)["properties"].keys() >= set().union(*(each or {} for each in documents))


NESTED = """01 R. 05 N PIC 9. 05 K PIC 9.
05 G OCCURS 0 TO 4 DEPENDING ON N.
   10 M PIC 9. 10 V PIC X(2) OCCURS 1 TO 3 DEPENDING ON M.
   10 F OCCURS 2. 15 W PIC 9 OCCURS 0 TO 2 DEPENDING ON K. 15 Y PIC X.
05 P PIC 9(2). 05 Q PIC S9(3) COMP-3 OCCURS 0 TO 50 DEPENDING ON P.
05 Z PIC X(2)."""


def decoded_by(kind_text: str, data: bytes, *, grouped: bool) -> Decoded:
    decoder = Decoder([a_type(kind_text, "r")], layout(kind_text, "").encoding)
    assert decoder._expanders[0] is not None
    if grouped:
        decoder._expanders = [None]
    return decoder.decode(chunk_of(data, Framing(RDW)))


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=24, max_size=24), min_size=1, max_size=6))
def test_many_counts_read_like_each_of_them(records: list[list[int]]) -> None:
    """Counters of any value, also bad ones, and records that are too short or too long for them."""
    data = b""
    for numbers in records:
        dice = iter(numbers)
        outer, inner = next(dice), next(dice)
        text = f"{outer}{inner}"
        for _ in range(outer):
            values = next(dice)
            text += str(values) + "ab" * values + ("7" * inner + "y") * 2
        many = next(dice)
        raw = text.encode("cp037") + f"{many:02}".encode("cp037") + b"\x12\x3c" * many + b"\xe9\x40"
        raw += b"\x40" * (next(dice) == 0)
        raw = raw[: len(raw) - (next(dice) == 1)]
        data += (len(raw) + 4).to_bytes(2) + bytes(2) + raw
    one, other = (decoded_by(NESTED, data, grouped=each) for each in (False, True))
    assert one.documents() == other.documents()
    assert one.json() == other.json()
    assert one.faults == other.faults


def test_faults_of_elements_are_located_in_the_record() -> None:
    raw = bytes.fromhex("f2f0 f2c1c207c2e8e8 f1c1c2e8e8 f0f1 1a3c e9e9")
    data = (len(raw) + 4).to_bytes(2) + bytes(2) + raw
    decoded = decoded_by(NESTED, data, grouped=False)
    assert [(each.field, each.code, each.offset) for each in decoded.faults[0]] == [
        ("G.V(1,2)", FaultCode.CONTROL_CHARACTER, 5),
        ("Q(1)", FaultCode.INVALID_DIGIT, 16),
    ]


def test_memory_does_not_grow_with_the_combinations_of_counts() -> None:
    random = Random(3)
    text = """01 R. 05 N PIC 9. 05 G OCCURS 0 TO 9 DEPENDING ON N.
    10 M PIC 9. 10 V PIC X(3) OCCURS 0 TO 9 DEPENDING ON M."""
    records = []
    for _ in range(3000):
        counts = [random.randint(0, 9) for _ in range(random.randint(0, 9))]
        record = str(len(counts)) + "".join(f"{each}" + "abc" * each for each in counts)
        records.append(record.encode("cp037"))
    data = b"".join(frame_records(records, RDW))
    decoded = decoded_by(text, data, grouped=False)
    assert not decoded.faults
    assert len(decoded.parts) == 1  # of one plan
    grouped = Decoder([a_type(text, "r")], layout(text, "").encoding)
    grouped._expanders = [None]
    grouped.decode(chunk_of(data, Framing(RDW)))
    assert len(grouped._plans) <= 257


def test_a_sparse_record_is_not_spread_out() -> None:
    text = """01 R. 05 N PIC 9(4). 05 G OCCURS 0 TO 900 DEPENDING ON N.
    10 M PIC 9. 10 V PIC X(9) OCCURS 0 TO 9 DEPENDING ON M."""
    records = ["0001" + "2" + "a" * 18, "0000", "0002" + "00"]
    data = b"".join(frame_records([each.encode("cp037") for each in records], RDW))
    decoded = decoded_by(text, data, grouped=False)
    assert [each and len(each["g"]) for each in decoded.documents()] == [1, 0, 2]
    assert len(decoded.parts) == 3


@pytest.mark.parametrize("grouped", [True, False])
def test_empty_files(grouped: bool) -> None:
    assert decoded_by(NESTED, b"", grouped=grouped).documents() == []
