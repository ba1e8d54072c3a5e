"""Avro schemas derived from record types: a field is named in one place, its annotation."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec
import orjson

from schemas import wire
from schemas.record import Record, full_name

_FORMS: dict[type, int] = {
    str: wire.TEXT,
    int: wire.LONG,
    bool: wire.BOOLEAN,
    bytes: wire.BYTES,
}
_SCALARS: dict[type, str] = {str: "string", int: "long", bool: "boolean", bytes: "bytes"}


class Field(typing.NamedTuple):
    """One field of a record: its resolved annotation and its default (``NO_DEFAULT`` when none)."""

    name: str
    annotation: Any
    default: Any


def fields(kind: type[Record]) -> list[Field]:
    """Return the fields of ``kind`` in wire order, annotations resolved."""
    hints = typing.get_type_hints(kind)
    return [Field(f.name, hints[f.name], f.default) for f in msgspec.structs.fields(kind)]


def element(annotation: Any) -> Any:
    """Return T of ``tuple[T, ...]``, or None when the annotation is not one."""
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return arguments[0]
    return None


def optional(annotation: Any) -> Any:
    """Return T of ``T | None``, or None when the annotation is not one."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return None
    inner = [a for a in typing.get_args(annotation) if a is not type(None)]
    return inner[0] if len(inner) == 1 else None


def is_record(annotation: Any) -> bool:
    """Tell whether the annotation is a nested record."""
    return isinstance(annotation, type) and issubclass(annotation, Record)


def is_enum(annotation: Any) -> bool:
    """Tell whether the annotation is a StrEnum."""
    return isinstance(annotation, type) and issubclass(annotation, StrEnum)


def avro_schema(kind: type[Record]) -> dict[str, Any]:
    """Return the Avro schema of ``kind`` as a JSON-like dict; raise TypeError for other types."""
    return _record(kind, defined=set())


def canonical(kind: type[Record]) -> str:
    """Return the schema on one line, as it is registered."""
    return orjson.dumps(avro_schema(kind)).decode()


def by_name(kinds: Iterable[type[Record]]) -> dict[str, type[Record]]:
    """Index record types by their Avro full name; raise ValueError when two share one."""
    index: dict[str, type[Record]] = {}
    for kind in kinds:
        if index.setdefault(full_name(kind), kind) is not kind:
            raise ValueError(f"two record types are called {full_name(kind)}")
    return index


def layout(kind: type[Record], prefix: bytes = b"") -> wire.Layout:
    """Return how ``kind`` is laid out on the wire after ``prefix``; raise TypeError as above."""
    own = wire.Layout(wire.RECORD, prefix)
    own.kind = kind
    own.layouts = [_layout(field.annotation) for field in fields(kind)]
    return own


def _layout(annotation: Any) -> wire.Layout:
    if annotation in _FORMS:
        return wire.Layout(_FORMS[annotation])
    if is_enum(annotation):
        own = wire.Layout(wire.ENUM)
        own.members = {member.value: member for member in annotation}
        return own
    if is_record(annotation):
        return layout(annotation)
    for form, inner in (
        (wire.ARRAY, element(annotation)),
        (wire.OPTIONAL, optional(annotation)),
    ):
        if inner is not None:
            own = wire.Layout(form)
            own.inner = _layout(inner)
            return own
    raise TypeError(f"{annotation!r} has no Avro type; see schemas/record.py for those that have")


def _record(kind: type[Record], defined: set[str]) -> dict[str, Any]:
    namespace, _, name = full_name(kind).rpartition(".")
    defined.add(full_name(kind))
    schema: dict[str, Any] = {"type": "record", "name": name, "namespace": namespace}
    if kind.__doc__:
        schema["doc"] = " ".join(kind.__doc__.split())
    schema["fields"] = [_field(field, defined) for field in fields(kind)]
    return schema


def _field(field: Field, defined: set[str]) -> dict[str, Any]:
    schema = {"name": field.name, "type": _type(field.annotation, defined)}
    if field.default is not msgspec.NODEFAULT:
        schema["default"] = _default(field.default)
    return schema


def _default(value: Any) -> Any:
    """Return a default as JSON says it (Avro 1.11: bytes are code points 0 to 255)."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return list(value) if value == () else value


def _type(annotation: Any, defined: set[str]) -> Any:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if is_enum(annotation):
        return "string"
    if is_record(annotation):
        name = full_name(annotation)
        return name if name in defined else _record(annotation, defined)
    if (inner := element(annotation)) is not None:
        return {"type": "array", "items": _type(inner, defined)}
    if (inner := optional(annotation)) is not None:
        return ["null", _type(inner, defined)]
    raise TypeError(f"{annotation!r} has no Avro type; see schemas/record.py for those that have")
