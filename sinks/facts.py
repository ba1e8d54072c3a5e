"""From messages of Kafka to the facts that a sink wants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from confluent_kafka import Message

from schemas.codec import PREFIX_BYTES, Codec
from schemas.errors import InvalidMessage
from schemas.record import Record
from sinks.sink import Fact


class UnreadableFact(Exception):
    """A fact that this version cannot read; only this system writes facts, so this is no accident.

    Nothing is passed over: the sink stops, and goes on from there when a newer version runs.
    """


class FactReader:
    """Decodes the facts of ``wanted`` types; the others cost a look at their first bytes."""

    def __init__(self, codec: Codec, wanted: frozenset[type[Record]]) -> None:
        self._codec = codec
        self._wanted = wanted
        self._is_wanted: dict[bytes, bool] = {}  # by the prefix, which names the schema

    def read(self, messages: Iterable[Message]) -> list[Fact]:
        """Return the wanted facts among ``messages``.

        Raises UnreadableFact, and Retryable when the registry must be asked and is away.
        """
        facts = []
        for message in messages:
            value = message.value() or b""
            if self._is_wanted.get(value[:PREFIX_BYTES], True):
                fact = self._fact(message, value)
                if fact is not None:
                    facts.append(fact)
        return facts

    def _fact(self, message: Message, value: bytes) -> Fact | None:
        topic, partition = cast(str, message.topic()), cast(int, message.partition())
        offset = cast(int, message.offset())
        try:
            record = self._codec.decode(value)
        except InvalidMessage as error:
            raise UnreadableFact(f"{topic} {partition}, offset {offset}: {error}") from error
        is_wanted = self._is_wanted[value[:PREFIX_BYTES]] = type(record) in self._wanted
        return Fact(record, topic, partition, offset, message.timestamp()[1]) if is_wanted else None
