"""Avro's binary encoding of records: a small interpreter over their types.

``deploy/native.py`` compiles it by mypyc, which is where its speed comes from (docs/adr/0002);
uncompiled it does the same, slowly. Its integers are ``i64`` where the wire's are, so that the
compiled code works on machine words.

Wire format: Avro 1.11 specification, "Binary Encoding": integers are zig-zag varints, text and
bytes are length-prefixed, arrays are blocks of items ended by a zero count, a union is its
branch's number and the value.
"""

from __future__ import annotations

from typing import Any, Final

from librt.strings import BytesWriter
from msgspec.structs import astuple
from mypy_extensions import i64, u8

LONG: Final = 0
TEXT: Final = 1
RECORD: Final = 2
ARRAY: Final = 3
OPTIONAL: Final = 4
ENUM: Final = 5
BOOLEAN: Final = 6
BYTES: Final = 7

_SAFE: Final = 1 << 61  # below it, a Python integer needs no closer look
_MIN_LONG: Final = -(1 << 63)
_MAX_LONG: Final = (1 << 63) - 1


class Layout:
    """How one type is laid out: ``form`` is one of the constants above.

    ``inner`` is the type of an array's items or of an optional value; ``kind`` is a record's class
    and ``layouts`` are its fields', in order; ``members`` an enum's, by value. ``prefix`` comes
    before a record that stands by itself.
    """

    def __init__(self, form: int, prefix: bytes = b"") -> None:
        self.form: i64 = form
        self.prefix = prefix
        self.inner: Layout | None = None
        self.kind: Any = None
        self.layouts: list[Layout] = []
        self.members: dict[str, Any] = {}


def encode(layout: Layout, record: Any) -> bytes:
    """Return the prefix and the body of ``record``, whose type has ``layout``.

    Raises OverflowError for an integer beyond 64 bits.
    """
    out = BytesWriter()
    out.write(layout.prefix)
    _write_record(out, layout, record)
    return out.getvalue()


def decode(layout: Layout, data: bytes, at: int) -> tuple[Any, int]:
    """Return the record of ``layout`` at a position of ``data``, and the position after it.

    Raises IndexError or ValueError (UnicodeDecodeError is one) for bytes that are not such a
    record.
    """
    source = _Source(data, at)
    record = _read_record(source, layout)
    return record, source.at


def _write_record(out: BytesWriter, layout: Layout, record: Any) -> None:
    for field, value in zip(layout.layouts, astuple(record), strict=True):
        _write(out, field, value)


def _write(out: BytesWriter, layout: Layout, value: Any) -> None:
    form = layout.form
    if form == LONG:
        _write_long(out, value)
    elif form in (TEXT, ENUM):
        text: str = value
        _write_bytes(out, text.encode())
    elif form == RECORD:
        _write_record(out, layout, value)
    elif form == ARRAY:
        _write_array(out, layout, value)
    elif form == OPTIONAL:
        inner = layout.inner
        if value is None:
            out.append(u8(0))
        elif inner is not None:
            out.append(u8(2))  # branch 1, zig-zag
            _write(out, inner, value)
    elif form == BOOLEAN:
        out.append(u8(1) if value else u8(0))
    else:
        _write_bytes(out, value)


def _write_long(out: BytesWriter, value: int) -> None:
    if not -_SAFE < value < _SAFE and not _MIN_LONG <= value <= _MAX_LONG:
        raise OverflowError(f"{value} does not fit a 64-bit Avro long")
    number: i64 = value
    rest: i64 = (number << 1) ^ (number >> 63)
    while rest < 0 or rest > 127:  # below zero: the machine word's highest bit is set
        out.append(u8((rest & 127) | 128))
        rest = (rest >> 7) & 0x01FFFFFFFFFFFFFF
    out.append(u8(rest))


def _write_bytes(out: BytesWriter, value: bytes) -> None:
    _write_long(out, len(value))
    out.write(value)


def _write_array(out: BytesWriter, layout: Layout, items: tuple[Any, ...]) -> None:
    inner = layout.inner
    if items and inner is not None:
        _write_long(out, len(items))
        for item in items:
            _write(out, inner, item)
    out.append(u8(0))


class _Source:
    """Bytes, and how far they are read."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at: i64 = at
        self.end: i64 = len(data)

    def long(self) -> i64:
        """Read a zig-zag varint."""
        data = self.data
        at = self.at
        byte: i64 = data[at]
        at += 1
        zigzag: i64 = byte & 127
        shift: i64 = 7
        while byte > 127:
            byte = data[at]
            at += 1
            if shift == 63 and byte > 1:
                raise ValueError("a varint is longer than 64 bits")
            zigzag |= (byte & 127) << shift
            shift += 7
        self.at = at
        return ((zigzag >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(zigzag & 1)

    def bytes_(self) -> bytes:
        """Read length-prefixed bytes."""
        length = self.long()
        at = self.at
        if length < 0 or length > self.end - at:
            raise ValueError("a length is negative or longer than its record")
        after = at + length
        self.at = after
        return self.data[at:after]

    def flag(self) -> i64:
        """Read one byte that is small."""
        byte: i64 = self.data[self.at]
        self.at += 1
        return byte


def _read_record(source: _Source, layout: Layout) -> Any:
    values: list[Any] = [_read(source, field) for field in layout.layouts]
    return layout.kind(*values)


def _read(source: _Source, layout: Layout) -> Any:
    form = layout.form
    if form == LONG:
        return source.long()
    if form == TEXT:
        return source.bytes_().decode()
    if form == RECORD:
        return _read_record(source, layout)
    if form == ARRAY:
        return _read_array(source, layout)
    if form == OPTIONAL:
        return _read_optional(source, layout)
    if form == ENUM:
        name = source.bytes_().decode()
        if name not in layout.members:
            raise ValueError(f"unknown value {name}")
        return layout.members[name]
    if form == BOOLEAN:
        flag = source.flag()
        if flag > 1:
            raise ValueError("not a boolean")
        return flag == 1
    return source.bytes_()


def _read_array(source: _Source, layout: Layout) -> tuple[Any, ...]:
    items: list[Any] = []
    inner = layout.inner
    while inner is not None:
        count = source.long()
        if count == 0:
            break
        if count < 0:  # a block with its size in bytes, which a reader may use to skip it
            count = -count
            if source.long() < 0:
                raise ValueError("a negative length")
        if count < 0 or count > source.end - source.at:
            raise ValueError("an array is longer than its record")
        while count > 0:
            items.append(_read(source, inner))
            count -= 1
    return tuple(items)


def _read_optional(source: _Source, layout: Layout) -> Any:
    branch = source.flag()
    inner = layout.inner
    if branch == 0 or inner is None:
        return None
    if branch != 2:
        raise ValueError("not a branch of the union")
    return _read(source, inner)
