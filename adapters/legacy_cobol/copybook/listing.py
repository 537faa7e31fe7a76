"""The listing of positions, like that of a compiler."""

from collections.abc import Iterator

from adapters.legacy_cobol.copybook.layout import Copybook, Item, Occurs, Record, Renames

_HEADINGS = ("Level", "Name", "From", "To", "Length", "Picture", "Usage", "Occurs", "Remarks")
_NUMERIC = (2, 3, 4)
_MOVING = "~ moves with the counters; the position is that of the largest record"


def layout_table(copybook: Copybook) -> str:
    """The listing of all records. Positions count from 1; tables show their first occurrence."""
    return "\n\n".join(_record_table(record) for record in copybook.records) + "\n"


def _record_table(record: Record) -> str:
    rows = [_HEADINGS, *_rows(record.root, 0)]
    rows += [_renames(each) for each in record.renames]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_line(row, widths) for row in rows]
    lengths = f"{record.minimum_length} to {record.maximum_length}"
    length = str(record.maximum_length) if record.fixed else lengths
    lines = [f"{record.name}: {length} bytes", lines[0], "-" * len(lines[0]), *lines[1:]]
    return "\n".join(lines + ([_MOVING] if any(each.moves for each in record.items()) else []))


def _rows(item: Item, depth: int) -> Iterator[tuple[str, ...]]:
    if item.slack:
        yield _gap(depth, item.offset - item.slack, item.slack)
    yield _row(depth, item)
    for child in item.children:
        yield from _rows(child, depth + 1)
    if item.padding:
        yield _gap(depth + 1, item.offset + item.length - item.padding, item.padding)


def _row(depth: int, item: Item) -> tuple[str, ...]:
    return (
        f"{item.level:02}",
        "  " * depth + item.name,
        *_position(item.offset, item.length, "~" if item.moves else ""),
        item.picture or "",
        item.usage if item.kind is not None or item.usage != "DISPLAY" else "GROUP",
        _occurs(item.occurs),
        f"redefines {item.redefines}" if item.redefines else "",
    )


def _renames(renames: Renames) -> tuple[str, ...]:
    position = _position(renames.offset, renames.length)
    remark = f"renames {renames.first[-1]} thru {renames.last[-1]}"
    return ("66", renames.name, *position, "", "", "", remark)


def _position(offset: int, length: int, mark: str = "") -> tuple[str, str, str]:
    return f"{mark}{offset + 1}", f"{mark}{offset + length}", str(length)


def _gap(depth: int, offset: int, length: int) -> tuple[str, ...]:
    return ("", "  " * depth + "(slack)", *_position(offset, length), "", "", "", "")


def _occurs(occurs: Occurs | None) -> str:
    if occurs is None:
        return ""
    if occurs.counter is None:
        return str(occurs.maximum)
    return f"{occurs.minimum}-{occurs.maximum} by {occurs.counter[-1]}"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if column in _NUMERIC else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
