"""Which line of a story led to which: the causes in the headers, less the plumbing between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from schemas.payment import (
    GatewayReport,
    PaymentQueried,
    PaymentRequested,
    RefundQueried,
    RefundRequested,
)
from schemas.record import Record
from schemas.topics import PUBLIC, Kind
from topologies.explain.history import Event, Place
from topologies.explain.words import OUTSIDERS, REQUESTS, WORDS

_FACTS = frozenset(topic.name for topic in PUBLIC if topic.kind is Kind.EVENTS)


def is_told(event: Event) -> bool:
    """Tell whether an event is a line of a story: a fact, a refusal, or a word from outside.

    What stages ask of one another and answer (commands, and facts as replies) is plumbing.
    """
    if event.refused is not None or event.place.topic in _FACTS:
        return True
    words = WORDS.get(type(event.record).__name__)
    return words is not None and words.who in OUTSIDERS


class Causes:
    """Answers, for the events of one history, what each of them followed from."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._at: dict[Place, Event] = {}
        self._made: defaultdict[Place, list[Event]] = defaultdict(list)  # by what a record made
        self._asked: defaultdict[str, list[Event]] = defaultdict(list)  # of the gateway, by number
        self._again: set[Place] = set()  # commands that ask once more what was asked before
        asked_before: set[tuple[str, Record]] = set()
        for event in sorted(events, key=lambda event: event.place):
            self._at[event.place] = event
            if event.record is not None and not is_told(event):
                asked = (event.place.topic, event.record)
                if asked in asked_before:
                    self._again.add(event.place)
                asked_before.add(asked)
            if event.source is not None:
                self._made[event.source].append(event)
            if isinstance(event.record, PaymentRequested | PaymentQueried):
                self._asked[event.record.pay_no].append(event)
            elif isinstance(event.record, RefundRequested | RefundQueried):
                self._asked[event.record.refund_no].append(event)
        for outputs in self._made.values():
            outputs.sort(key=lambda event: event.output)

    def is_told(self, event: Event) -> bool:
        """Tell whether an event is a line of the story: also what a stage had to ask again."""
        return is_told(event) or self.is_again(event)

    def is_again(self, event: Event) -> bool:
        """Tell whether an event is what a stage asked of another once more, word by word."""
        return event.place in self._again and type(event.record).__name__ in REQUESTS

    def of(self, event: Event) -> Event | None:
        """Return the told event that ``event`` followed from; None: from outside, or by time."""
        if isinstance(event.record, GatewayReport) and event.refused is None:
            return self._question(event, event.record.refund_no or event.record.pay_no)
        source = self._at.get(event.source) if event.source is not None else None
        return None if source is None else self._told(source)

    def _question(self, answer: Event, number: str) -> Event | None:
        """Return what the gateway was last asked about ``number`` before its answer came.

        The two are stamped by different clocks: an answer that seems to be ahead of every question
        belongs to the first.
        """
        asked = self._asked[number]
        before = [event for event in asked if event.at_ms <= answer.at_ms]
        return before[-1] if before else next(iter(asked), None)

    def is_by_time(self, event: Event) -> bool:
        """Tell whether an event followed from nothing that concerns the order: a timer made it."""
        is_made = event.place.topic in _FACTS or self.is_again(event)
        return is_made and event.source is not None and self.of(event) is None

    def followed(self, event: Event) -> bool:
        """Tell whether anything came of an inbox record at once."""
        return event.place in self._made

    def _told(self, source: Event) -> Event | None:
        """Return the told event that an inbox record stands for or followed from."""
        if self.is_told(source):
            return source
        if source.source is None:
            return None
        siblings = self._made[source.source]
        twin = _twin(source.record, siblings)
        if twin is not None:
            return twin
        # A command follows from the fact before it among the outputs of one record.
        before = [e for e in siblings if e.output < source.output and e.place.topic in _FACTS]
        if before:
            return before[-1]
        beyond = self._at.get(source.source)
        return None if beyond is None else self._told(beyond)


def _twin(record: Record | None, siblings: list[Event]) -> Event | None:
    """Return the public fact that ``record`` repeats as a reply."""
    return next((e for e in siblings if e.place.topic in _FACTS and e.record == record), None)
