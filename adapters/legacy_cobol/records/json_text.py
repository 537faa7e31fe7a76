"""Convert columns to JSON text, all records at once.

The text of a column is a matrix of bytes: a row for each record, as wide as the longest value,
with X'00' where there is less. Documents are such matrices side by side; one pass over the whole
chunk removes the zeros at the end. JSON text never contains X'00'.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.legacy_cobol.fields.codepages import CodePage
from adapters.legacy_cobol.fields.columns import (
    Characters,
    Column,
    Floats,
    Mask,
    Numbers,
    Rows,
    Strings,
    code_of,
)
from adapters.legacy_cobol.fields.policy import Form
from adapters.legacy_cobol.records.spelling import UTF_8, WORD, NotPlain, Spelling, plain

Piece = bytes | Rows  # one text in UTF-8 for every row, or a matrix in the spelling

_QUOTED = (Form.STRING, Form.CODE)
_BLANK, _DELETE = 0x20, 0x7F
_NARROW = 128  # bytes of a text; a mask for each length is then small
_PATIENCE = 64  # blocks with other text expected, after one that had some


class JsonText:
    """JSON text in one spelling."""

    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling

    def pieces_of(self, column: Column) -> list[Piece]:
        """The JSON of a column, with quotes. Raises NotPlain."""
        match column:
            case Numbers():
                text, quoted = self._numbers(column), column.form in _QUOTED
            case Characters():
                text, quoted = self._characters(column), True
            case Strings():
                text, quoted = (
                    self._fixed([msgspec.json.encode(each) for each in column.data]),
                    False,
                )
            case Floats():
                values = [json.dumps(each).encode() for each in column.python()]
                text, quoted = self._fixed(values), False
        if column.nulls is not None and column.nulls.any():
            return [self._with_nulls(text, quoted, column.nulls)]
        return [b'"', text, b'"'] if quoted else [text]

    def lay_out(self, pieces: list[Piece], count: int, step: int = 1) -> Rows:
        """Put pieces side by side into one matrix, whose width is a multiple of `step`."""
        template, matrices = bytearray(), []
        for piece in pieces:
            if isinstance(piece, bytes):
                template += piece.translate(self.spelling.write)
            else:
                matrices.append((len(template), piece))
                template += bytes(piece.shape[1])
        template += bytes(-len(template) % step)
        out = np.empty((count, len(template)), np.uint8)
        out[:] = np.frombuffer(bytes(template), np.uint8)
        for at, matrix in matrices:
            out[:, at : at + matrix.shape[1]] = matrix
        return out

    def _fixed(self, values: list[bytes]) -> Rows:
        found = np.array(values, dtype=np.bytes_)
        return self._spelled(found.view(np.uint8).reshape(len(values), -1))

    def _spelled(self, utf_8: Rows) -> Rows:
        if self.spelling is UTF_8:
            return utf_8
        found = utf_8.tobytes().translate(self.spelling.write)
        return np.frombuffer(found, np.uint8).reshape(utf_8.shape)

    def _with_nulls(self, text: Rows, quoted: bool, nulls: Mask) -> Rows:
        pieces: list[Piece] = [b'"', text, b'"'] if quoted else [text]
        full = self.lay_out([*pieces, bytes(4)], len(text))
        full[nulls] = 0
        full[nulls, :4] = np.frombuffer(b"null".translate(self.spelling.write), np.uint8)
        return full

    def _numbers(self, column: Numbers) -> Rows:
        data = column.data
        if data.dtype == object:
            return self._fixed([_plain(value, column).encode() for value in data])
        scale = column.scale if column.form is not Form.SCALED else 0
        magnitude = np.abs(data)
        pieces: list[Piece] = []
        negative = data < 0
        if negative.any():
            minus = np.uint8(self.spelling.write[ord("-")])
            pieces.append(np.where(negative, minus, np.uint8(0))[:, None])
        if column.form is Form.CODE:
            code = self._digits(magnitude, column.digits, padded=True)
            return self.lay_out([*pieces, code], len(data)) if pieces else code
        if scale > 0:
            whole = magnitude // 10**scale if scale <= 18 else np.zeros_like(magnitude)
            part = magnitude - whole * 10**scale if scale <= 18 else magnitude
            pieces.append(self._digits(whole, max(1, column.digits - scale), padded=False))
            pieces += [b".", self._digits(part, scale, padded=True)]
        else:
            pieces.append(self._digits(magnitude, column.digits, padded=False))
        if scale < 0:
            zeros = np.full((len(data), -scale), self.spelling.write[ord("0")], np.uint8)
            zeros[data == 0] = 0
            pieces.append(zeros)
        return self.lay_out(pieces, len(data))

    def _digits(self, value: NDArray[Any], width: int, *, padded: bool) -> Rows:
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
            table = self.spelling.last if at == groups - 1 else self.spelling.inner
            out[:, at] = table.take(index)
            rest = higher
        return out.view(np.uint8).reshape(len(value), -1)[:, 4 * groups - width :]

    def _characters(self, column: Characters) -> Rows:
        if self.spelling is UTF_8:
            return _escaped(column)
        if not column.harmless or column.page is not self.spelling.page:
            raise NotPlain
        return _trimmed(column, column.data, column.padding)


Pieces = Callable[[JsonText], list[Piece]]  # lays out a document in a spelling


class JsonLines:
    """JSON of many records with one layout. It expects plain text until it finds other text."""

    def __init__(self, page: CodePage | None) -> None:
        self._plain = None if page is None else plain(page)
        self._careful = 0

    def of(self, pieces: Pieces, count: int) -> bytes:
        """The text of `count` rows."""
        if self._plain is not None and not self._careful:
            try:
                return _text(JsonText(self._plain), pieces, count)
            except NotPlain:
                self._careful = _PATIENCE
        self._careful = max(0, self._careful - 1)
        return _text(JsonText(UTF_8), pieces, count)


def _text(text: JsonText, pieces: Pieces, count: int) -> bytes:
    return text.spelling.finish(text.lay_out(pieces(text), count, step=WORD))


def _trimmed(column: Characters, data: Rows, blank: int) -> Rows:
    """The data of a column with zeros in place of the blanks to trim."""
    width = data.shape[1]
    if column.left or not width:
        return np.where(_outside(column), np.uint8(0), data)
    if not column.right:
        return data
    lengths = np.strings.str_len((data ^ np.uint8(blank)).view(f"S{width}").ravel())
    if width > _NARROW:
        return np.where(np.arange(width) < lengths[:, None], data, np.uint8(0))
    return data & _first(width).take(lengths, axis=0)


@lru_cache(maxsize=256)
def _first(width: int) -> Rows:
    """In row n, n bytes of X'FF', then X'00'."""
    return np.where(np.tri(width + 1, width, -1, bool), np.uint8(0xFF), np.uint8(0))


def _escaped(column: Characters) -> Rows:
    """UTF-8 inside a JSON string, with zeros in place of the blanks to trim."""
    raw = column.data.tobytes().translate(column.page.read)
    codes = np.frombuffer(raw, np.uint8).reshape(column.data.shape)
    if _is_plain(codes):
        return _trimmed(column, codes, column.page.read[column.padding])
    out = _escapes(column.page.alphabet, np.unique(codes))[codes]
    out[_outside(column)] = 0
    return out.reshape(len(codes), -1)


def _is_plain(codes: Rows) -> bool:
    """Whether all characters are ASCII and stand for themselves in JSON."""
    if codes.size == 0:
        return True
    if codes.min() < _BLANK or codes.max() >= _DELETE:
        return False
    return not ((codes == ord('"')) | (codes == ord("\\"))).any()


def _plain(value: Any, column: Numbers) -> str:
    if column.form is Form.CODE:
        return code_of(value, column.digits)
    if column.form is Form.SCALED or column.scale == 0:
        return str(value)
    if column.scale < 0:
        return str(value * 10**-column.scale)
    text = f"{abs(value):0{column.scale + 1}d}"
    sign = "-" if value < 0 else ""
    return f"{sign}{text[: -column.scale]}.{text[-column.scale :]}"


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
    blank = column.data == column.padding
    out = np.zeros(blank.shape, bool)
    if column.right:
        out |= np.logical_and.accumulate(blank[:, ::-1], axis=1)[:, ::-1]
    if column.left:
        out |= np.logical_and.accumulate(blank, axis=1)
    return out
