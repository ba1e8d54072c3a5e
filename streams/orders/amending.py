"""A change of an order that is not paid: other lines, and what has to be held for them.

The order stays as it was until everything new is held and no payment of the old total can come any
more; only then what is dropped goes back. Money that comes before that wins over the change: the
payments stage takes the closing of the attempts and the gateway's messages in one order, so an
attempt that it calls closed brings no money to keep.

A sku of which less is wanted is held anew in the smaller amount, unless some of its holds together
are just what is wanted: a hold cannot shrink.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.order import AmendOrder, HoldRef, OrderAmended, Refusal
from schemas.payment import PaymentClosed
from schemas.record import Record
from streams.kernel.errors import StageDefect
from streams.kernel.stage import View
from streams.orders.commands import amend_refused, owned, refused, repeated, ruled
from streams.orders.facts import (
    AmendAnswered,
    AmendAsked,
    AmendEnded,
    AmendHeld,
    HoldsReturned,
    StepRetried,
)
from streams.orders.limits import OrderLimits
from streams.orders.placing import check_holds, payment_opened
from streams.orders.reasons import AMENDED, TIMEOUT, OrderReason
from streams.orders.state import Amendment, HoldMark, Order, attempt_of, pay_no, whole, with_mark

_ASKED, _HELD, _REFUSED = HoldMark.ASKED, HoldMark.HELD, HoldMark.REFUSED


def amend_order(
    limits: OrderLimits, state: View, message: AmendOrder, _now_ms: int
) -> Sequence[Record]:
    """Begin to change an order that is not paid.

    Guards, in this order:

    1. it is malformed: InvalidMessage (BAD_HOLDS);
    2. those of ``owned``;
    3. the amend key is known. Same body: no effect, which OrderRepeated says unless the end of the
       change is still to come, and says it. Otherwise AMEND_CONFLICT;
    4. the status, by VERDICTS;
    5. another change is under way: AMEND_UNDER_WAY;
    6. another currency: CURRENCY_MISMATCH;
    7. too many changes: TOO_MANY_AMENDS.
    """
    check_holds(message.holds)
    order = owned(state, message)
    if isinstance(order, tuple):
        return order
    if isinstance(order, Order):
        under_way = order.amendment
        for known in (*order.amends, *(() if under_way is None else (under_way,))):
            if known.amend_key == message.amend_key:
                if known.fingerprint != message.fingerprint:
                    return (refused(message, order, OrderReason.AMEND_CONFLICT),)
                return () if known is under_way else (repeated(message, order),)
    order = ruled(order, message)
    if not isinstance(order, Order):
        return order if isinstance(order, tuple) else ()
    if order.amendment is not None:
        return (refused(message, order, OrderReason.AMEND_UNDER_WAY),)
    if message.currency != order.currency:
        return (refused(message, order, OrderReason.CURRENCY_MISMATCH),)
    if len(order.amends) >= limits.amends:
        return (refused(message, order, OrderReason.TOO_MANY_AMENDS),)
    change = _planned(order, message)
    asked = AmendAsked(order.order_no, change)
    return (asked,) if change.added else (asked, *_all_held(replace(order, amendment=change)))


def added(order: Order, hold_id: str) -> tuple[int, str]:
    """Return the place of a hold among those that a change adds, and its mark; none: (-1, "")."""
    if order.amendment is not None:
        for index, hold in enumerate(order.amendment.added):
            if hold.hold_id == hold_id:
                return index, order.amendment.marks[index]
    return -1, ""


def hold_granted(order: Order, index: int) -> Sequence[Record]:
    """Take in that the added hold at ``index`` is held; the last answer decides the change."""
    change = _of(order)
    marks = with_mark(change.marks, index, _HELD)
    if _ASKED in marks:
        return (AmendAnswered(order.order_no, index, _HELD),)
    if change.refusals:
        return given_up(_marked(order, marks), OrderReason.AMEND_NOT_HELD)
    return _all_held(order)


def hold_denied(order: Order, index: int, reason: str, available: int) -> Sequence[Record]:
    """Take in that the added hold at ``index`` is not to be had, or was lost again."""
    change = _of(order)
    hold = change.added[index]
    refusal = Refusal(hold.resource_id, reason, hold.amount, available)
    marks = with_mark(change.marks, index, _REFUSED)
    if _ASKED in marks:
        return (AmendAnswered(order.order_no, index, _REFUSED, refusal),)
    change = replace(change, marks=marks, refusals=(*change.refusals, refusal))
    return given_up(replace(order, amendment=change), OrderReason.AMEND_NOT_HELD)


def attempts_closed(order: Order, message: PaymentClosed) -> Sequence[Record] | None:
    """Change the order, now that no money of the old total can come; None: not what it awaits."""
    change = order.amendment
    if change is None or not change.is_held:
        return None
    if attempt_of(order.order_no, message.pay_no) != order.attempts:
        return None
    return _amended(order)


def due(limits: OrderLimits, order: Order) -> Sequence[Record]:
    """Ask again for what is not answered; after the last time the order stays as it was."""
    change = _of(order)
    if order.retries < limits.step_retries:
        return (StepRetried(order.order_no),)
    if change.is_held:
        return given_up(order, OrderReason.AMEND_UNANSWERED)
    late = tuple(
        Refusal(hold.resource_id, TIMEOUT, hold.amount, 0)
        for hold, mark in zip(change.added, change.marks, strict=True)
        if mark == _ASKED
    )
    change = replace(change, refusals=change.refusals + late)
    return given_up(replace(order, amendment=change), OrderReason.AMEND_NOT_HELD)


def given_up(order: Order, reason: OrderReason) -> Sequence[Record]:
    """Refuse the change that is under way and give back what was added; nothing if there is none.

    The order stays as it was. A payment attempt that was closed for the change stays closed.
    """
    change = order.amendment
    if change is None:
        return ()
    facts: list[Record] = [
        amend_refused(order, reason, change.refusals),
        AmendEnded(order.order_no),
    ]
    holds = tuple(
        hold for hold, mark in zip(change.added, change.marks, strict=True) if mark != _REFUSED
    )
    if holds:
        returned = HoldsReturned(order.order_no, order.shop_id, holds, reason, order.trace_id)
        facts.append(returned)
    return facts


def _planned(order: Order, message: AmendOrder) -> Amendment:
    """Return what is to be held besides, and what is not needed any more."""
    nth = len(order.amends) + 1
    kept: set[str] = set()
    extra: list[HoldRef] = []
    for wanted in message.holds:
        missing = wanted.amount
        for hold in order.holds:
            if hold.resource_id == wanted.resource_id and hold.amount <= missing:
                kept.add(hold.hold_id)
                missing -= hold.amount
        if missing:
            name, terms = f"{wanted.hold_id}/{nth}", whole(wanted.terms)
            extra.append(replace(wanted, hold_id=name, amount=missing, terms=terms))
    return Amendment(
        amend_key=message.amend_key,
        fingerprint=message.fingerprint,
        lines=message.lines,
        rules=message.rules,
        total_fen=message.total_fen,
        added=tuple(extra),
        marks=_ASKED * len(extra),
        dropped=tuple(hold.hold_id for hold in order.holds if hold.hold_id not in kept),
        expires_at_ms=order.due_ms,
    )


def _all_held(order: Order) -> Sequence[Record]:
    """Change the order, or have its payment attempts closed first if there are any."""
    if order.attempts == order.void_attempts:
        return _amended(order)
    number = pay_no(order.order_no, order.attempts)
    return (AmendHeld(order.order_no, order.shop_id, number, order.trace_id),)


def _amended(order: Order) -> Sequence[Record]:
    change = _of(order)
    version = order.version + 1
    kept = tuple(hold for hold in order.holds if hold.hold_id not in change.dropped)
    facts: list[Record] = [
        OrderAmended(
            order_no=order.order_no,
            version=version,
            shop_id=order.shop_id,
            user_id=order.user_id,
            amend_key=change.amend_key,
            currency=order.currency,
            lines=change.lines,
            rules=change.rules,
            holds=kept + change.added,
            total_fen=change.total_fen,
            expires_at_ms=change.expires_at_ms,
            trace_id=order.trace_id,
        )
    ]
    dropped = tuple(hold for hold in order.holds if hold.hold_id in change.dropped)
    if dropped:
        returned = HoldsReturned(order.order_no, order.shop_id, dropped, AMENDED, order.trace_id)
        facts.append(returned)
    if order.channel:  # the client was about to pay: it may do so over the same channel
        amended = replace(order, total_fen=change.total_fen)
        facts.append(payment_opened(amended, version + 1, order.channel))
    return facts


def _marked(order: Order, marks: str) -> Order:
    return replace(order, amendment=replace(_of(order), marks=marks))


def _of(order: Order) -> Amendment:
    if order.amendment is None:
        raise StageDefect(f"order {order.order_no} is not being amended")
    return order.amendment
