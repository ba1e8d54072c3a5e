"""Sending dead letters on their way again: judged first, counted, marked, never by accident twice.

A letter from a public way in goes there again. One from an inbox goes through the public way in of
its domain when its record is taken there, so that admission judges it; into the inbox itself only
when the operator says so. What was sent carries who sent it, where the record stood first and how
often it was sent by now; then a mark is put behind the letter (`dead_letters`).

The order is: send, wait until the broker has it, mark. Whoever is stopped in between leaves a
letter that may be sent a second time; intents are idempotent, so that costs a repeat, whereas a
mark without its record would lose the letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from schemas import topics
from schemas.codec import Codec
from schemas.errors import InvalidMessage
from schemas.record import Record
from schemas.topics import Kind
from streams.admission import admit
from streams.engine import cause
from streams.pricing import PriceList
from topologies.appending import Appender
from topologies.dead_letters import REDRIVE_OF, REDRIVEN_BY, REDRIVES, DeadLetter

MAX_REDRIVES = 3
"""How often a record is sent again unless forced: what was refused four times needs a look."""

_OWN = frozenset({cause.HEADER, REDRIVE_OF, REDRIVEN_BY, REDRIVES})
_TOPICS = {topic.name: topic for topic in topics.PUBLIC}

Edit = Callable[[Record], Record]
"""Returns the record to send instead; raises InvalidMessage when it cannot be made."""


class Verdict(StrEnum):
    """What becomes of a letter."""

    READY = "READY"  # it would be admitted today
    ALREADY_REDRIVEN = "ALREADY_REDRIVEN"
    TOO_OFTEN = "TOO_OFTEN"  # refused again and again
    UNREADABLE = "UNREADABLE"
    INBOX_ONLY = "INBOX_ONLY"  # no public way in takes such a record
    REFUSED = "REFUSED"  # admission would refuse it today as well


FORCEABLE = frozenset({Verdict.ALREADY_REDRIVEN, Verdict.TOO_OFTEN, Verdict.REFUSED})


@dataclass(frozen=True)
class Plan:
    """What would become of a letter: ``value`` would go to ``to``, and ``why`` says more."""

    letter: DeadLetter
    verdict: Verdict
    why: str
    to: str = ""
    value: bytes | None = None
    sent: str = ""  # where the record stands now: topic/partition/offset

    def may_go(self, force: bool) -> bool:
        """Tell whether it is to be sent."""
        return self.verdict is Verdict.READY or (force and self.verdict in FORCEABLE)


class Judge:
    """Judges letters by today's admission; ``now_ms`` (epoch ms) is when they would arrive."""

    def __init__(
        self,
        codec: Codec,
        prices: PriceList,
        now_ms: int,
        *,
        edit: Edit | None = None,
        inbox: bool = False,
    ) -> None:
        self._codec = codec
        self._prices = prices
        self._now_ms = now_ms
        self._edit = edit
        self._inbox = inbox

    def plan(self, letter: DeadLetter) -> Plan:
        """Return what would become of a letter.

        Guards, in this order: it cannot be read (or edited); no way in takes it; it was sent again
        already; it was refused too often; admission would refuse it. Raises Retryable when the
        registry has to be asked and is away.
        """
        try:
            record = self._codec.decode(letter.value)
            edited = record if self._edit is None else self._edit(record)
        except InvalidMessage as error:
            return Plan(letter, Verdict.UNREADABLE, f"{error.detail} ({error.code})")
        to = self._way_in(letter, edited)
        if to is None:
            why = f"no way in takes a {type(edited).__name__}: --inbox writes {letter.topic} itself"
            return Plan(letter, Verdict.INBOX_ONLY, why)
        is_same = edited == record and letter.value is not None
        value = letter.value if is_same else self._codec.encode(edited)
        verdict, why = self._judged(letter, edited, to)
        return Plan(letter, verdict, why, to, value)

    def _way_in(self, letter: DeadLetter, record: Record) -> str | None:
        origin = _TOPICS.get(letter.topic)
        if origin is None:
            return None
        if origin.kind is Kind.INTENTS or self._inbox:
            return origin.name
        way_in = _TOPICS.get(f"{origin.name.partition('.')[0]}.{Kind.INTENTS.value}")
        return way_in.name if way_in is not None and type(record) in way_in.records else None

    def _judged(self, letter: DeadLetter, record: Record, to: str) -> tuple[Verdict, str]:
        if letter.redriven is not None:
            return Verdict.ALREADY_REDRIVEN, f"sent again by {letter.redriven[0]} already"
        if letter.redrives >= MAX_REDRIVES:
            return Verdict.TOO_OFTEN, f"sent again {letter.redrives} times, refused every time"
        if _TOPICS[to].kind is not Kind.INTENTS:
            return Verdict.READY, "written to the inbox itself: the stage will judge it"
        try:
            output = admit(record, self._prices, self._now_ms)
        except InvalidMessage as error:
            return Verdict.REFUSED, error.detail
        return Verdict.READY, f"admitted as {type(output.message).__name__} {output.key}"


def send(kafka: str, plans: Sequence[Plan], operator: str) -> Iterator[Plan]:
    """Send each plan's record and mark its letter; yield each plan with where the record stands.

    Raises KafkaException for the first record that the broker does not take.
    """
    append = Appender(kafka).append
    for plan in plans:
        letter = plan.letter
        who: list[tuple[str, str | bytes | None]] = [
            (REDRIVE_OF, letter.at.encode()),
            (REDRIVEN_BY, operator.encode()),
        ]
        count = str(letter.redrives + 1).encode()
        headers = [*_carried(letter), *who, (REDRIVES, count)]
        sent = append(plan.to, letter.raw_key, plan.value, headers)
        at = f"{sent.topic()}/{sent.partition()}/{sent.offset()}"
        dlq = f"{letter.topic}.dlq"
        mark = [*who, ("redriven_to", at.encode())]
        append(dlq, letter.raw_key, None, mark, letter.dlq_partition)
        yield replace(plan, sent=at)


def _carried(letter: DeadLetter) -> Iterator[tuple[str, bytes]]:
    """Yield the headers that the record came with, less the engine's and the dead letter's."""
    for name, value in letter.headers:
        if name not in _OWN and not name.startswith("dlq_"):
            yield name, value
