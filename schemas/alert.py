"""Alerts about stock (``alert.events``), and the rules that raise them.

An alert is raised once and cleared once; ``alert_id`` names it for all time. Units are units of the
sku, times epoch milliseconds UTC.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.record import Record


class AlertKind(StrEnum):
    """What a rule watches for."""

    BELOW_THRESHOLD = "BELOW_THRESHOLD"  # less available than a fixed number
    BELOW_SAFETY_STOCK = "BELOW_SAFETY_STOCK"  # less than the demand until goods can come
    STOCK_OUT_AHEAD = "STOCK_OUT_AHEAD"  # at today's speed it will be sold out soon
    SUDDEN_VELOCITY = "SUDDEN_VELOCITY"  # it sells much faster than before
    OVERSOLD = "OVERSOLD"  # something is negative: a promise of the system is broken
    STUCK_HOLD = "STUCK_HOLD"  # a hold that has expired still holds


class Severity(StrEnum):
    """How soon somebody should look."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class AlertRaised(Record, frozen=True):
    """``value`` has passed ``limit``; what they count is said by ``kind`` and told in ``summary``.

    ``topic``, ``partition`` and ``offset`` are the fact that did it; -1: time did it.
    """

    alert_id: str
    version: int
    rule_id: str
    kind: AlertKind
    severity: Severity
    shop_id: int
    sku_id: int
    value: int
    limit: int
    available: int
    summary: str
    raised_at_ms: int
    topic: str
    partition: int
    offset: int
    trace_id: str


class AlertCleared(Record, frozen=True):
    """What the alert told of is over; ``raised_at_ms`` is when it began."""

    alert_id: str
    version: int
    rule_id: str
    kind: AlertKind
    severity: Severity
    shop_id: int
    sku_id: int
    value: int
    limit: int
    available: int
    summary: str
    raised_at_ms: int
    cleared_at_ms: int
    trace_id: str
