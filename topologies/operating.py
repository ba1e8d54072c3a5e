"""An operator's hand on an order: an intent like any other, and what the log says of it.

Nothing is written but the intent. The answer is found by cause: the command in the inbox that
admission made of the intent, and the facts that the orders stage made of the command.
"""

from __future__ import annotations

import time
from typing import NamedTuple, cast

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.order import OperateOrder, OperatorAction
from schemas.topics import ORDER_COMMANDS, ORDER_EVENTS, ORDER_INTENTS
from topologies import reading
from topologies.appending import Appender
from topologies.dead_letters import headers_of
from topologies.explain.history import Distinct, Event, Place, decoded, keyed
from topologies.explain.kafka_log import KafkaLog, stored

_MORE_S = 0.2  # facts of one command are written together


class Answer(NamedTuple):
    """What became of an intent that stands at ``intent``.

    ``facts`` are what the orders stage made of it; without any, ``refused`` says why admission
    refused it, or else ``is_taken`` whether the stage's inbox has it.
    """

    intent: Place
    facts: tuple[Event, ...] = ()
    refused: str = ""
    is_taken: bool = False


def operate(
    kafka: str,
    codec: Codec,
    order_no: str,
    action: OperatorAction,
    operator: str,
    reason: str,
    wait_s: float,
) -> Answer | None:
    """Ask for ``action`` and wait up to ``wait_s`` for the answer; None: there is no such order.

    Raises KafkaException when the broker does not take the intent.
    """
    log = KafkaLog(kafka)
    known = [e.record for e in keyed(log, codec, (ORDER_EVENTS,), (order_no,)) if e.record]
    if not known:
        return None
    shop_id, trace_id = known[-1].shop_id, known[-1].trace_id  # type: ignore[attr-defined]  # every fact of an order has both
    message = OperateOrder(order_no, shop_id, operator, action, reason, trace_id)
    names = (ORDER_COMMANDS.name, ORDER_EVENTS.name, ORDER_INTENTS.dead_letters)
    places = {(name, log.partition_of(name, order_no)) for name in names}
    ends = {place: span.end for place, span in reading.spans(kafka, names).items()}
    with reading.Reader(kafka, {place: ends[place] for place in places}) as reader:
        intent = _send(kafka, order_no, codec.encode(message))
        return _answer(reader, Distinct(log), codec, intent, wait_s)


def _answer(
    reader: reading.Reader, read: Distinct, codec: Codec, intent: Place, wait_s: float
) -> Answer:
    until_s = time.monotonic() + wait_s
    answer = Answer(intent)
    while time.monotonic() < until_s:
        for message in reader.batch():
            refused = _refusal(message, intent)
            if refused is not None:
                return answer._replace(refused=refused)
            _take(read, codec, message)
        command = next((e.place for e in read.events if e.source == intent), None)
        facts = tuple(
            e
            for e in read.events
            if e.source == command and e.place.topic == ORDER_EVENTS.name and command is not None
        )
        if facts and not answer.facts:
            until_s = min(until_s, time.monotonic() + _MORE_S)
        answer = Answer(intent, facts, is_taken=command is not None)
    return answer


def _take(read: Distinct, codec: Codec, message: Message) -> None:
    topic, partition = cast(str, message.topic()), cast(int, message.partition())
    read.take(topic, partition, stored(message), decoded(codec, message.value()))


def _refusal(message: Message, intent: Place) -> str | None:
    """Return why admission refused the intent; None: this is no such dead letter."""
    text = {name: value.decode(errors="replace") for name, value in headers_of(message)}
    at = f"{text.get('dlq_topic')}/{text.get('dlq_partition')}/{text.get('dlq_offset')}"
    return text.get("dlq_reason", "") if at == str(intent) else None


def _send(kafka: str, key: str, value: bytes) -> Place:
    sent = Appender(kafka).append(ORDER_INTENTS.name, key.encode(), value)
    return Place(ORDER_INTENTS.name, sent.partition() or 0, sent.offset() or 0)
