"""The schema registry: register by command, look up at start, ask for what is unknown.

Subjects follow RecordNameStrategy: the record's full name is the subject, so a record has one
compatibility history on all topics. The registry speaks Confluent's API (Apicurio: its ``ccompat``
base URL). Nothing is ever registered by a producer on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import httpx2
import orjson
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas import topics
from schemas.codec import Codec
from schemas.derivation import canonical
from schemas.errors import Retryable
from schemas.record import Record, full_name

_NOT_FOUND = 404
_CONFLICT = 409


class SchemasMissing(Exception):
    """Schemas of this version are not registered: ``orderstream schemas register`` does it."""


class Registered(NamedTuple):
    """The result of registering one record type."""

    name: str
    schema_id: int
    is_new: bool


def public_records() -> tuple[type[Record], ...]:
    """Return every record type of the public topics, each once, in a fixed order."""
    return tuple(dict.fromkeys(kind for topic in topics.PUBLIC for kind in topic.records))


class Registry:
    """A registry at ``url``, the base of Confluent's API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = SchemaRegistryClient({"url": url})

    def register(self, kinds: Iterable[type[Record]]) -> list[Registered]:
        """Register what is missing; demand BACKWARD compatibility of every new version.

        Raises ValueError naming the record whose schema is not compatible.
        """
        self._client.set_compatibility(level="BACKWARD")
        results = []
        for kind in kinds:
            known = self._find(kind)
            if known is None:
                try:
                    schema_id = self._client.register_schema(full_name(kind), _schema(kind))
                except SchemaRegistryError as error:
                    if error.http_status_code == _CONFLICT:
                        raise ValueError(
                            f"{full_name(kind)} is not backward compatible with its last version: "
                            "give new fields a default, never change a type"
                        ) from error
                    raise
                results.append(Registered(full_name(kind), schema_id, True))
            else:
                results.append(Registered(full_name(kind), known, False))
        return results

    def codec(self, kinds: Iterable[type[Record]]) -> Codec:
        """Return a codec for ``kinds``; raise SchemasMissing when one is not registered."""
        ids = {kind: self._find(kind) for kind in kinds}
        missing = [full_name(kind) for kind, schema_id in ids.items() if schema_id is None]
        if missing:
            raise SchemasMissing(
                f"{len(missing)} schemas are not registered at {self.url} (first: {missing[0]}); "
                "run: orderstream schemas register"
            )
        return Codec({k: i for k, i in ids.items() if i is not None}, self.schema)

    def schema(self, schema_id: int) -> dict[str, Any] | None:
        """Return the schema of an id, None when there is none; Retryable when out of reach."""
        try:
            text = self._client.get_schema(schema_id).schema_str
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            raise Retryable(f"the schema registry answers {error}") from error
        except (OSError, httpx2.HTTPError) as error:
            raise Retryable(f"the schema registry is away: {error}") from error
        schema: dict[str, Any] = orjson.loads(text or "{}")
        return schema

    def _find(self, kind: type[Record]) -> int | None:
        try:
            found = self._client.lookup_schema(full_name(kind), _schema(kind))
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND:
                return None
            raise
        return found.schema_id


def connected_codec(url: str, kinds: Iterable[type[Record]] | None = None) -> Codec:
    """Return a codec for ``kinds`` (default: every public record) by the registry at ``url``."""
    return Registry(url).codec(public_records() if kinds is None else kinds)


def _schema(kind: type[Record]) -> Schema:
    return Schema(canonical(kind), "AVRO")
