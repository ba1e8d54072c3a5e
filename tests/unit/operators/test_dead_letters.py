"""Letters and the marks behind them, as they stand in a dead-letter topic."""

from __future__ import annotations

from confluent_kafka import Message

from topologies.dead_letters import DeadLetter, collect

AT = "order.intents/1/7"
_NO_FIGURE = 0.0


def record(offset: int, value: bytes | None, **headers: str) -> Message:
    """A record of order.intents.dlq, written at ``offset`` s."""
    return Message(
        topic="order.intents.dlq",
        partition=2,
        offset=offset,
        key=b"key",
        value=value,
        headers=[(name, text.encode()) for name, text in headers.items()],
        timestamp=(1, offset * 1_000),
        latency=_NO_FIGURE,
    )


def letter(offset: int, at: int = 7, value: bytes | None = b"bytes", **headers: str) -> Message:
    why = {"dlq_code": "BAD_KEY", "dlq_reason": "client_key: send one"}
    where = {"dlq_topic": "order.intents", "dlq_partition": "1", "dlq_offset": str(at)}
    return record(offset, value, **headers, **where, **why)


def mark(offset: int, at: str = AT) -> Message:
    return record(offset, None, redrive_of=at, redriven_by="mei", redriven_to="order.intents/1/9")


def test_a_letter_says_where_the_record_stood_and_why_it_was_refused() -> None:
    (found,) = collect([letter(3)])
    assert found == DeadLetter(
        at=AT,
        code="BAD_KEY",
        reason="client_key: send one",
        raw_key=b"key",
        refused_at_ms=3_000,
        value=b"bytes",
        headers=found.headers,
        dlq_partition=2,
        redriven=None,
    )
    assert (found.topic, found.key, found.redrives) == ("order.intents", "key", 0)


def test_a_letter_that_a_worker_wrote_again_is_there_once() -> None:
    (found,) = collect([letter(3), letter(4)])
    assert found.refused_at_ms == 3_000


def test_a_mark_says_who_sent_the_letter_again_and_is_no_letter_itself() -> None:
    found = collect([letter(3), letter(4, at=8), mark(5)])
    assert [(one.at, one.redriven) for one in found] == [
        (AT, ("mei", 5_000)),
        ("order.intents/1/8", None),
    ]


def test_a_mark_whose_letter_is_gone_marks_nothing() -> None:
    assert collect([mark(5)]) == []


def test_a_record_without_a_value_can_be_a_letter() -> None:
    (found,) = collect([letter(3, value=None)])
    assert found.value is None


def test_a_record_refused_once_more_brings_back_how_often_it_was_sent() -> None:
    again = letter(6, at=9, redrive_of=AT, redriven_by="mei", redrives="1")
    found = collect([letter(3), mark(5), again])
    assert [(one.at, one.redrives, one.redriven) for one in found] == [
        (AT, 0, ("mei", 5_000)),
        ("order.intents/1/9", 1, None),
    ]
