"""Fills a sentence of ``words`` from a record."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from schemas.order import Refusal
from schemas.payment import GatewayReport, GatewayStatus
from schemas.record import Record
from topologies.explain.reasons import in_words
from topologies.explain.words import HANDS, REQUESTS, WORDS, Who

CNY = "CNY"
_SIGNS = {CNY: "¥", "USD": "$", "EUR": "€"}  # two decimals each
_ENVELOPE = frozenset({"order_no", "version", "shop_id", "user_id", "trace_id", "currency"})


def money(fen: int, currency: str = CNY) -> str:
    """Return minor units as people write them: ``¥39.98``."""
    yuan, cents = divmod(abs(fen), 100)
    sign = "-" if fen < 0 else ""
    symbol = _SIGNS.get(currency)
    amount = f"{yuan:,}.{cents:02d}"
    return f"{sign}{symbol}{amount}" if symbol else f"{sign}{amount} {currency}"


def clock(ms: int) -> str:
    """Return the UTC time of day with milliseconds: ``10:15:00.250``."""
    return f"{_utc(ms):%H:%M:%S}.{ms % 1000:03d}"


def day(ms: int) -> str:
    """Return the UTC date: ``2026-11-24``."""
    return f"{_utc(ms):%Y-%m-%d}"


def span(ms: int) -> str:
    """Return a length of time, rounded down to its two largest units: ``15 min``, ``2 h 5 min``."""
    if ms < 1_000:
        return f"{ms} ms"
    seconds = ms // 1_000
    for unit, name, lower, lower_name in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= unit:
            rest = seconds % unit // lower
            return f"{seconds // unit} {name}" + (f" {rest} {lower_name}" if rest else "")
    return f"{seconds} s"


def refusal(one: Refusal) -> str:
    """Return what could not be held and why, in words."""
    why = in_words(one.reason)
    return f"{one.requested} of {_named(one.resource_id)} ({why}, {one.available} to be had)"


def _named(resource_id: str) -> str:
    return f"sku {resource_id}" if resource_id.isdecimal() else resource_id


def sentence(record: Record, currency: str = CNY) -> tuple[Who, str]:
    """Return who says ``record`` and what; ``currency`` is that of its order.

    A record without words is told by its name and fields. KeyError: nobody's fact.
    """
    words = WORDS.get(type(record).__name__)
    if words is None:
        return speaker(type(record)), _generic(record, currency)
    return words.who, _Sentence(record, currency).format(words.says)


def again(command: Record, stage: str) -> str:
    """Return what the orders stage says when it asks ``stage`` once more."""
    sku_id = getattr(command, "sku_id", None)
    resource_id = getattr(command, "resource_id", None)
    if resource_id is not None:
        return f"asks {stage}s again {REQUESTS[type(command).__name__]} ({resource_id})"
    what = REQUESTS.get(type(command).__name__, type(command).__name__)
    return f"asks {stage} again {what}" + (f" (sku {sku_id})" if sku_id is not None else "")


def speaker(kind: type[Record]) -> Who:
    """Return whose records ``kind`` belongs to, by the module that declares it."""
    return {
        "order": Who.ORDERS,
        "inventory": Who.INVENTORY,
        "payment": Who.PAYMENTS,
        "resource": Who.PROMOTIONS,
    }[kind.__module__.rpartition(".")[2]]


class _Sentence(string.Formatter):
    """A template's fields are those of one record."""

    def __init__(self, record: Record, currency: str) -> None:
        self._record: Any = record
        self._currency = getattr(record, "currency", "") or currency

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        record = self._record
        if field_name == "left":
            return record.on_hand - record.held, field_name
        if field_name == "movement":
            return record, field_name
        return getattr(record, field_name), field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == "money":
            return money(value, self._currency)
        special = FORMATS.get(format_spec)
        return special(value, self._currency) if special else str(format(value, format_spec))


def _goods(parts: Sequence[Any], currency: str) -> str:
    return ", ".join(_part(part, currency) for part in parts) or "nothing"


def _part(part: Any, currency: str) -> str:
    if isinstance(part, Refusal):
        return refusal(part)
    amount = getattr(part, "amount", None)
    if amount is not None:
        return f"{amount} of {_named(part.resource_id)}"
    price = getattr(part, "unit_price_fen", None)
    return f"{part.qty} of sku {part.sku_id}" + (
        f" at {money(price, currency)}" if price is not None else ""
    )


_STATUS: Mapping[GatewayStatus, str] = {
    GatewayStatus.PENDING: "is on its way",
    GatewayStatus.UNKNOWN: "is not known to it for sure",
    GatewayStatus.FAILED: "failed",
    GatewayStatus.CLOSED: "was closed without money",
}


def _report(report: GatewayReport, currency: str) -> str:
    what = f"refund {report.refund_no}" if report.refund_no else f"payment {report.pay_no}"
    if report.status != GatewayStatus.SUCCEEDED:
        return f"{what} {_STATUS.get(report.status, report.status)}"
    done = "went back" if report.refund_no else "was paid"
    return f"{money(report.amount_fen, currency)} {done} ({what}, {report.gateway_txn_no})"


FORMATS: Mapping[str, Callable[[Any, str], str]] = {
    "clock": lambda ms, _: clock(ms)[:8],
    "why": lambda reason, _: in_words(reason),
    "goods": _goods,
    "units": lambda units, currency: _goods(units, currency) if units else "everything",
    "hand": lambda action, _: HANDS.get(action, action),
    "report": _report,
    "request": lambda name, _: REQUESTS.get(name, name),
}


def _generic(record: Record, currency: str) -> str:
    """Tell a record by its name, what it says of itself, and its own fields."""
    doc = (type(record).__doc__ or "").strip().partition("\n")[0].rstrip(".")
    fields = []
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name in _ENVELOPE or value in ("", None, ()):
            continue
        if name.endswith("_fen"):
            text = money(value, getattr(record, "currency", "") or currency)
        elif name.endswith("_ms"):
            text = clock(value)[:8]
        elif isinstance(value, tuple):
            text = _listed(value, currency)
        else:
            text = str(value)
        fields.append(f"{name.removesuffix('_fen').removesuffix('_at_ms')} {text}")
    return f"{type(record).__name__}: {doc}" + (f" ({', '.join(fields)})" if fields else "")


def _listed(values: tuple[Any, ...], currency: str) -> str:
    is_goods = all(hasattr(value, "sku_id") or hasattr(value, "resource_id") for value in values)
    return _goods(values, currency) if is_goods else ", ".join(map(str, values))


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1_000, UTC)
