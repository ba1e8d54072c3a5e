"""Reading the dead-letter topics: what was refused, where it stood and why.

A letter that was sent on its way again is followed, in its own partition, by a mark: a record
without a value that names the letter and who did it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import cast

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.record import full_name
from topologies import reading

REDRIVE_OF = "redrive_of"
"""Header of a mark, and of what was sent again: where the letter's record stood first."""
REDRIVEN_BY = "redriven_by"
"""Header of both: the operator's name."""
REDRIVES = "redrives"
"""Header of what was sent again: how often it has been by now. It comes back with the letter when
the record is refused once more."""

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class DeadLetter:
    """A refused record. ``at`` names where it stood: topic/partition/offset.

    ``dlq_partition`` is the partition of the dead-letter topic. ``redriven`` says who sent it again
    and when (epoch ms); None: nobody has.
    """

    at: str
    code: str
    reason: str
    raw_key: bytes | None
    refused_at_ms: int
    value: bytes | None
    headers: Headers
    dlq_partition: int
    redriven: tuple[str, int] | None = None

    @property
    def topic(self) -> str:
        """Return the topic that the record was refused on."""
        return self.at.partition("/")[0]

    @property
    def key(self) -> str | None:
        """Return the key as text."""
        return self.raw_key.decode(errors="replace") if self.raw_key is not None else None

    @property
    def redrives(self) -> int:
        """Return how often the record had been sent again when it was refused this time."""
        count = dict(self.headers).get(REDRIVES, b"")
        return int(count) if count.isdigit() else 0

    def content(self, codec: Codec) -> str:
        """Return the record as this system reads it, or its bytes in hex when it cannot."""
        try:
            record = codec.decode(self.value)
        except (InvalidMessage, Retryable):
            return f"{len(self.value or b'')} bytes: {(self.value or b'').hex()}"
        return f"{full_name(type(record))} {record}"


def read(kafka: str, topics: list[str]) -> list[DeadLetter]:
    """Return the letters of the given dead-letter topics, oldest first per partition.

    One that a worker wrote again after a crash is there once.
    """
    return collect(reading.read(kafka, topics))


def collect(messages: Iterable[Message]) -> list[DeadLetter]:
    """Return the letters among the records of dead-letter topics; a mark goes with its letter."""
    letters: dict[str, DeadLetter] = {}
    for message in messages:
        headers = headers_of(message)
        text = {name: value.decode(errors="replace") for name, value in headers}
        redriven = letters.get(text.get(REDRIVE_OF, "")) if message.value() is None else None
        if redriven is not None and "dlq_topic" not in text:
            mark = (text.get(REDRIVEN_BY, ""), message.timestamp()[1])
            letters[redriven.at] = replace(redriven, redriven=mark)
        elif "dlq_topic" in text:
            letter = _letter(message, headers, text)
            letters.setdefault(letter.at, letter)
    return list(letters.values())


def headers_of(message: Message) -> Headers:
    """Return the headers of a record; a value that is null is empty."""
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return tuple((name, value or b"") for name, value in pairs)


def _letter(message: Message, headers: Headers, text: dict[str, str]) -> DeadLetter:
    return DeadLetter(
        at=f"{text['dlq_topic']}/{text.get('dlq_partition')}/{text.get('dlq_offset')}",
        code=text.get("dlq_code", ""),
        reason=text.get("dlq_reason", ""),
        raw_key=message.key(),
        refused_at_ms=message.timestamp()[1],
        value=message.value(),
        headers=headers,
        dlq_partition=cast(int, message.partition()),
    )
