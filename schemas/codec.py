"""Records to bytes and back: Avro in the Confluent wire format.

A value is ``0x00``, the 4-byte big-endian schema id, and the Avro body. Records of the schemas that
this process was built with take the compiled path; any other id is asked of the registry once and
read with Avro's schema resolution (defaults for missing fields, unknown fields dropped).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from fastavro import parse_schema, schemaless_reader

from schemas import wire
from schemas.derivation import avro_schema, by_name, layout
from schemas.errors import InvalidMessage
from schemas.record import Record

_Reader = Callable[[bytes], tuple[Record, int]]
PREFIX_BYTES = 5
_PREFIX = struct.Struct(">bI")


class SchemaLookup(Protocol):
    """Where the schema of an id that this process does not know comes from."""

    def __call__(self, schema_id: int) -> dict[str, Any] | None:
        """Return the schema, None when the id does not exist; raise Retryable when out of reach."""


class Codec:
    """Encodes and decodes records; ``ids`` are the registered ids of this process's own schemas."""

    def __init__(self, ids: Mapping[type[Record], int], lookup: SchemaLookup) -> None:
        self._ids = dict(ids)
        self._lookup = lookup
        self._kinds = by_name(ids)
        self._layouts: dict[type[Record], wire.Layout] = {}
        self._by_prefix: dict[bytes, wire.Layout] = {}
        self._readers: dict[bytes, _Reader] = {}  # of schemas that are not this process's own
        for kind, schema_id in ids.items():
            own = layout(kind, _PREFIX.pack(0, schema_id))
            self._layouts[kind] = self._by_prefix[own.prefix] = own

    def encode(self, record: Record) -> bytes:
        """Return the wire bytes of ``record``; KeyError when its type is not registered."""
        return wire.encode(self._layouts[type(record)], record)

    def decode(self, value: bytes | None) -> Record:
        """Return the record in ``value``.

        Raises InvalidMessage (NO_VALUE, NOT_AVRO, UNKNOWN_SCHEMA, UNKNOWN_RECORD, MALFORMED_VALUE)
        or, when the registry has to be asked and is away, Retryable.
        """
        if value is None:
            raise InvalidMessage("NO_VALUE", "the record has no value")
        own = self._by_prefix.get(value[:PREFIX_BYTES])
        reader = self._resolve(value) if own is None else None
        record: Record
        try:
            if own is not None:
                record, end = wire.decode(own, value, PREFIX_BYTES)
            elif reader is not None:
                record, end = reader(value)
        except (IndexError, ValueError, EOFError, TypeError, OverflowError) as error:
            raise InvalidMessage("MALFORMED_VALUE", f"not the schema it names: {error}") from error
        if end != len(value):
            raise InvalidMessage("MALFORMED_VALUE", f"{len(value)} bytes, its schema needs {end}")
        return record

    def schema_id(self, kind: type[Record]) -> int:
        """Return the id under which ``kind`` is written."""
        return self._ids[kind]

    def _resolve(self, value: bytes) -> _Reader:
        if len(value) < PREFIX_BYTES or value[0] != 0:
            raise InvalidMessage("NOT_AVRO", "a value starts with 0x00 and a 4-byte schema id")
        prefix = value[:PREFIX_BYTES]
        known = self._readers.get(prefix)
        if known is not None:
            return known
        schema_id = _PREFIX.unpack(prefix)[1]
        schema = self._lookup(schema_id)
        if schema is None:
            raise InvalidMessage("UNKNOWN_SCHEMA", f"the registry has no schema {schema_id}")
        name = f"{schema.get('namespace', '')}.{schema.get('name', '')}"
        kind = self._kinds.get(name)
        if kind is None:
            raise InvalidMessage("UNKNOWN_RECORD", f"{name} (schema {schema_id}) is not known here")
        reader = self._readers[prefix] = _resolving_reader(schema, kind)
        return reader


def _resolving_reader(writer: dict[str, Any], kind: type[Record]) -> _Reader:
    writer_schema, reader_schema = parse_schema(writer), parse_schema(avro_schema(kind))

    def read(value: bytes) -> tuple[Record, int]:
        stream = io.BytesIO(value)
        stream.seek(PREFIX_BYTES)
        fields = schemaless_reader(stream, writer_schema, reader_schema)
        return msgspec.convert(fields, kind), stream.tell()

    return read


def local_codec(kinds: Mapping[type[Record], int] | tuple[type[Record], ...]) -> Codec:
    """Return a codec that needs no registry: ids 1, 2, 3 ... in the order given. For tests."""
    ids = kinds if isinstance(kinds, Mapping) else {kind: n for n, kind in enumerate(kinds, 1)}
    return Codec(ids, lambda _: None)
