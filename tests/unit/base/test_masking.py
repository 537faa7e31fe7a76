"""What is personal data in a text is masked in every spelling, and look-alikes stay."""

import pytest

from gateway.base.masking import mask


@pytest.mark.parametrize(
    "text",
    [
        *("3273014105900001", "327301 410590 0001", "32.73.01.410590.0001", "3273-0141-0590-0001"),
        *("3273 0141 0590 0001", "3273_0141_0590_0001", "32 73 01 41 05 90 00 01"),
        *("01.234.567.8-901.234", "012345678901234", "0012345678901234", "01 234 567 8 901 234"),
        *("+6281234567890", "+62 812-3456-7890", "+62 (812) 3456 7890", "081234567890"),
        *("0812-3456-7890", "0812 3456 7890", "0812.3456.7890", "(021) 555-12345", "0051234567"),
        *("siti.aminah@contoh.go.id", "siti+x@contoh.co", "siti%40contoh.go.id"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "nomor {} salah", "/kemensos/{}/x", "'{}'", "a={};"])
def test_it_is_masked(text: str, around: str) -> None:
    assert mask(around.format(text)) == around.format("…")


@pytest.mark.parametrize(
    "text",
    [
        *("2026-05-04T03:02:01Z", "2026-05-04T03:02:01.123456+07:00", "2026-05-04 03:02:01"),
        *("12/345678", "shard 3, sequence 12345678", "192.168.100.200", "10.0.0.1:8080"),
        "urn:nusabus:contract:id.go.dukcapil.ktp.dibuat.v1:12",
        *("1.234.567", "Rp 12.500.000", "version 2.10.3", "at byte 1048576 of 4194304"),
        *("/properties/nik/0", "@context", "60 @ 1.5", "0 to 8, 12 of 3456"),
    ],
)
def test_look_alikes_stay(text: str) -> None:
    assert mask(text) == text
