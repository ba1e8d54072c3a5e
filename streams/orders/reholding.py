"""A paid order that lost a hold asks for the same units anew, and is refunded only without them.

A hold is lost when it ran out before its confirm came, or was given back because the money came
while the order was expiring. It is asked for under a new id: the old hold has ended, and a hold
ends once.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.record import Record
from streams.orders.facts import HoldAnswered, HoldReasked, HoldRegained
from streams.orders.limits import OrderLimits
from streams.orders.reasons import HOLD_LOST
from streams.orders.refunding import refund_undone, wants_it_all
from streams.orders.state import HoldMark, Order, whole

_TRY = "~"  # between the id of a hold and the number of the try for it, 1, 2, 3 ...


def hold_lost(limits: OrderLimits, order: Order, index: int) -> Sequence[Record]:
    """Ask for the lost hold at ``index`` anew; refund after the last try, or if it is wanted."""
    hold = order.holds[index]
    name, _, tries = hold.hold_id.partition(_TRY)
    nth = int(tries or 0) + 1
    if nth > limits.rehold_attempts or wants_it_all(order):
        return given_up(order, index)
    anew = replace(hold, hold_id=f"{name}{_TRY}{nth}", terms=whole(hold.terms))
    return (HoldReasked(order.order_no, index, anew),)


def hold_regained(order: Order, index: int) -> Sequence[Record]:
    """Confirm the hold at ``index``, which is held again."""
    return (HoldRegained(order.order_no, index),)


def given_up(order: Order, index: int) -> Sequence[Record]:
    """Refund the order, which cannot have the hold at ``index``, and undo its other holds."""
    reason = order.reason if order.refund_wanted else HOLD_LOST
    lost = HoldAnswered(order.order_no, index, HoldMark.RELEASED)
    return (lost, *refund_undone(order, order.version + 1, reason, lost=index))
