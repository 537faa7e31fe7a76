"""What is personal data in a text is masked in every spelling, and look-alikes stay."""

import pytest

from gateway.base.masking import mask, mask_all, mask_name


@pytest.mark.parametrize(
    "text",
    [
        *("3273014105900001", "327301 410590 0001", "32.73.01.410590.0001", "3273-0141-0590-0001"),
        *("3273 0141 0590 0001", "3273_0141_0590_0001", "32 73 01 41 05 90 00 01"),
        *("01.234.567.8-901.234", "012345678901234", "0012345678901234", "01 234 567 8 901 234"),
        *("+6281234567890", "+62 812-3456-7890", "+62 (812) 3456 7890", "081234567890"),
        *("0812-3456-7890", "0812 3456 7890", "0812.3456.7890", "(021) 555-12345", "0051234567"),
        *("3273%2E014105900001", "32%207301%20410590%200001", "3273\u00a0014105900001"),
        *(
            "F3F2F7F3F0F1F4F1F0F5F9F0F0F0F0F1",
            "f3 f2 f7 f3 f0 f1 f4 f1 f0 f5 f9 f0",
        ),
        *("33323733303134313035393030303031", "%2B6281234567890"),
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


def test_a_log_line_is_masked_whole_but_for_what_the_gateway_makes() -> None:
    own = {
        "id": "4c1b8bd5a8f1b1fd1a7b6f4e9f0a2c3d",
        "digest": "261cd910487e13a09340a9900355e3d184cdc49118b37eb52d049cfbeca992d0",
        "numeric": "12345678901234567890123456789a12",
        "sequence": "00-0000000000000042",
        "timestamp": "2026-11-28T21:28:19.123456Z",
        "count": 3273014105900001,
    }
    assert mask_all(own) == own
    line = {"a": ["3273014105900001", {"0812-3456-7890": ("x", "siti@contoh.go.id")}]}
    assert mask_all(line) == {"a": ["…", {"…": ["x", "…"]}]}
    for personal in ("33323733303134313035393030303031", "32-73014105900001"):
        assert mask_all(personal) == "…"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *((each, each) for each in ("", "nama", "$schema", "alamat_ktp", "a-b", "specVersion")),
        *((each, "…") for each in ("SITI AMINAH", "siti.aminah", "n3273014105900001", "Ñu")),
    ],
)
def test_a_name_that_looks_like_an_identifier_is_shown(name: str, shown: str) -> None:
    assert mask_name(name) == shown
