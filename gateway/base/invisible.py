"""Characters that no reader sees: with them two texts look alike, or one looks like another."""

import re

# Line and paragraph separators, bidirectional controls, and what Unicode calls default-ignorable
# (Unicode 15.1, DerivedCoreProperties.txt): zero-width characters, fillers, variation selectors,
# tags. Interlinear annotations are format characters as well.
_RANGES = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_INVISIBLE = re.compile(f"[{_RANGES}]")


def invisible_character(text: str) -> str | None:
    """The first invisible character, as `U+202E`; None if there is none."""
    if text.isascii():
        return None
    found = _INVISIBLE.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"
