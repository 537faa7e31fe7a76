"""Convert columns to JSON text, all records at once.

The text of a column is a matrix of bytes: a row for each record, as wide as the longest value,
with X'00' after shorter values. Documents are such matrices side by side; one pass over the whole
chunk removes the zeros at the end. JSON text never contains X'00'.
"""

import json
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.columns import (
    Characters,
    Column,
    Floats,
    Mask,
    Numbers,
    Rows,
    Strings,
)
from adapters.legacy_cobol.fields.policy import Form

Piece = bytes | Rows  # one text for every row, or a matrix

_QUOTED = (Form.STRING, Form.CODE)


def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The four digits of 0 to 9999; from index 10000 on without leading zeros.

    In the first table 0 is then empty, in the second it is "0".
    """
    padded = b"".join(b"%04d" % each for each in range(10_000))
    bare = b"".join((b"%d" % each).rjust(4, b"\x00") for each in range(10_000))
    inner = padded + bytes(4) + bare[4:]
    return np.frombuffer(inner, np.uint32), np.frombuffer(padded + bare, np.uint32)


_INNER, _LAST = _tables()


def pieces_of(column: Column) -> list[Piece]:
    """The JSON of a column, with quotes."""
    match column:
        case Numbers():
            text, quoted = _numbers(column), column.form in _QUOTED
        case Characters():
            text, quoted = _characters(column), True
        case Strings():
            text, quoted = _fixed([msgspec.json.encode(each) for each in column.data]), False
        case Floats():
            text, quoted = _fixed([json.dumps(each).encode() for each in column.python()]), False
    if column.nulls is not None and column.nulls.any():
        return [_with_nulls(text, quoted, column.nulls)]
    return [b'"', text, b'"'] if quoted else [text]


def lay_out(pieces: list[Piece], count: int) -> Rows:
    """Put pieces side by side into one matrix."""
    template, matrices = bytearray(), []
    for piece in pieces:
        if isinstance(piece, bytes):
            template += piece
        else:
            matrices.append((len(template), piece))
            template += bytes(piece.shape[1])
    out = np.empty((count, len(template)), np.uint8)
    out[:] = np.frombuffer(bytes(template), np.uint8)
    for at, matrix in matrices:
        out[:, at : at + matrix.shape[1]] = matrix
    return out


def _fixed(values: list[bytes]) -> Rows:
    found = np.array(values, dtype=np.bytes_)
    return found.view(np.uint8).reshape(len(values), -1)


def _with_nulls(text: Rows, quoted: bool, nulls: Mask) -> Rows:
    pieces: list[Piece] = [b'"', text, b'"'] if quoted else [text]
    full = lay_out([*pieces, bytes(4)], len(text))
    full[nulls] = 0
    full[nulls, :4] = np.frombuffer(b"null", np.uint8)
    return full


def _numbers(column: Numbers) -> Rows:
    data = column.data
    if data.dtype == object:
        return _fixed([_plain(value, column).encode() for value in data])
    scale = column.scale if column.form is not Form.SCALED else 0
    magnitude = np.abs(data)
    if column.form is Form.CODE:
        return _digits(magnitude, column.digits, padded=True)
    pieces: list[Piece] = []
    negative = data < 0
    if negative.any():
        pieces.append(np.where(negative, np.uint8(0x2D), np.uint8(0))[:, None])
    if scale > 0:
        whole = magnitude // 10**scale if scale <= 18 else np.zeros_like(magnitude)
        part = magnitude - whole * 10**scale if scale <= 18 else magnitude
        pieces.append(_digits(whole, max(1, column.digits - scale), padded=False))
        pieces += [b".", _digits(part, scale, padded=True)]
    else:
        pieces.append(_digits(magnitude, column.digits, padded=False))
    if scale < 0:
        zeros = np.full((len(data), -scale), 0x30, np.uint8)
        zeros[data == 0] = 0
        pieces.append(zeros)
    return lay_out(pieces, len(data))


def _plain(value: Any, column: Numbers) -> str:
    if column.form is Form.CODE:
        return f"{value:0{column.digits}d}"
    if column.form is Form.SCALED or column.scale == 0:
        return str(value)
    if column.scale < 0:
        return str(value * 10**-column.scale)
    text = f"{abs(value):0{column.scale + 1}d}"
    sign = "-" if value < 0 else ""
    return f"{sign}{text[: -column.scale]}.{text[-column.scale :]}"


def _digits(value: NDArray[Any], width: int, *, padded: bool) -> Rows:
    """Decimal digits, right-aligned, with leading zeros if padded."""
    width = min(width, 40) if padded else width
    groups = -(-width // 4)
    out = np.empty((len(value), groups), np.uint32)
    rest = value
    for at in range(groups - 1, -1, -1):
        higher = rest // 10_000
        index = rest - higher * 10_000
        if not padded:
            index += (higher == 0) * np.int64(10_000)
        out[:, at] = (_LAST if at == groups - 1 else _INNER).take(index)
        rest = higher
    return out.view(np.uint8).reshape(len(value), -1)[:, 4 * groups - width :]


def _characters(column: Characters) -> Rows:
    data = column.data
    plain = data.size == 0 or bool(
        (data.min() >= 0x20)
        and (data.max() < 0x7F)
        and not _has(data, 0x22)
        and not _has(data, 0x5C)
    )
    if plain and data.shape[1]:
        text: Any = np.ascontiguousarray(data).view(f"S{data.shape[1]}")
        if column.right:
            text = np.strings.rstrip(text, b" ")
        if column.left:
            text = np.strings.lstrip(text, b" ")
        return np.ascontiguousarray(text).view(np.uint8).reshape(len(data), -1)
    table = _escapes(column.alphabet, np.unique(data))
    out = table[data]
    out[_outside(column)] = 0
    return out.reshape(len(data), -1)


def _has(data: Rows, byte: int) -> bool:
    return bool((data == byte).any())


def _escapes(alphabet: str, used: NDArray[np.uint8]) -> Rows:
    """The UTF-8 of each code inside a JSON string, followed by zeros."""
    texts = {
        code: json.dumps(alphabet[code], ensure_ascii=False)[1:-1].encode()
        for code in used.tolist()
    }
    table = np.zeros((256, max(map(len, texts.values()), default=1)), np.uint8)
    for code, text in texts.items():
        table[code, : len(text)] = np.frombuffer(text, np.uint8)
    return table


def _outside(column: Characters) -> Mask:
    """The blanks to trim."""
    blank = column.data == 0x20
    out = np.zeros(blank.shape, bool)
    if column.right:
        out |= np.logical_and.accumulate(blank[:, ::-1], axis=1)[:, ::-1]
    if column.left:
        out |= np.logical_and.accumulate(blank, axis=1)
    return out
