"""Rules of single fields that several intents share."""

from __future__ import annotations

import re

from streams.admission.identity import ALPHABET, ORDER_NO_LENGTH
from streams.admission.problems import Problem, ProblemCode

MAX_REASON_LENGTH = 200
"""Characters of a reason. It travels in facts that other companies read: a code or a short phrase,
no place for a letter or for personal data."""

_ORDER_NO = re.compile(f"[{ALPHABET}]{{{ORDER_NO_LENGTH}}}")
_TRACE_ID = re.compile("(?!0{32})[0-9a-f]{32}")  # W3C trace context: not all zeros
_CHANNEL = re.compile("[A-Za-z0-9_.-]{1,32}")
_CURRENCY = re.compile("[A-Z]{3}")
_WAREHOUSE = re.compile("[A-Za-z0-9_.-]{1,32}")


def check_owner(shop_id: int, user_id: int, problems: list[Problem]) -> None:
    """Check whose the intent is."""
    if shop_id < 1:
        problems.append(Problem(ProblemCode.BAD_SHOP, "shop_id", "send the shop's id, 1 or more"))
    if user_id < 1:
        problems.append(Problem(ProblemCode.BAD_USER, "user_id", "send the buyer's id, 1 or more"))


def check_trace(trace_id: str, problems: list[Problem]) -> None:
    """Check a trace id; an empty one will be derived."""
    if trace_id and not _TRACE_ID.fullmatch(trace_id):
        problems.append(
            Problem(
                ProblemCode.BAD_TRACE,
                "trace_id",
                "send 32 lower-case hex digits that are not all 0, or leave it empty",
            )
        )


def check_order_no(order_no: str, problems: list[Problem]) -> None:
    """Check the form of an order number; whether there is such an order the stage knows."""
    if not _ORDER_NO.fullmatch(order_no):
        problems.append(
            Problem(
                ProblemCode.BAD_ORDER_NO,
                "order_no",
                f"send the {ORDER_NO_LENGTH} characters that OrderPlaced carries",
            )
        )


def check_channel(channel: str, field: str, problems: list[Problem]) -> None:
    """Check the form of a payment channel; whether there is such a one the payments stage knows."""
    if not _CHANNEL.fullmatch(channel):
        problems.append(
            Problem(
                ProblemCode.BAD_CHANNEL,
                field,
                "send the name of a payment channel: 1 to 32 letters, digits, '_', '.' or '-'",
            )
        )


def check_currency(currency: str, problems: list[Problem]) -> None:
    """Check the form of a currency code."""
    if not _CURRENCY.fullmatch(currency):
        problems.append(
            Problem(ProblemCode.BAD_CURRENCY, "currency", "send an ISO 4217 code such as CNY")
        )


def check_warehouse(
    warehouse_id: str, field: str, code: ProblemCode, problems: list[Problem]
) -> None:
    """Check the form of a warehouse's id; whether there is such a one the inventory stage knows."""
    if not _WAREHOUSE.fullmatch(warehouse_id):
        detail = "send the warehouse's id: 1 to 32 letters, digits, '_', '.' or '-'"
        problems.append(Problem(code, field, detail))


def check_reason(
    reason: str, code: ProblemCode, problems: list[Problem], field: str = "reason"
) -> None:
    """Check a reason: it may be empty."""
    if len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
        problems.append(
            Problem(code, field, f"send at most {MAX_REASON_LENGTH} printable characters")
        )
