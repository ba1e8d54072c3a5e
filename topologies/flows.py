"""The flows: which there are, and their topics and records."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schemas import topics
from schemas.record import Record
from schemas.stream import Progress
from schemas.topics import Topic
from streams.alerts.flow import AlertsFlow
from streams.alerts.rules import DEFAULT, AnyRule
from streams.engine.flow_fold import changelog_of, entities
from streams.kernel.flow import Flow
from streams.windows.sales import SalesFlow
from streams.windows.stock import StockFlow

NAMES = ("sales", "stock", "alerts")
EMIT_MS = {"sales": 250, "stock": 500, "alerts": 0}
"""Alerts go at once; rows of windows may wait until a person could see the difference."""


def make(name: str, rules: Iterable[AnyRule] = DEFAULT) -> Flow:
    """Return the flow called ``name``; ``rules`` are those of the alerts."""
    made: dict[str, Callable[[], Flow]] = {
        "sales": SalesFlow,
        "stock": StockFlow,
        "alerts": lambda: AlertsFlow(rules),
    }
    return made[name]()


def changelogs() -> tuple[Topic, ...]:
    """Return the topics that keep the flows' states."""
    return tuple(changelog_of(make(name)) for name in NAMES)


def state_records() -> tuple[type[Record], ...]:
    """Return the kinds of state record of all flows."""
    return tuple(dict.fromkeys(kind for name in NAMES for kind in entities(make(name))))


def records_of(flow: Flow) -> tuple[type[Record], ...]:
    """Return every record type that a process of ``flow`` reads or writes."""
    rows = [
        kind
        for topic in topics.PUBLIC
        if topic.kind is topics.Kind.REPORT or topic is topics.ALERT_EVENTS
        for kind in topic.records
    ]
    facts = [kind for topic in flow.sources for kind in topic.records]
    return tuple(dict.fromkeys((*facts, *rows, *entities(flow), Progress)))
