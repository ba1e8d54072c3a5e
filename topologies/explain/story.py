"""One order's history as lines that a support person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.record import Record
from topologies.explain.causes import Causes
from topologies.explain.ending import Ending, ending
from topologies.explain.history import Event, Place
from topologies.explain.sentences import CNY, again, sentence
from topologies.explain.words import REQUESTS, Who


class Line(NamedTuple):
    """One line. ``because`` is the number of the line that led to it, 0: none.

    ``since_ms`` is the time since the line before. ``by_time``: a timer made it.
    """

    number: int
    at_ms: int
    since_ms: int
    who: Who
    says: str
    because: int
    by_time: bool
    event: Event


class Story(NamedTuple):
    """What happened to an order; ``trace_ids`` has one, unless a client sent others later."""

    order_no: str
    ending: Ending
    trace_ids: tuple[str, ...]
    lines: tuple[Line, ...]


def tell(order_no: str, events: Sequence[Event], now_ms: int) -> Story:
    """Return the story of ``events``; ``now_ms`` is the reader's time, for how long it waits."""
    causes = Causes(events)
    told = _in_order([event for event in events if causes.is_told(event)], causes)
    numbers = {event.place: number for number, event in enumerate(told, 1)}
    currency = _currency(told)
    lines: list[Line] = []
    before_ms = told[0].at_ms if told else 0
    for number, event in enumerate(told, 1):
        who, says = _said(event, currency, causes)
        led = causes.of(event)
        because = numbers.get(led.place, 0) if led is not None else 0
        since_ms = max(0, event.at_ms - before_ms)
        by_time = causes.is_by_time(event)
        lines.append(Line(number, event.at_ms, since_ms, who, says, because, by_time, event))
        before_ms = max(before_ms, event.at_ms)
    traces = dict.fromkeys(t for e in told if (t := getattr(e.record, "trace_id", "")))
    return Story(order_no, ending(order_no, told, now_ms), tuple(traces), tuple(lines))


def _in_order(told: Sequence[Event], causes: Causes) -> list[Event]:
    """Order by time, but never an effect before its cause.

    The broker stamps inboxes and the workers stamp facts, so two clocks take part; and what happens
    within one millisecond is ordered by how far it is from its beginning.
    """
    known: dict[Place, tuple[int, int]] = {}

    def moment(event: Event) -> tuple[int, int]:
        if event.place not in known:
            known[event.place] = (event.at_ms, 0)  # until its cause is known: a loop ends here
            led = causes.of(event)
            if led is not None:
                led_ms, depth = moment(led)
                known[event.place] = (max(event.at_ms, led_ms), depth + 1)
        return known[event.place]

    return sorted(told, key=lambda event: (*moment(event), event.output, event.place))


def _said(event: Event, currency: str, causes: Causes) -> tuple[Who, str]:
    record = event.record
    if event.refused is not None:
        return _refusal(record, event.refused)
    if record is None:
        return Who.ADMISSION, "a record that this version cannot read"
    if causes.is_again(event):
        return Who.ORDERS, again(record, event.place.topic.partition(".")[0])
    who, says = sentence(record, currency)
    if who is Who.BUYER and not causes.followed(event):
        says += " (nothing followed at once)"
    return who, says


def _refusal(record: Record | None, refused: tuple[str, str]) -> tuple[Who, str]:
    code, reason = refused
    name = type(record).__name__
    what = "a message that nobody can read" if record is None else REQUESTS.get(name, name)
    return Who.ADMISSION, f"refuses {what}: {reason or code}"


def _currency(told: Sequence[Event]) -> str:
    return next((c for e in told if (c := getattr(e.record, "currency", ""))), CNY)
