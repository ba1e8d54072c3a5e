"""What can be wrong with an intent."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from streams.kernel.errors import InvalidMessage


class ProblemCode(StrEnum):
    """Stable names of what is wrong."""

    NOT_AN_INTENT = "NOT_AN_INTENT"
    BAD_SHOP = "BAD_SHOP"
    BAD_USER = "BAD_USER"
    BAD_KEY = "BAD_KEY"
    BAD_FLOW = "BAD_FLOW"
    BAD_CHANNEL = "BAD_CHANNEL"
    BAD_CURRENCY = "BAD_CURRENCY"
    BAD_TRACE = "BAD_TRACE"
    BAD_ORDER_NO = "BAD_ORDER_NO"
    BAD_REASON = "BAD_REASON"
    BAD_UNITS = "BAD_UNITS"  # of a parcel or a refund
    BAD_WAYBILL = "BAD_WAYBILL"
    BAD_OPERATOR = "BAD_OPERATOR"
    BAD_ENTRY = "BAD_ENTRY"  # of a change of stock
    BAD_TERMS = "BAD_TERMS"  # of how units may be held
    BAD_PROMOTION = "BAD_PROMOTION"  # of a grant, an issue or a claim
    BAD_TICKET = "BAD_TICKET"  # of an operator's word on a payment's ticket
    EXPIRED_INTENT = "EXPIRED_INTENT"  # too old, or from the future
    EMPTY_CART = "EMPTY_CART"
    TOO_MANY_LINES = "TOO_MANY_LINES"
    BAD_QUANTITY = "BAD_QUANTITY"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    UNUSABLE_COUPON = "UNUSABLE_COUPON"
    PRICE_CHANGED = "PRICE_CHANGED"


class Problem(NamedTuple):
    """One bad field and what to do about it."""

    code: ProblemCode
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail} ({self.code})"


class InvalidIntent(InvalidMessage):
    """Everything that is wrong with an intent; ``code`` is that of the first problem."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems[0].code, "; ".join(str(problem) for problem in problems))
        self.problems = problems
