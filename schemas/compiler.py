"""Avro encoders and decoders compiled from record types.

A record's fields are known when the process starts, so its encoder and decoder are written out once
as straight-line Python: no schema walk, no intermediate dict. On records of this system that is
about twice as fast as fastavro (docs/adr/0002), which stays the reference in the tests and the
reader of older schema versions.

Wire format: Avro 1.11 specification, "Binary Encoding": integers are zig-zag varints, text and
bytes are length-prefixed, arrays are blocks of items ended by a zero count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from schemas.derivation import element, fields, is_enum, is_record, optional
from schemas.record import Record

R = TypeVar("R", bound=Record)

_TABLE = 1 << 14  # one- and two-byte varints, and the two-byte halves of longer ones
_MIN_LONG, _MAX_LONG = -(1 << 63), (1 << 63) - 1


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


SMALL = tuple(_varint(n << 1) for n in range(_TABLE))  # zig-zag of 0 <= n < 16,384
_PLAIN = tuple(_varint(n) for n in range(_TABLE))
_CONTINUED = tuple(bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(_TABLE))
_ZIGZAG = tuple((n >> 1) ^ -(n & 1) for n in range(128))


def encode_long(value: int) -> bytes:
    """Encode any 64-bit integer; raise OverflowError beyond."""
    if value >= 0:
        n = value << 1
        if n < _TABLE:
            return _PLAIN[n]
        if n < 1 << 28:
            return _CONTINUED[n & 0x3FFF] + _PLAIN[n >> 14]
        if n < 1 << 42:  # epoch milliseconds until 2039
            return _CONTINUED[n & 0x3FFF] + _CONTINUED[n >> 14 & 0x3FFF] + _PLAIN[n >> 28]
    elif value >= -(_TABLE >> 1):
        return _PLAIN[(~value << 1) | 1]
    if not _MIN_LONG <= value <= _MAX_LONG:
        raise OverflowError(f"{value} does not fit a 64-bit Avro long")
    return _varint((value << 1) ^ (value >> 63))


def decode_long(value: bytes, at: int) -> tuple[int, int]:
    """Decode the integer at ``at``; return it and the position after it.

    The first three bytes are written out: most identifiers and amounts end there.
    """
    n = value[at]
    if n > 127:
        byte = value[at + 1]
        n = n & 0x7F | (byte & 0x7F) << 7
        if byte > 127:
            byte = value[at + 2]
            n |= (byte & 0x7F) << 14
            if byte > 127:
                shift, at = 21, at + 3
                while True:
                    byte = value[at]
                    n |= (byte & 0x7F) << shift
                    if byte < 128:
                        return (n >> 1) ^ -(n & 1), at + 1
                    at += 1
                    shift += 7
                    if shift > 63:
                        raise ValueError("a varint is longer than 64 bits")
            return (n >> 1) ^ -(n & 1), at + 3
        return (n >> 1) ^ -(n & 1), at + 2
    return (n >> 1) ^ -(n & 1), at + 1


def decode_length(value: bytes, at: int) -> tuple[int, int]:
    """Decode a length or an array count that is not one even byte; raise ValueError if negative."""
    n, at = decode_long(value, at)
    if n < 0:
        raise ValueError("a negative length")
    return n, at


_ENCODING: dict[str, Any] = {
    "SMALL": SMALL,
    "PLAIN": _PLAIN,
    "CONTINUED": _CONTINUED,
    "encode_long": encode_long,
    "join": b"".join,
}


def compile_encoder(kind: type[R], prefix: bytes) -> Callable[[R], bytes]:
    """Return a function from a record of ``kind`` to ``prefix`` plus its Avro body."""
    scope: dict[str, Any] = {
        **_ENCODING,
        "prefix": prefix,
    }
    setup: list[str] = []
    parts = ["prefix"] if prefix else []
    for index, field in enumerate(fields(kind)):
        parts += _encode(f"m.{field.name}", field.annotation, f"v{index}", setup, scope)
    body = [*setup, f"return join(({', '.join(parts)},))" if parts else "return b''"]
    return _define(f"encode_{kind.__name__}", "m", body, scope)


def _encode(
    source: str, annotation: Any, name: str, setup: list[str], scope: dict[str, Any]
) -> list[str]:
    if annotation is int:
        setup.append(f"{name} = {source}")
        # Up to 27 bits without a call; amounts and identifiers seldom have more.
        small = f"SMALL[{name}] if 0 <= {name} < {_TABLE}"
        medium = f"CONTINUED[{name} << 1 & 0x3FFF] + PLAIN[{name} >> 13] if 0 <= {name} < {1 << 27}"
        return [f"{small} else {medium} else encode_long({name})"]
    if annotation is bool:
        return [f"b'\\1' if {source} else b'\\0'"]
    if annotation is str or annotation is bytes or is_enum(annotation):
        setup.append(f"{name} = {source}" + ("" if annotation is bytes else ".encode()"))
        length = f"SMALL[len({name})] if len({name}) < {_TABLE} else encode_long(len({name}))"
        return [length, name]
    if is_record(annotation):
        scope[f"encode_{name}"] = compile_encoder(annotation, b"")
        return [f"encode_{name}({source})"]
    if (inner := element(annotation)) is not None:
        scope[f"encode_{name}"] = _value_encoder(inner, name)
        setup.append(f"{name} = {source}")
        count = f"encode_long(len({name}))"
        return [
            f"{count} + join([encode_{name}(x) for x in {name}]) + b'\\0' if {name} else b'\\0'"
        ]
    if (inner := optional(annotation)) is not None:
        scope[f"encode_{name}"] = _value_encoder(inner, name)
        setup.append(f"{name} = {source}")
        return [f"b'\\0' if {name} is None else b'\\2' + encode_{name}({name})"]
    raise TypeError(f"{annotation!r} has no Avro type")


def _value_encoder(annotation: Any, name: str) -> Callable[[Any], bytes]:
    scope = dict(_ENCODING)
    if is_record(annotation):
        return compile_encoder(annotation, b"")
    setup: list[str] = []
    parts = _encode("x", annotation, name, setup, scope)
    return _define(f"encode_{name}", "x", [*setup, f"return join(({', '.join(parts)},))"], scope)


def compile_decoder(kind: type[R]) -> Callable[[bytes, int], tuple[R, int]]:
    """Return a function from (bytes, position) to a record of ``kind`` and the position after it.

    It raises IndexError, UnicodeDecodeError or ValueError for bytes that are not such a record. A
    slice past the end is short, not an error: the caller compares the position with the length.
    """
    scope: dict[str, Any] = {
        "kind": kind,
        "decode_long": decode_long,
        "decode_length": decode_length,
        "ZIGZAG": _ZIGZAG,
    }
    body: list[str] = []
    names = []
    for index, field in enumerate(fields(kind)):
        body += _decode(f"v{index}", field.annotation, scope)
        names.append(f"v{index}")
    body.append(f"return kind({', '.join(names)}), i")
    return _define(f"decode_{kind.__name__}", "b, i", body, scope)


def _decode(name: str, annotation: Any, scope: dict[str, Any]) -> list[str]:
    if annotation is int:
        return [
            "n = b[i]",
            "if n < 128:",
            f"    {name} = ZIGZAG[n]; i += 1",
            "else:",
            f"    {name}, i = decode_long(b, i)",
        ]
    if annotation is bool:
        return [
            "n = b[i]; i += 1",
            "if n > 1: raise ValueError('not a boolean')",
            f"{name} = n == 1",
        ]
    if annotation is str or annotation is bytes or is_enum(annotation):
        lines = [*_length("n"), f"j = i + n; {name} = b[i:j]" + _text(annotation), "i = j"]
        if is_enum(annotation):
            scope[f"members_{name}"] = {m.value: m for m in annotation}
            lines += [
                f"if {name} not in members_{name}: raise ValueError('unknown value ' + {name})",
                f"{name} = members_{name}[{name}]",
            ]
        return lines
    if is_record(annotation):
        scope[f"decode_{name}"] = compile_decoder(annotation)
        return [f"{name}, i = decode_{name}(b, i)"]
    if (inner := element(annotation)) is not None:
        scope[f"items_{name}"] = _array_decoder(inner)
        return [f"{name}, i = items_{name}(b, i)"]
    if (inner := optional(annotation)) is not None:
        return [
            "n = b[i]; i += 1",
            f"if n == 0: {name} = None",
            "elif n == 2:",
            *(f"    {line}" for line in _decode(name, inner, scope)),
            "else: raise ValueError('not a branch of the union')",
        ]
    raise TypeError(f"{annotation!r} has no Avro type")


def _text(annotation: Any) -> str:
    return "" if annotation is bytes else ".decode()"


def _length(name: str) -> Iterator[str]:
    yield f"{name} = b[i]"
    yield f"if {name} > 127 or {name} & 1: {name}, i = decode_length(b, i)"
    yield f"else: {name} >>= 1; i += 1"


def _array_decoder(item: Any) -> Callable[[bytes, int], tuple[tuple[Any, ...], int]]:
    scope: dict[str, Any] = {
        "decode_long": decode_long,
        "decode_length": decode_length,
        "ZIGZAG": _ZIGZAG,
    }
    body = [
        "items = []",
        "while True:",
        "    n, i = decode_long(b, i)",
        "    if n == 0: return tuple(items), i",
        "    if n < 0:",  # a block with its size in bytes, which a reader may use to skip it
        "        n = -n",
        "        _, i = decode_length(b, i)",
        "    if n > len(b) - i: raise ValueError('an array is longer than its record')",
        "    for _ in range(n):",
        *(f"        {line}" for line in _decode("x", item, scope)),
        "        items.append(x)",
    ]
    return _define("decode_items", "b, i", body, scope)


def _define(
    name: str, arguments: str, body: list[str], scope: dict[str, Any]
) -> Callable[..., Any]:
    source = f"def {name}({arguments}):\n" + "\n".join(f"    {line}" for line in body)
    exec(compile(source, f"<avro {name}>", "exec"), scope)  # noqa: S102 - our own annotations only
    function: Callable[..., Any] = scope[name]
    return function
