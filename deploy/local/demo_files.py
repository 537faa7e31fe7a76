"""The files of the demo's feeds: as the systems of Dukcapil and of a bank would write them."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from adapters.legacy_cobol.records.encoder import Encoder
from adapters.legacy_cobol.records.frame_writer import frame_records
from adapters.legacy_cobol.transfer.feed import Feed

Document = Mapping[str, Any]
RECORDS = 200
BAD = (17, 120)  # records that the sender's system got wrong


@dataclass(frozen=True)
class Batch:
    """What makes a file: control records, documents, and what is broken afterwards."""

    name: str
    header: Document
    trailer: Document
    kind: str
    documents: Sequence[Document]
    break_: Callable[[int, bytes], bytes]

    def content(self, feed: Feed) -> bytes:
        """The bytes of the file."""
        types = [each.type for each in feed.layout.records]
        encoder = Encoder(types, feed.layout.encoding)
        kinds = ["header", *([self.kind] * len(self.documents)), "trailer"]
        encoded = encoder.encode([self.header, *self.documents, self.trailer], kinds)
        if encoded.faults:
            raise ValueError(f"the demo's file cannot be written: {encoded.faults}")
        records = [each for each in encoded.records if each is not None]
        whole = (self.break_(at, each) for at, each in enumerate(records))
        return b"".join(frame_records(whole, feed.framing.body))


def civil_registry(serial: int, day: date) -> Batch:
    """Dukcapil's nightly file: one entry has a broken NIK, one an amount without a sign."""
    dice = random.Random(serial)  # noqa: S311  (a demo)
    documents = [_resident(dice, number) for number in range(1, RECORDS + 1)]
    fees = sum(each["retribusi"] for each in documents)
    hashed = sum(int(each["nik"]) for each in documents) % 10**10

    def break_(at: int, record: bytes) -> bytes:
        """A blank in the NIK; an amount without a sign."""
        if at == BAD[0]:
            return record[:20] + b"\x40" + record[21:]
        return record[:92] + b"\x02" + record[93:] if at == BAD[1] else record

    return Batch(
        f"PENDUDUK-{day:%Y%m%d}-{serial:04}.DAT",
        {"jenis_rekaman": "H", "tanggal_berkas": f"{day:%Y%m%d}", "nomor_berkas": serial,
         "pengirim": "SIAK-PUSAT"},
        {"jenis_rekaman": "T", "jumlah_rekaman": len(documents), "jumlah_retribusi": fees,
         "jumlah_nik": hashed},
        "penduduk",
        documents,
        break_,
    )  # fmt: skip


def tax_payments(serial: int, day: date) -> Batch:
    """A bank's payment file: one amount with a letter, one code that its contract refuses."""
    dice = random.Random(serial)  # noqa: S311  (a demo)
    documents = [_payment(dice, number, day) for number in range(1, RECORDS + 1)]
    documents[50]["kode_billing"] = "TIDAK-ADA"
    total = sum(each["jumlah_setor"] for each in documents)

    def break_(at: int, record: bytes) -> bytes:
        """A letter where a digit belongs."""
        return record[:70] + b"X" + record[71:] if at == BAD[0] else record

    return Batch(
        f"SETORAN-{day:%Y%m%d}-{serial:04}.TXT",
        {"jenis_rekaman": "00", "kode_bank": "014", "tanggal_berkas": f"{day:%Y%m%d}",
         "nomor_berkas": serial},
        {"jenis_rekaman": "99", "jumlah_rekaman": len(documents), "jumlah_total": total},
        "setoran",
        documents,
        break_,
    )  # fmt: skip


def _resident(dice: random.Random, number: int) -> dict[str, Any]:
    papers = [
        {"kode_dokumen": dice.choice(("SKPD", "AKTA", "KUAK")), "tanggal_dokumen": "20261120"}
        for _ in range(dice.randrange(3))
    ]
    return {
        "jenis_rekaman": "D",
        "nomor_register": f"REG-{dice.randrange(10**6):06}{number:04}",
        "nik": f"3273014105{dice.randrange(50, 99)}{number:04}",
        "nama": dice.choice(("SITI NURHALIZA", "BUDI SANTOSO", "AGUS SALIM")),
        "tanggal_lahir": f"19{dice.randrange(50, 99)}0501",
        "jenis_kelamin": dice.choice("LP"),
        "kode_wilayah": "327301",
        "jenis_mutasi": dice.choice(("LH", "MT", "PD", "DT")),
        "retribusi": dice.randrange(10) * 5000,
        "jumlah_dokumen": len(papers),
        "dokumen": papers,
    }


def _payment(dice: random.Random, number: int, day: date) -> dict[str, Any]:
    return {
        "jenis_rekaman": "10",
        "kode_billing": f"1261{dice.randrange(10**7):07}{number:04}",
        "ntpn": f"{dice.randrange(16**16):016X}",
        "npwp": f"32730141059{number:05}",
        "kode_akun": "411121",
        "masa_pajak": f"{day:%Y%m}",
        "tanggal_bayar": f"{day:%Y%m%d}",
        "jumlah_setor": dice.randrange(1, 1000) * 25_000,
        "nama_wp": "PT MAJU BERSAMA",
    }
