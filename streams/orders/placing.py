"""Placing an order, and the answers to its holds, until it is created or rejected."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from schemas.order import (
    HoldRef,
    OrderAmended,
    OrderCreated,
    OrderPaymentOpened,
    OrderPlaced,
    OrderRejected,
    PlaceOrder,
    Refusal,
)
from schemas.record import Record
from streams.kernel.errors import InvalidMessage
from streams.kernel.stage import View
from streams.orders.commands import find, refused, repeated
from streams.orders.facts import HoldAnswered, HoldDenied, HoldShortened, HoldsReturned
from streams.orders.limits import OrderLimits
from streams.orders.reasons import PARTLY_HELD, TIMEOUT, OrderReason
from streams.orders.sold import lines_of
from streams.orders.state import (
    PROMOTION,
    STOCK,
    FinishedOrder,
    HoldMark,
    Order,
    OrderStatus,
    marked,
    pay_no,
    with_amount,
    with_mark,
)
from streams.orders.units import Count, count, cut_to

_FINGERPRINT = re.compile("[0-9a-f]{16}").fullmatch  # 8 bytes are kept of a finished order's
_ASKED, _HELD = HoldMark.ASKED, HoldMark.HELD


def place_order(
    limits: OrderLimits, state: View, message: PlaceOrder, now_ms: int
) -> Sequence[Record]:
    """Judge a new order.

    Guards, in this order:

    1. it is malformed: InvalidMessage (BAD_FINGERPRINT, BAD_HOLDS);
    2. its number is known. Same buyer and same body: no effect, which OrderRepeated says unless
       the order's decision is still to come, and says it. Otherwise IDEMPOTENCY_CONFLICT;
    3. it was placed before the idempotency window: EXPIRED_INTENT. An earlier order of the same
       number may be forgotten by then, so letting it in could place one order twice.
    """
    _check_form(message)
    order_no = message.order_no
    known = find(state, order_no)
    if known is not None:
        if known.shop_id != message.shop_id or known.user_id != message.user_id:
            return (refused(message, None, OrderReason.IDEMPOTENCY_CONFLICT),)
        if _fingerprint(known) == message.fingerprint:
            return () if _is_undecided(known) else (repeated(message, known),)
        return (refused(message, known, OrderReason.IDEMPOTENCY_CONFLICT),)
    if message.placed_at_ms + limits.idempotency_window_ms <= now_ms:
        return (refused(message, None, OrderReason.EXPIRED_INTENT),)
    return (
        OrderPlaced(
            order_no=order_no,
            version=1,
            shop_id=message.shop_id,
            user_id=message.user_id,
            currency=message.currency,
            lines=message.lines,
            rules=message.rules,
            holds=message.holds,
            total_fen=message.total_fen,
            placed_at_ms=message.placed_at_ms,
            fingerprint=message.fingerprint,
            flow=message.flow,
            pay_channel=message.pay_channel,
            trace_id=message.trace_id,
            pack=message.pack,
        ),
    )


def hold_granted(
    limits: OrderLimits, order: Order, index: int, amount: int, now_ms: int
) -> Sequence[Record]:
    """Take in that ``amount`` of the asked hold at ``index`` is held.

    The last answer decides the order. One that got less than it asked for is created as it was
    placed and at once amended to what it has, before the buyer can pay.
    """
    shortened: tuple[Record, ...] = ()
    if amount != order.holds[index].amount:
        shortened = (HoldShortened(order.order_no, index, amount),)
        order = replace(order, holds=with_amount(order.holds, index, amount))
    marks = with_mark(order.hold_marks, index, _HELD)
    if _ASKED in marks:
        return (*shortened, HoldAnswered(order.order_no, index, _HELD))
    if order.refusals:
        return (*shortened, *rejected(order, marks, order.refusals))
    created = _created(limits, order, now_ms)
    if any(hold.terms is not None for hold in order.holds):
        held = _held(order)
        if held != count(lines_of(order)):
            return (*shortened, created, *_cut(order, created, held))
    if not order.channel:
        return (created,)
    return (created, payment_opened(order, created.version + 1, order.channel))


def hold_denied(order: Order, index: int, reason: str, available: int) -> Sequence[Record]:
    """Take in that the hold at ``index`` is not to be had; the last answer decides the order."""
    hold = order.holds[index]
    refusal = Refusal(hold.resource_id, reason, hold.amount, available)
    marks = with_mark(order.hold_marks, index, HoldMark.REFUSED)
    if _ASKED in marks:
        return (HoldDenied(order.order_no, index, refusal),)
    return rejected(order, marks, (*order.refusals, refusal))


def unanswered(order: Order) -> Sequence[Record]:
    """Reject an order whose holds nobody answered for, naming each with TIMEOUT.

    It is rejected and not cancelled: nothing was promised yet, and the buyer learns which resources
    were at fault. The cancel that goes to every hold fences a try that is still on its way.
    """
    late = tuple(
        Refusal(hold.resource_id, TIMEOUT, hold.amount, 0)
        for hold in marked(order, order.hold_marks, _ASKED)
    )
    return rejected(order, order.hold_marks, (*order.refusals, *late))


def rejected(order: Order, marks: str, refusals: tuple[Refusal, ...]) -> Sequence[Record]:
    """Reject the order and give back what ``marks`` shows as held or still asked for."""
    fact = OrderRejected(
        order_no=order.order_no,
        version=order.version + 1,
        shop_id=order.shop_id,
        user_id=order.user_id,
        refusals=refusals,
        trace_id=order.trace_id,
    )
    holds = marked(order, marks, _ASKED + _HELD)
    if not holds:
        return (fact,)
    order_no, trace_id = order.order_no, order.trace_id
    return (fact, HoldsReturned(order_no, order.shop_id, holds, "REJECTED", trace_id))


def payment_opened(order: Order, version: int, channel: str) -> OrderPaymentOpened:
    """Return the fact that opens the order's next payment attempt."""
    return OrderPaymentOpened(
        order_no=order.order_no,
        version=version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        pay_no=pay_no(order.order_no, order.attempts + 1),
        channel=channel,
        amount_fen=order.total_fen,
        currency=order.currency,
        trace_id=order.trace_id,
    )


