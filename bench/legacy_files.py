"""The files of the part `legacy`, and the record types they hold.

One record of 66 bytes: text, an unsigned and a signed DISPLAY number, COMP-3 and COMP. (COMP has a
sign because coboljsonifier takes an unsigned one for an edited number.)
"""

import numpy as np

from adapters.legacy_cobol.copybook.kinds import Encoding, ZonedSigns
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook
from adapters.legacy_cobol.copybook.source import Form
from adapters.legacy_cobol.records.framing import RDW
from adapters.legacy_cobol.records.record_type import RecordType, Selector

COPYBOOK = """
       01 PENDUDUK.
          05 NIK          PIC X(16).
          05 NAMA         PIC X(20).
          05 TGL-LAHIR    PIC 9(8).
          05 SALDO        PIC S9(5)V99.
          05 JUMLAH       PIC S9(7)V99 COMP-3.
          05 URUT         PIC S9(9) COMP.
          05 KETERANGAN   PIC X(6).
"""
ODO = """
       01 KELUARGA.
          05 NIK          PIC X(16).
          05 ANGGOTA      PIC 9(2).
          05 ANAK OCCURS 0 TO 10 DEPENDING ON ANGGOTA.
             10 NAMA      PIC X(12).
             10 JUMLAH    PIC S9(7)V99 COMP-3.
"""
EBCDIC = Encoding()
ASCII = Encoding(code_page="ascii", zoned_signs=ZonedSigns.ASCII_LETTERS)


def residents(page: str, zone: int, count: int) -> bytes:
    """So many records of COPYBOOK, the same at each call. `zone` is that of its digits."""
    random = np.random.default_rng(11)
    layout = [
        ("nik", "u1", 16), ("nama", "u1", 20), ("tgl", "u1", 8), ("saldo", "u1", 7),
        ("jumlah", "u1", 5), ("urut", ">u4"), ("ket", "u1", 6),
    ]  # fmt: skip
    found = np.zeros(count, layout)
    names = [f"{each:20}".encode(page) for each in ("SITI NURHALIZA", "BUDI SANTOSO", "AGUS")]
    table = np.frombuffer(b"".join(names), np.uint8).reshape(-1, 20)
    found["nama"] = table[random.integers(0, len(names), count)]
    for field, width in (("nik", 16), ("tgl", 8), ("saldo", 7)):
        found[field] = random.integers(0, 10, (count, width)) + zone
    pairs = random.integers(0, 10, (count, 5, 2), np.uint8)
    found["jumlah"] = pairs[:, :, 0] << 4 | pairs[:, :, 1]
    found["jumlah"][:, 4] = pairs[:, 4, 0] << 4 | np.where(pairs[:, 4, 1] < 5, 0xC, 0xD)
    found["urut"] = np.arange(count)
    found["ket"] = np.frombuffer("LUNAS ".encode(page), np.uint8)
    return found.tobytes()


def resident() -> RecordType:
    """The record type of COPYBOOK."""
    (record,) = read_copybook(COPYBOOK, options=CopybookOptions(form=Form.FREE)).records
    return RecordType("penduduk", record)


def families(count: int) -> bytes:
    """RDW records of ODO with 0 to 10 elements."""
    child = "ANAK KE SATU".encode("cp037") + bytes.fromhex("123456789c")
    records = []
    for number in range(count):
        children = number * 7 % 11
        data = f"{number:016}{children:02}".encode("cp037") + child * children
        records.append(RDW.descriptor(len(data)) + data)
    return b"".join(records)


def mixed_types() -> list[RecordType]:
    """Three record types of several lengths."""
    text = "".join(
        f"01 {name}. 05 JENIS PIC X. 05 ISI PIC X({size}). 05 NILAI PIC S9(7)V99 COMP-3. "
        for name, size in (("SATU", 20), ("DUA", 40), ("TIGA", 60))
    )
    book = read_copybook(text, options=CopybookOptions(form=Form.FREE))
    return [
        RecordType(each.name.lower(), each, (Selector.equals(each, "JENIS", str(number)),))
        for number, each in enumerate(book.records, 1)
    ]


def mixed(count: int) -> bytes:
    """RDW records of the three types in turn."""
    records = []
    for number in range(count):
        kind = number % 3 + 1
        data = f"{kind}{number:<{20 * kind}}".encode("cp037") + bytes.fromhex("123456789d")
        records.append(RDW.descriptor(len(data)) + data)
    return b"".join(records)


def family() -> RecordType:
    """The record type of ODO."""
    (record,) = read_copybook(ODO, options=CopybookOptions(form=Form.FREE)).records
    return RecordType("keluarga", record)
