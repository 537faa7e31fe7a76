"""The table of supported versions, as docs/operations/versions.md states it."""

import re
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[1] / "docs/operations/versions.md"
_ROW = re.compile(r"^\| (\w+) \| ([\d.]+) to ([\d.]+) \|", re.MULTILINE)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


SUPPORTED = {
    product: (_numbers(first), _numbers(last))
    for product, first, last in _ROW.findall(_PAGE.read_text())
}
"""Of each product the first and the last version."""


def is_supported(product: str, version: str) -> bool:
    """Whether a version, such as 4.0.5, lies in the table."""
    first, last = SUPPORTED[product]
    return first <= _numbers(version)[: len(last)] <= last
