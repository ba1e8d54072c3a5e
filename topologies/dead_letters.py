"""Reading the dead-letter topics: what was refused, where it stood and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.record import full_name
from topologies import reading


@dataclass(frozen=True)
class DeadLetter:
    """A refused record. ``at`` names where it stood: topic/partition/offset."""

    at: str
    code: str
    reason: str
    key: str | None
    refused_at_ms: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    def content(self, codec: Codec) -> str:
        """Return the record as this system reads it, or its bytes in hex when it cannot."""
        try:
            record = codec.decode(self.value)
        except (InvalidMessage, Retryable):
            return f"{len(self.value or b'')} bytes: {(self.value or b'').hex()}"
        return f"{full_name(type(record))} {record}"


def read(kafka: str, topics: list[str]) -> Iterator[DeadLetter]:
    """Yield the dead letters of the given dead-letter topics, oldest first per partition.

    One that a worker wrote again after a crash is yielded once.
    """
    seen: set[str] = set()
    for message in reading.read(kafka, topics):
        letter = _letter(message)
        if letter.at not in seen:
            seen.add(letter.at)
            yield letter


def _letter(message: Message) -> DeadLetter:
    headers = tuple((name, bytes(value or b"")) for name, value in message.headers() or ())  # type: ignore[arg-type,str-unpack]  # its stub allows a dict, the library returns pairs
    text = {name: value.decode(errors="replace") for name, value in headers}
    key = message.key()
    return DeadLetter(
        at=f"{text.get('dlq_topic')}/{text.get('dlq_partition')}/{text.get('dlq_offset')}",
        code=text.get("dlq_code", ""),
        reason=text.get("dlq_reason", ""),
        key=key.decode(errors="replace") if key is not None else None,
        refused_at_ms=message.timestamp()[1],
        value=message.value(),
        headers=headers,
    )
