"""The names that conditions may use, and their values for one cart."""

from __future__ import annotations

from streams.pricing.expression import Kind, Name, Vocabulary

_DAY_MS = 24 * 3600 * 1000
_HOUR_MS = 3600 * 1000
_MINUTE_MS = 60 * 1000

ITEM: Vocabulary = {
    "item.sku_id": Name(0, Kind.INT),
    "item.category": Name(1, Kind.TEXT),
    "item.unit_price_fen": Name(2, Kind.INT),
    "item.units": Name(3, Kind.INT, low=1),
    "item.fen": Name(4, Kind.INT),
}
"""Of one good of the cart, all its lines together, at list prices: what a rule is about."""

CART: Vocabulary = {
    # goods of the rule: those that its ``items`` are about
    "items.fen": Name(0, Kind.INT),
    "items.units": Name(1, Kind.INT, low=1),
    "items.kinds": Name(2, Kind.INT, low=1),
    # the whole cart
    "cart.fen": Name(3, Kind.INT),
    "cart.units": Name(4, Kind.INT, low=1),
    "cart.kinds": Name(5, Kind.INT, low=1),
    "cart.skus": Name(6, Kind.INTS),
    "cart.categories": Name(7, Kind.TEXTS),
    "cart.freight_fen": Name(8, Kind.INT),
    # who buys, when and how
    "member.level": Name(9, Kind.INT),
    "member.growth": Name(10, Kind.INT),
    "member.orders": Name(11, Kind.INT),
    "member.tags": Name(12, Kind.TEXTS),
    "time.hour": Name(13, Kind.INT, high=23),
    "time.weekday": Name(14, Kind.INT, low=1, high=7),  # Monday is 1
    "time.day": Name(15, Kind.INT, low=1, high=31),
    "time.month": Name(16, Kind.INT, low=1, high=12),
    "channel": Name(17, Kind.TEXT),
    "flow": Name(18, Kind.TEXT),
}
"""Of the cart and its buyer: ``when`` a rule holds."""

ITEMS_FEN, ITEMS_UNITS, ITEMS_KINDS, CART_FEN = 0, 1, 2, 3

MOVING = frozenset({"items.fen", "cart.fen"})
"""Amounts: discounts make them less."""

GROWING = {
    "items.fen": "fen",
    "cart.fen": "fen",
    "items.units": "units",
    "cart.units": "units",
    "items.kinds": "kinds",
    "cart.kinds": "kinds",
}
"""What a buyer can bring about by buying more, and the unit in which it is counted."""


def calendar(now_ms: int, utc_offset_minutes: int) -> tuple[int, int, int, int]:
    """Return hour, weekday (Monday is 1), day of the month and month at an epoch time.

    Civil dates by Howard Hinnant's ``civil_from_days`` (chrono-Compatible Low-Level Date
    Algorithms, https://howardhinnant.github.io/date_algorithms.html).
    """
    local_ms = now_ms + utc_offset_minutes * _MINUTE_MS
    days, of_day_ms = divmod(local_ms, _DAY_MS)
    of_era = (days + 719_468) % 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153  # from March
    day = of_year - (153 * month + 2) // 5 + 1
    weekday = (days + 3) % 7 + 1  # 1970-01-01 was a Thursday
    return of_day_ms // _HOUR_MS, weekday, day, month + 3 if month < 10 else month - 9
