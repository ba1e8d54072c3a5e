"""The compiled codec writes and reads what fastavro, the reference, writes and reads."""

from __future__ import annotations

import contextlib
import io
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import PREFIX_BYTES, Codec, local_codec
from schemas.derivation import avro_schema, element, fields, is_enum, is_record, optional
from schemas.errors import InvalidMessage, Retryable
from schemas.order import CancelCause, CancelOrder, OrderCancelling, PlaceOrderIntent
from schemas.record import Record
from schemas.stream import Progress
from topologies.pipeline import all_records

KINDS = all_records()
CODEC = local_codec(KINDS)
SCHEMAS = {kind: parse_schema(avro_schema(kind)) for kind in KINDS}
_LONGS = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(0, 20_000),
    st.integers(1_700_000_000_000, 2_300_000_000_000),
)


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Generate any value of a field's type."""
    if annotation is int:
        return _LONGS
    if annotation is str:
        return st.text(max_size=80) | st.text(min_size=64, max_size=70)
    if annotation is bytes:
        return st.binary(max_size=30)
    if annotation is bool:
        return st.booleans()
    if is_enum(annotation):
        return st.sampled_from(list(annotation))
    if is_record(annotation):
        return records(annotation)
    if (inner := element(annotation)) is not None:
        return st.lists(values(inner), max_size=4).map(tuple)
    return st.none() | values(optional(annotation))


def records(kind: type[Record]) -> st.SearchStrategy[Record]:
    """Generate any record of a type."""
    return st.builds(kind, **{f.name: values(f.annotation) for f in fields(kind)})


def reference_bytes(record: Record) -> bytes:
    stream = io.BytesIO()
    schemaless_writer(
        stream,
        SCHEMAS[type(record)],
        msgspec.to_builtins(record, builtin_types=(bytes,)),
        disable_tuple_notation=True,  # a tuple is an array, not (name of a union's branch, value)
    )
    return stream.getvalue()


@given(st.sampled_from(KINDS).flatmap(records))
def test_bytes_equal_the_reference_and_come_back(record: Record) -> None:
    value = CODEC.encode(record)
    assert value[PREFIX_BYTES:] == reference_bytes(record)
    assert CODEC.decode(value) == record


@given(st.sampled_from(KINDS).flatmap(records), st.data())
def test_damaged_bytes_are_invalid_or_another_record_but_never_an_error(
    record: Record, data: st.DataObject
) -> None:
    value = bytearray(CODEC.encode(record))
    at = data.draw(st.integers(0, len(value) - 1))
    damaged = bytes(value[:at]) + data.draw(st.binary(max_size=3)) + bytes(value[at + 1 :])
    with contextlib.suppress(InvalidMessage):
        CODEC.decode(damaged)


def test_every_proper_prefix_of_a_value_is_invalid() -> None:
    value = CODEC.encode(CancelOrder("A1", 1, 2, "changed my mind"))
    for end in range(len(value)):
        with pytest.raises(InvalidMessage):
            CODEC.decode(value[:end])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "NO_VALUE"),
        (b"", "NOT_AVRO"),
        (b"\x00\x00", "NOT_AVRO"),
        (b'{"order": 1}', "NOT_AVRO"),
        (b"\x00\x7f\xff\xff\xff rest", "UNKNOWN_SCHEMA"),
    ],
)
def test_what_is_not_avro_in_wire_format_is_invalid(value: bytes | None, code: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        CODEC.decode(value)
    assert caught.value.code == code


def test_trailing_bytes_are_invalid() -> None:
    with pytest.raises(InvalidMessage, match="MALFORMED_VALUE"):
        CODEC.decode(CODEC.encode(CancelOrder("A1", 1, 2, "x")) + b"\x00")


def test_an_unknown_enum_value_is_invalid() -> None:
    record = OrderCancelling("A1", 2, 1, 7, CancelCause.HOLD_LOST, "", "")
    damaged = CODEC.encode(record).replace(b"HOLD_LOST", b"HOLD_LUST")
    with pytest.raises(InvalidMessage, match="MALFORMED_VALUE"):
        CODEC.decode(damaged)


def test_a_schema_of_another_version_is_read_with_defaults_and_without_unknown_fields() -> None:
    writer = {
        "type": "record",
        "namespace": "orderstream.order",
        "name": "CancelOrder",
        "fields": [
            {"name": "reason", "type": "string"},
            {"name": "order_no", "type": "string"},
            {"name": "shop_id", "type": "long"},
            {"name": "user_id", "type": "int"},
            {"name": "mood", "type": "string"},
        ],
    }
    stream = io.BytesIO()
    told = {"reason": "late", "order_no": "A1", "shop_id": 1, "user_id": 2, "mood": "sad"}
    schemaless_writer(stream, parse_schema(writer), told)
    codec = Codec({CancelOrder: 1}, lambda schema_id: writer if schema_id == 900 else None)
    value = b"\x00" + (900).to_bytes(4, "big") + stream.getvalue()
    assert codec.decode(value) == CancelOrder("A1", 1, 2, "late", "")


def test_a_known_schema_that_is_not_of_this_system_is_named() -> None:
    writer = {"type": "record", "namespace": "other.shop", "name": "Basket", "fields": []}
    codec = Codec({CancelOrder: 1}, lambda _: writer)
    with pytest.raises(InvalidMessage, match=r"UNKNOWN_RECORD.*other\.shop\.Basket"):
        codec.decode(b"\x00\x00\x00\x00\x63")


def test_an_unknown_id_is_retryable_while_the_registry_is_away() -> None:
    def away(schema_id: int) -> None:
        raise Retryable("no route")

    with pytest.raises(Retryable):
        Codec({CancelOrder: 1}, away).decode(b"\x00\x00\x00\x00\x63")


def test_an_integer_beyond_64_bits_is_refused_when_written() -> None:
    with pytest.raises(OverflowError):
        CODEC.encode(CancelOrder("A1", 1 << 63, 2, "x"))


def test_a_type_without_an_avro_type_is_named() -> None:
    class Odd(Record, frozen=True):
        ratio: float

    with pytest.raises(TypeError, match="float"):
        avro_schema(Odd)


def test_defaults_become_avro_defaults() -> None:
    by_name = {f["name"]: f for f in avro_schema(PlaceOrderIntent)["fields"]}
    assert by_name["currency"]["default"] == "CNY"
    assert by_name["pay_channel"] == {
        "name": "pay_channel",
        "type": ["null", "string"],
        "default": None,
    }
    assert "default" not in by_name["user_id"]


def test_every_record_is_closed_over_supported_types() -> None:
    assert {type(avro_schema(kind)) for kind in KINDS} == {dict}
    assert issubclass(CancelCause, StrEnum)
    assert Progress in KINDS
