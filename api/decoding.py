"""Request bodies: JSON to structs, strictly; of a bad one every bad field is named.

The good case is one call of msgspec. Only a body that it refuses is walked again, field by field,
because msgspec stops at the first error.
"""

from __future__ import annotations

import types
from collections.abc import Generator, Iterator
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

import msgspec
from litestar.dto import AbstractDTO, DTOFieldDefinition
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from api.problems import Code, FieldError, Refused, invalid
from api.trace import header

T = TypeVar("T")

_JSON = "application/json"
_MAX_ERRORS = 100  # as many as a cart has lines: more tell nobody anything


class StrictJson(AbstractDTO[T]):
    """The framework's way to decode a body: ``data_dto=StrictJson`` beside ``data: SomeStruct``."""

    _decoders: ClassVar[dict[str, msgspec.json.Decoder[Any]]] = {}

    def decode_bytes(self, value: bytes) -> Any:
        """Return the body; raise Refused for another media type, and as ``decode``."""
        scope = self.asgi_connection.scope
        check_media_type(header(scope["headers"], b"content-type"))
        decoder = self._decoders[self.asgi_connection.route_handler.handler_id]
        return decode(decoder, value)

    @classmethod
    def create_for_field_definition(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,
        backend_cls: Any = None,  # noqa: ARG003  # the framework gives it
    ) -> None:
        """Take note of what a handler's body is."""
        cls._decoders[handler_id] = msgspec.json.Decoder(field_definition.annotation)

    @classmethod
    def create_openapi_schema(
        cls,
        field_definition: FieldDefinition,
        handler_id: str,  # noqa: ARG003  # the framework gives it
        schema_creator: Any,
    ) -> Reference | Schema:
        """Describe the body as what it is."""
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def generate_field_definitions(
        cls,
        model_type: type[Any],  # noqa: ARG003  # the framework gives it
    ) -> Generator[DTOFieldDefinition, None, None]:
        """Yield nothing: the struct is taken whole."""
        yield from ()

    @classmethod
    def detect_nested_field(
        cls,
        field_definition: FieldDefinition,  # noqa: ARG003  # the framework gives it
    ) -> bool:
        """Say that no field is looked into."""
        return False


def check_media_type(content_type: str | None) -> None:
    """Raise Refused (UNSUPPORTED_MEDIA_TYPE) for what is not JSON."""
    if content_type is None or content_type.partition(";")[0].strip().lower() != _JSON:
        detail = f"send the body as Content-Type: {_JSON}"
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept": _JSON})


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return what ``body`` holds; raise Refused (MALFORMED_JSON, INVALID_REQUEST)."""
    try:
        return decoder.decode(body)
    except _NOT_JSON as error:
        if not isinstance(error, msgspec.ValidationError):
            raise _malformed(error) from error
        first = FieldError("", "INVALID", str(error))
    try:  # what was wrong first may come before what is no JSON at all
        plain = msgspec.json.decode(body)
    except _NOT_JSON as error:
        raise _malformed(error) from error
    raise invalid(bad_fields(plain, decoder.type) or [first])


_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _malformed(error: Exception) -> Refused:
    return Refused(Code.MALFORMED_JSON, f"the body is not JSON: {error}")


def bad_fields(plain: Any, kind: Any) -> list[FieldError]:
    """Return what is wrong with each field of a decoded body that should be a ``kind``."""
    found: list[FieldError] = []
    for error in _check(plain, kind, ""):
        found.append(error)
        if len(found) == _MAX_ERRORS:
            break
    return found


def _check(value: Any, kind: Any, path: str) -> Iterator[FieldError]:
    """Yield the errors of the parts of ``value``; without any, those of the whole."""
    is_whole = True
    for error in _parts(value, _bare(kind), path):
        is_whole = False
        yield error
    if is_whole:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            yield FieldError(path, "INVALID", str(error).partition(" - at ")[0])


def _parts(value: Any, kind: Any, path: str) -> Iterator[FieldError]:
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _fields(value, kind, path)
    elif isinstance(value, list) and get_origin(kind) in (tuple, list):
        (item, *_) = get_args(kind)
        for index, one in enumerate(value):
            yield from _check(one, item, f"{path}[{index}]")


def _fields(value: dict[str, Any], kind: type[msgspec.Struct], path: str) -> Iterator[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    inside = f"{path}." if path else ""
    for name, field in fields.items():
        if name in value:
            yield from _check(value[name], field.type, inside + name)
        elif field.required:
            yield FieldError(inside + name, "REQUIRED", "this field is missing")
    if kind.__struct_config__.forbid_unknown_fields:
        for name in value.keys() - fields.keys():
            yield FieldError(inside + name, "UNKNOWN_FIELD", "there is no such field")


def _bare(kind: Any) -> Any:
    """Return the type without its constraints and without None."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        some = [one for one in get_args(kind) if one is not type(None)]
        return _bare(some[0]) if len(some) == 1 else kind
    return kind
