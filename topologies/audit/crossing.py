"""The laws that join orders with their stock and their money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from topologies.audit.laws import NOWHERE, Findings, Law
from topologies.audit.orders import ENDED_UNPAID, PAID, Order, OrderBook
from topologies.audit.payments import PaymentBook, Payments
from topologies.audit.promotions import PromotionBook
from topologies.audit.stock import OPEN, Hold, StockBook

Owed: TypeAlias = Mapping[str, int]
"""Order -> fen of surplus money that a human has yet to give back."""


def judge_now(orders: OrderBook, payments: PaymentBook, findings: Findings) -> None:
    """Judge what no later fact can mend: an OrderPaid that contradicts the payment it names."""
    for order_no, order in orders.orders.items():
        known = payments.orders.get(order_no)
        attempt = known.attempts.get(order.pay_no) if known is not None else None
        if attempt is None or not attempt.money_fen:
            continue
        if attempt.kept_fen != order.paid_fen:
            expected = f"{order.pay_no} over {order.paid_fen} kept"
            found = f"{attempt.kept_fen} kept, {attempt.surplus_fen} surplus"
            findings.broken(Law.PAID_HAS_PAYMENT, order_no, expected, found, order.paid_at)


def judge_at_rest(
    orders: OrderBook, stock: StockBook, payments: PaymentBook, findings: Findings
) -> None:
    """Judge what must hold once nothing is on its way any more."""
    units: Counter[int] = Counter()
    owed = payments.owed_surplus_fen()
    for order_no, order in orders.orders.items():
        if order.confirmed:
            units.update(dict(order.units))
        elif order.last == "OrderParked":  # in the air: what it took counts as it is
            for hold in stock.by_order.get(order_no, ()):
                units[hold.sku_id] += hold.taken
        _holds_at_rest(order_no, order, stock.by_order.get(order_no, ()), findings)
        kept_fen = _kept_fen(order_no, payments, owed)
        _money_at_rest(order_no, order, payments.orders.get(order_no), kept_fen, findings)
    units_owed = stock.owed
    for sku_id in units.keys() | stock.sold.keys() | units_owed.keys():
        sold = stock.sold[sku_id] + units_owed[sku_id]
        if units[sku_id] != sold:
            findings.broken(
                Law.SOLD_UNITS,
                f"sku {sku_id}",
                f"{units[sku_id]} units of confirmed orders sold or owed",
                str(sold),
                stock.last_sale.get(sku_id, NOWHERE),
            )
    for order_no, holds in stock.by_order.items():
        if order_no not in orders.orders:
            found = f"hold {holds[0].hold_id}"
            findings.broken(Law.HOLD_OF_ORDER, order_no, "an order placed", found, holds[0].at)
    for order_no, known in payments.orders.items():
        if order_no not in orders.orders:
            found = f"payments, {known.paid_fen} came"
            findings.broken(Law.PAYMENT_OF_ORDER, order_no, "an order placed", found, known.at)
    _balance(orders, payments, owed, findings)


def judge_promotions(orders: OrderBook, promotions: PromotionBook, findings: Findings) -> None:
    """Judge what orders use of promotions once nothing is on its way any more.

    An order that gave all its money back has used up what it was placed with, or nothing of it, as
    the resource has it.
    """
    for order_no, uses in promotions.by_order.items():
        order = orders.orders.get(order_no)
        if order is None:
            found = f"hold {uses[0].hold_id}"
            findings.broken(Law.USE_OF_ORDER, order_no, "an order placed", found, uses[0].at)
    for order_no, order in orders.orders.items():
        used = promotions.by_order.get(order_no, [])
        if not used and not order.promotions:
            continue
        is_parked = order.last == "OrderParked" and not order.confirmed
        open_use = next((use for use in used if use.end == OPEN), None)
        if open_use is not None and not is_parked:
            expected = f"no promotion held by an order at {order.last}"
            findings.broken(Law.USE_OPEN, order_no, expected, open_use.hold_id, open_use.at)
        kept: Counter[str] = Counter()
        for use in used:
            if use.kept:
                kept[use.resource_id] += use.kept
        wanted = dict(order.promotions) if order.confirmed else {}
        if is_parked or kept == wanted:
            continue
        if order.last == "OrderRefunded" and kept <= Counter(dict(order.promotions)):
            continue
        expected, found = f"{wanted} used up at {order.last}", str(dict(kept))
        findings.broken(Law.USE_SPENT, order_no, expected, found, order.at)


def _holds_at_rest(
    order_no: str, order: Order, holds: list[Hold] | tuple[()], findings: Findings
) -> None:
    open_hold = next((hold for hold in holds if hold.end == OPEN), None)
    if open_hold is not None and (order.last in ENDED_UNPAID or order.confirmed):
        expected, found = f"nothing held by an order at {order.last}", open_hold.hold_id
        findings.broken(Law.HOLD_OPEN, order_no, expected, found, open_hold.at)
    deducted: Counter[int] = Counter()
    for hold in holds:
        if hold.taken:
            deducted[hold.sku_id] += hold.taken
    if order.last == "OrderParked" and not order.confirmed:
        return  # a human has yet to decide what becomes of its goods
    expected_units = dict(order.units) if order.last in PAID or order.confirmed else {}
    if deducted != expected_units:
        expected, found = f"{expected_units} deducted at {order.last}", str(dict(deducted))
        findings.broken(Law.HOLD_DEDUCTED, order_no, expected, found, order.at)


def _money_at_rest(
    order_no: str, order: Order, known: Payments | None, kept_fen: int, findings: Findings
) -> None:
    if order.last in PAID and kept_fen != order.kept_fen:
        expected, found = f"{order.kept_fen} kept at {order.last}", f"{kept_fen} kept"
        findings.broken(Law.KEPT_MONEY, order_no, expected, found, order.at)
    # Payments may hear of what a human gave back by hand, by the ticket of that refund.
    if order.last in ENDED_UNPAID and not 0 <= kept_fen <= order.by_hand_fen:
        expected, found = f"{order.by_hand_fen} kept at {order.last}", f"{kept_fen} kept"
        findings.broken(Law.ENDED_KEEPS_NOTHING, order_no, expected, found, order.at)
    if order.pay_no:
        attempt = known.attempts.get(order.pay_no) if known is not None else None
        if attempt is None or not attempt.money_fen:
            expected = f"a payment {order.pay_no} over {order.paid_fen}"
            findings.broken(Law.PAID_HAS_PAYMENT, order_no, expected, "none", order.paid_at)


def _balance(orders: OrderBook, payments: PaymentBook, owed: Owed, findings: Findings) -> None:
    """Money in and out over everything; what an order in the air keeps counts as it is."""
    paid_fen = sum(known.paid_fen for known in payments.orders.values())
    returned_fen = sum(known.returned_fen for known in payments.orders.values())
    kept_fen = 0
    for order_no, order in orders.orders.items():
        if order.last in PAID:
            kept_fen += order.kept_fen
        elif order.last in ENDED_UNPAID:
            kept_fen += min(order.by_hand_fen, _kept_fen(order_no, payments, owed))
        else:
            kept_fen += _kept_fen(order_no, payments, owed)
    owed_fen = sum(owed.values())
    if paid_fen - returned_fen - owed_fen != kept_fen:
        findings.broken(
            Law.MONEY_BALANCE,
            "all orders",
            f"{kept_fen} kept by orders",
            f"{paid_fen} paid - {returned_fen} returned - {owed_fen} owed by tickets",
            NOWHERE,
        )


def _kept_fen(order_no: str, payments: PaymentBook, owed: Owed) -> int:
    """Return what an order keeps; surplus money in a ticket is kept by nobody."""
    known = payments.orders.get(order_no)
    if known is None:
        return 0
    return known.paid_fen - known.returned_fen - owed.get(order_no, 0)