def _created(limits: OrderLimits, order: Order, now_ms: int) -> OrderCreated:
    return OrderCreated(
        order_no=order.order_no,
        version=order.version + 1,
        shop_id=order.shop_id,
        user_id=order.user_id,
        currency=order.currency,
        total_fen=order.total_fen,
        expires_at_ms=now_ms + limits.payment_window_ms,
        trace_id=order.trace_id,
    )


def _held(order: Order) -> Count:
    held: Count = {}
    for hold in order.holds:
        if hold.kind == STOCK:
            sku_id = int(hold.resource_id)
            held[sku_id] = held.get(sku_id, 0) + hold.amount
    return held


def _cut(order: Order, created: OrderCreated, held: Count) -> Sequence[Record]:
    """Return the change of the order to what is held, and the payment of its new total."""
    lines = cut_to(lines_of(order), held)
    version, total_fen = created.version + 1, sum(line.payable_fen for line in lines)
    amended = OrderAmended(
        order_no=order.order_no,
        version=version,
        shop_id=order.shop_id,
        user_id=order.user_id,
        amend_key=PARTLY_HELD,
        currency=order.currency,
        lines=lines,
        rules=(),
        holds=order.holds,
        total_fen=total_fen,
        expires_at_ms=created.expires_at_ms,
        trace_id=order.trace_id,
    )
    if not order.channel:
        return (amended,)
    cut = replace(order, total_fen=total_fen)
    return (amended, payment_opened(cut, version + 1, order.channel))


def _is_undecided(order: Order | FinishedOrder) -> bool:
    return isinstance(order, Order) and order.status is OrderStatus.RESERVING


def _fingerprint(order: Order | FinishedOrder) -> str:
    return order.fingerprint if isinstance(order, Order) else order.fingerprint.hex()


def _check_form(message: PlaceOrder) -> None:
    if _FINGERPRINT(message.fingerprint) is None:
        raise InvalidMessage(
            "BAD_FINGERPRINT", f"{message.fingerprint!r} is not 8 bytes in lower-case hex"
        )
    check_holds(message.holds)


def check_holds(holds: tuple[HoldRef, ...]) -> None:
    """Raise InvalidMessage (BAD_HOLDS) for what no stage could hold."""
    if not holds or (len(holds) > 1 and len({hold.hold_id for hold in holds}) != len(holds)):
        raise InvalidMessage("BAD_HOLDS", "an order needs at least one hold, each with its own id")
    for hold in holds:
        kind, named = hold.kind, hold.resource_id
        is_named = named.isdecimal() and named.isascii() if kind == STOCK else kind == PROMOTION
        if not is_named or not named or hold.amount < 1:
            raise InvalidMessage(
                "BAD_HOLDS",
                f"{hold.hold_id}: expected kind {STOCK!r} and a sku id, or {PROMOTION!r} and a "
                f"resource, and an amount >= 1, got {kind!r}, {named!r} and {hold.amount}",
            )
