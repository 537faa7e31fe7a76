"""Characters that no reader sees are refused; shown of every script are not."""

import unicodedata

import pytest
from pydantic import BaseModel, ValidationError

from gateway.base.errors import Malformed
from gateway.base.invisible import invisible_character
from gateway.http.models import Reason, Title
from gateway.publishing.attributes import make_event

INVISIBLE = (
    "\u202e\u2066\u200f\u061c\u2028\u2029\u200b\u200d\u2060\ufeff\u00ad\ufe0f\u3164\U000e0041"
)


class Body(BaseModel):
    title: Title = "x"
    reason: Reason = ""


@pytest.mark.parametrize("character", INVISIBLE)
def test_an_invisible_character_is_refused_and_named(character: str) -> None:
    code = f"U\\+{ord(character):04X}"
    for name in ("id", "subject", "tiket"):
        attributes = {"specversion": "1.0", "id": "1", "source": "/uji", "type": "a.b"}
        with pytest.raises(Malformed, match=code):
            make_event({**attributes, name: f"a{character}b"}, None, False)
    for name in ("title", "reason"):
        with pytest.raises(ValidationError, match=code):
            Body.model_validate({name: f"a{character}b"})


def test_no_letter_mark_or_number_is_invisible_but_the_fillers() -> None:
    shown = [chr(n) for n in range(0x110000) if unicodedata.category(chr(n))[0] in "LNPS"]
    assert {c for c in shown if invisible_character(c)} == set("\u115f\u1160\u3164\uffa0")


def test_every_separator_and_bidirectional_control_is_invisible() -> None:
    controls = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for character in map(chr, range(0x110000)):
        is_control = unicodedata.bidirectional(character) in controls
        if is_control or unicodedata.category(character) in ("Zl", "Zp"):
            assert invisible_character(character)
