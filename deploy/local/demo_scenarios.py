"""The scenarios of the demo as data: which events are published, and who receives them.

Source and subject follow the ordering of the contract: they form the ordering key. None is a NIK,
an NPWP or a KK number, since attributes are routed and logged.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventPlan:
    """An event to publish; its data are the first example of its contract."""

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
class SubscriptionPlan:
    """A subscription over AMQP to make: what an organisation receives in a queue of its own."""

    organisation: str
    name: str
    types: tuple[str, ...]
    ordered: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Organisation and name."""
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

EVENT_PLANS = (
    EventPlan(NISN, "/kemendikbud/dapodik", "0b6f7c1e-52d4-4b0e-9c57-2f4a8de1a901"),
    EventPlan(KK, "/kemendagri/kartu-keluarga", "KK-3273-00012345"),
    *(EventPlan(type, "/dukcapil/ktp", "KTP-327301-20231105-0001") for type in KTP),
    EventPlan(PAJAK, "/pajak/sistem-pajak", "WP-013-00045678"),
    *(EventPlan(type, "/oss/izin-usaha", "I-20231105-000123") for type in IZIN),
    *(EventPlan(type, "/lkpp/e-purchasing", "t2023-xyz") for type in (TENDER, PENAWARAN, PEMENANG)),
    EventPlan(UNDANG_UNDANG, "/setneg/jdih", "uu-11-2008"),
    EventPlan(LAPORAN, "/dinas/dinkes-32.73", "dinkes-32.73"),
    EventPlan(PENGADUAN, "/kemensos/pengaduan", "ADU-20231105-000321"),
    EventPlan(BANSOS, "/kemensos/bansos", "SALUR-202311-00004711", "PKH-3273-00012345"),
    EventPlan(GEMPA, "/bmkg/sensor-gempa", "bmg2022wwzn"),
    EventPlan(STATISTIK, "/bps/indikator", "inflasi-yoy"),
)


def subscription_plans(organisations: Iterable[str]) -> tuple[SubscriptionPlan, ...]:
    """Every queue of the scenarios: those below, and for the law one of every other ministry."""
    return (
        SubscriptionPlan("dukcapil", "kependudukan", (NISN, KK), ordered=True),
        SubscriptionPlan("kemendagri", "ktp", KTP, ordered=True),
        SubscriptionPlan("pajak", "ktp-dan-izin", (*KTP, *IZIN), ordered=True),
        SubscriptionPlan("kemendag", "perdagangan", (PAJAK, *IZIN, PEMENANG), ordered=True),
        SubscriptionPlan("bps", "pajak-dan-bansos", (PAJAK, BANSOS)),
        SubscriptionPlan(
            "anri", "jejak-audit-pengadaan", (TENDER, PENAWARAN, PEMENANG), ordered=True
        ),
        SubscriptionPlan("anri", "arsip-laporan", (LAPORAN,)),
        SubscriptionPlan("kemensos", "pengaduan", (PENGADUAN,)),
        SubscriptionPlan("dukcapil", "bansos", (BANSOS,)),
        SubscriptionPlan("bnpb", "notifikasi", (GEMPA,)),
        SubscriptionPlan("bnpb", "logistik", (GEMPA,)),
        SubscriptionPlan("bnpb", "evakuasi", (GEMPA,)),
        SubscriptionPlan("dinas", "posko", (GEMPA,)),
        SubscriptionPlan("bi", "statistik", (STATISTIK,)),
        *(
            SubscriptionPlan(name, "undang-undang", (UNDANG_UNDANG,))
            for name in organisations
            if name != "setneg"
        ),
    )
