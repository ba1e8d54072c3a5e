"""Bodies: strict, and every bad field is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from api.decoding import check_media_type, decode
from api.examples import EXAMPLES
from api.problems import Refused
from api.requests import PlaceOrderBody

DECODER = msgspec.json.Decoder(PlaceOrderBody)
LINE = {"sku_id": 1_001, "qty": 1, "unit_price_fen": 1_990}


def bad_fields(body: Any) -> set[tuple[str, str]]:
    with pytest.raises(Refused) as refused:
        decode(DECODER, msgspec.json.encode(body))
    assert refused.value.code == "INVALID_REQUEST"
    return {(error.field, error.code) for error in refused.value.errors}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=lambda one: type(one).__name__)
def test_an_example_comes_back_from_its_json(example: msgspec.Struct) -> None:
    assert msgspec.json.decode(msgspec.json.encode(example), type=type(example)) == example


def test_every_bad_field_is_named_however_deep() -> None:
    terms = {"allocation": "MAGIC", "warehouses": ["x" * 40]}
    line = {"sku_id": "1", "qty": 0, "terms": terms}

    assert bad_fields({"lines": [LINE, line], "total_fen": 1.5, "pay_chanel": "sim"}) == {
        ("lines[1].sku_id", "INVALID"),
        ("lines[1].qty", "INVALID"),
        ("lines[1].unit_price_fen", "REQUIRED"),
        ("lines[1].terms.allocation", "INVALID"),
        ("lines[1].terms.warehouses[0]", "INVALID"),
        ("total_fen", "INVALID"),
        ("pay_chanel", "UNKNOWN_FIELD"),
    }


def test_too_many_and_too_few_are_named_as_a_whole() -> None:
    assert bad_fields({"lines": [], "total_fen": 0}) == {("lines", "INVALID")}
    assert bad_fields({"lines": [LINE] * 101, "total_fen": 0}) == {("lines", "INVALID")}


@pytest.mark.parametrize("body", [[], "text", 7, None])
def test_a_body_that_is_no_object_is_named_as_a_whole(body: Any) -> None:
    assert bad_fields(body) == {("", "INVALID")}


@pytest.mark.parametrize("body", [b"", b"{", b'{"lines":', b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        decode(DECODER, body)
    assert refused.value.code == "MALFORMED_JSON"


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/xml; a=json"])
def test_another_media_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(Refused) as refused:
        check_media_type(content_type)
    assert refused.value.code == "UNSUPPORTED_MEDIA_TYPE"


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_taken(content_type: str) -> None:
    check_media_type(content_type)
