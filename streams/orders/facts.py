"""Facts that stay inside the orders stage, or only reach other stages: none is on order.events.

They carry no version: the versions of an order count its public facts.
"""

from __future__ import annotations

from schemas.order import HoldRef, Refusal, SkuUnits
from schemas.record import Record
from streams.orders.state import Amendment, HoldMark


class HoldAnswered(Record, frozen=True):
    """The hold at ``index`` is now at ``mark``; other answers are still awaited."""

    order_no: str
    index: int
    mark: HoldMark


class HoldShortened(Record, frozen=True):
    """The hold at ``index`` got only ``amount``: there is no more, and its terms allow for less."""

    order_no: str
    index: int
    amount: int


class HoldDenied(Record, frozen=True):
    """The hold at ``index`` was refused; other answers are still awaited."""

    order_no: str
    index: int
    refusal: Refusal


class HoldsReturned(Record, frozen=True):
    """``holds`` are given back: their owners are asked to cancel them."""

    order_no: str
    shop_id: int
    holds: tuple[HoldRef, ...]
    reason: str
    trace_id: str


class HoldUndone(Record, frozen=True):
    """The hold at ``index`` is given back whatever became of it: the order is refunded.

    ``is_sold``: it is known to be deducted.
    """

    order_no: str
    shop_id: int
    user_id: int
    index: int
    hold: HoldRef
    is_sold: bool
    reason: str
    trace_id: str


class PromotionsReturned(Record, frozen=True):
    """All the money went back: ``holds``, which were used up, are given back if their owner agrees.

    Nobody waits for the answer, as the order has ended.
    """

    order_no: str
    shop_id: int
    user_id: int
    holds: tuple[HoldRef, ...]
    trace_id: str


class HoldReasked(Record, frozen=True):
    """The hold at ``index`` is lost: the same units are asked for as ``hold``, under another id."""

    order_no: str
    index: int
    hold: HoldRef


class HoldRegained(Record, frozen=True):
    """The hold at ``index`` that was asked for anew is held: its confirm is asked for."""

    order_no: str
    index: int


class PaymentsEnded(Record, frozen=True):
    """The order takes no more money: the payments stage is told."""

    order_no: str
    shop_id: int
    reason: str
    trace_id: str


class AttemptEnded(Record, frozen=True):
    """The open payment attempt came to nothing; the client may open another."""

    order_no: str


class PaymentTaken(Record, frozen=True):
    """``attempt`` brought money that does not fit the order, just before it is parked."""

    order_no: str
    attempt: int
    amount_fen: int


class StepRetried(Record, frozen=True):
    """The awaited answer is late: what was asked is asked again, the same."""

    order_no: str


class StepAsked(Record, frozen=True):
    """An operator has what is not answered asked again; retries and timers stay as they are."""

    order_no: str


class TimerHeld(Record, frozen=True):
    """A timer of a paused order came due: it looks again after a while."""

    order_no: str


class AmendAsked(Record, frozen=True):
    """The order is to be changed: what it needs besides is asked for."""

    order_no: str
    amendment: Amendment


class AmendAnswered(Record, frozen=True):
    """The added hold at ``index`` is now at ``mark``, refused by ``refusal`` if there is one."""

    order_no: str
    index: int
    mark: HoldMark
    refusal: Refusal | None = None


class AmendHeld(Record, frozen=True):
    """Everything new is held: payment attempts of the old total are to be closed."""

    order_no: str
    shop_id: int
    pay_no: str
    trace_id: str


class AmendEnded(Record, frozen=True):
    """The change is given up, the order stays as it was; the refusal says why."""

    order_no: str


class RefundWanted(Record, frozen=True):
    """A refund was asked for while holds are being confirmed: it starts when they are answered."""

    order_no: str
    reason: str
    refund_key: str
    units: tuple[SkuUnits, ...]
    amount_fen: int


class OrderForgotten(Record, frozen=True):
    """The idempotency window of a finished order is over."""

    order_no: str


class SurplusAsked(Record, frozen=True):
    """Money that no order needs is asked back, under its refund number ``attempt``."""

    pay_no: str
    order_no: str
    shop_id: int
    user_id: int  # 0: the order is not known any more
    amount_fen: int
    currency: str
    attempt: int
    retries: int
    trace_id: str


class SurplusReturned(Record, frozen=True):
    """The surplus money is back where it came from."""

    pay_no: str


class SurplusStuck(Record, frozen=True):
    """The surplus money could not be given back: a human is needed."""

    pay_no: str
