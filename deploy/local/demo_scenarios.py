"""Who tells whom what: the scenarios of the seeds, as data.

A source and a subject are what the contract's ordering asks for: they make the key in whose order
events arrive. None is a NIK, an NPWP or a KK number, since attributes are routed and logged.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a ministry says happened; its data are the contract's first example."""

    type: str
    source: str
    subject: str
    partitionkey: str | None = None

    @property
    def owner(self) -> str:
        """The organisation that publishes it: `id.go.<organisation>. ...`."""
        return self.type.split(".")[2]

    @property
    def short(self) -> str:
        """The type without what all types have in common."""
        return self.type.removeprefix("id.go.").removesuffix(".v1")


@dataclass(frozen=True, slots=True)
class Interest:
    """What an organisation receives in one queue of its own."""

    organisation: str
    name: str
    types: tuple[str, ...]
    ordered: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.organisation, self.name

    def __str__(self) -> str:
        return f"{self.organisation}/{self.name}"


NISN = "id.go.kemendikbud.nisn.diverifikasi.v1"
KK = "id.go.kemendagri.kk.diupdate.v1"
KTP = tuple(f"id.go.dukcapil.ktp.{fact}.v1" for fact in ("dibuat", "diverifikasi", "dicetak"))
PAJAK = "id.go.pajak.pajak.diperbarui.v1"
IZIN = tuple(f"id.go.oss.izin.{fact}.v1" for fact in ("dimohonkan", "disetujui", "dikirim"))
TENDER = "id.go.lkpp.tender.dibuat.v1"
PENAWARAN = "id.go.lkpp.penawaran.diajukan.v1"
PEMENANG = "id.go.lkpp.pemenang.dipilih.v1"
UNDANG_UNDANG = "id.go.setneg.undangundang.berubah.v1"
LAPORAN = "id.go.dinas.laporan.bulanan.v1"
PENGADUAN = "id.go.kemensos.pengaduan.diterima.v1"
BANSOS = "id.go.kemensos.bansos.disalurkan.v1"
GEMPA = "id.go.bmkg.gempa.terdeteksi.v1"
STATISTIK = "id.go.bps.statistik.diperbarui.v1"

HAPPENINGS = (
    Happening(NISN, "/kemendikbud/dapodik", "0b6f7c1e-52d4-4b0e-9c57-2f4a8de1a901"),
    Happening(KK, "/kemendagri/kartu-keluarga", "KK-3273-00012345"),
    *(Happening(type, "/dukcapil/ktp", "KTP-327301-20231105-0001") for type in KTP),
    Happening(PAJAK, "/pajak/sistem-pajak", "WP-013-00045678"),
    *(Happening(type, "/oss/izin-usaha", "I-20231105-000123") for type in IZIN),
    *(Happening(type, "/lkpp/e-purchasing", "t2023-xyz") for type in (TENDER, PENAWARAN, PEMENANG)),
    Happening(UNDANG_UNDANG, "/setneg/jdih", "uu-11-2008"),
    Happening(LAPORAN, "/dinas/dinkes-32.73", "dinkes-32.73"),
    Happening(PENGADUAN, "/kemensos/pengaduan", "ADU-20231105-000321"),
    Happening(BANSOS, "/kemensos/bansos", "SALUR-202311-00004711", "PKH-3273-00012345"),
    Happening(GEMPA, "/bmkg/sensor-gempa", "bmg2022wwzn"),
    Happening(STATISTIK, "/bps/indikator", "inflasi-yoy"),
)


def interests(organisations: Iterable[str]) -> tuple[Interest, ...]:
    """Every queue of the scenarios: those below, and for the law one of every other ministry."""
    return (
        Interest("dukcapil", "kependudukan", (NISN, KK), ordered=True),
        Interest("kemendagri", "ktp", KTP, ordered=True),
        Interest("pajak", "ktp-dan-izin", (*KTP, *IZIN), ordered=True),
        Interest("kemendag", "perdagangan", (PAJAK, *IZIN, PEMENANG), ordered=True),
        Interest("bps", "pajak-dan-bansos", (PAJAK, BANSOS)),
        Interest("anri", "jejak-audit-pengadaan", (TENDER, PENAWARAN, PEMENANG), ordered=True),
        Interest("anri", "arsip-laporan", (LAPORAN,)),
        Interest("kemensos", "pengaduan", (PENGADUAN,)),
        Interest("dukcapil", "bansos", (BANSOS,)),
        Interest("bnpb", "notifikasi", (GEMPA,)),
        Interest("bnpb", "logistik", (GEMPA,)),
        Interest("bnpb", "evakuasi", (GEMPA,)),
        Interest("dinas", "posko", (GEMPA,)),
        Interest("bi", "statistik", (STATISTIK,)),
        *(
            Interest(name, "undang-undang", (UNDANG_UNDANG,))
            for name in organisations
            if name != "setneg"
        ),
    )
