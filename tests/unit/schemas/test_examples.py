"""Every message of the public topics has an example, and the example is what the schema says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer, validate

import schemas
from schemas.codec import PREFIX_BYTES, local_codec
from schemas.derivation import avro_schema
from schemas.record import Record, full_name
from schemas.registry import public_records
from schemas.stored import versions
from topologies.pipeline import all_records

EXAMPLES = Path(schemas.__file__).parent / "examples"
KINDS = public_records()
CODEC = local_codec(all_records())


def example(kind: type[Record]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((EXAMPLES / f"{full_name(kind)}.json").read_bytes())
    return content


def test_every_message_has_an_example_and_every_example_a_message() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == {full_name(kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=full_name)
def test_an_example_is_valid_and_comes_back_from_its_bytes(kind: type[Record]) -> None:
    plain = example(kind)
    schema = parse_schema(avro_schema(kind))
    assert validate(plain, schema, strict=True)
    value = CODEC.encode(msgspec.convert(plain, kind))
    assert json.loads(msgspec.json.encode(CODEC.decode(value))) == plain
    assert schemaless_reader(io.BytesIO(value[PREFIX_BYTES:]), schema, None) == plain


@pytest.mark.parametrize("kind", all_records(), ids=full_name)
def test_the_newest_stored_version_is_what_this_code_writes(kind: type[Record]) -> None:
    assert versions(full_name(kind))[-1:] == [avro_schema(kind)], "run: orderstream schemas store"


@pytest.mark.parametrize("kind", KINDS, ids=full_name)
def test_every_stored_version_can_be_read(kind: type[Record]) -> None:
    plain = example(kind)
    for stored in versions(full_name(kind)):
        writer = parse_schema(stored)
        told = {f["name"]: plain.get(f["name"], f.get("default")) for f in stored["fields"]}
        stream = io.BytesIO()
        schemaless_writer(stream, writer, told)
        stream.seek(0)
        read = schemaless_reader(stream, writer, parse_schema(avro_schema(kind)))
        assert isinstance(msgspec.convert(read, kind), kind)
