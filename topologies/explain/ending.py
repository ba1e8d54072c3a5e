"""How an order ended, or what it waits for: the headline of its story."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from schemas.inventory import (
    HoldEndRefused,
    HoldFenced,
    StockDeducted,
    StockHeld,
    StockRefused,
    StockReleased,
)
from schemas.order import (
    OrderCancelled,
    OrderCreated,
    OrderParked,
    OrderRefunded,
    OrderRefunding,
    OrderRefused,
    OrderRejected,
)
from schemas.payment import (
    PaymentSucceeded,
    PaymentSurplus,
    RefundFailed,
    RefundRequested,
    RefundSucceeded,
)
from schemas.record import Record
from schemas.resource import (
    PromotionEndRefused,
    PromotionFenced,
    PromotionHeld,
    PromotionRefused,
    PromotionReleased,
    PromotionSpent,
)
from streams.orders.state import FINISHED, TRANSITIONS, OrderStatus
from topologies.explain.history import Event
from topologies.explain.reasons import in_words
from topologies.explain.sentences import clock, money, refusal, span

R = TypeVar("R", bound=Record)

_DUPLICATE = "DUPLICATE"
_PAUSES = ("PAUSE", "RESUME")
_ENDED_UNPAID = frozenset({OrderStatus.EXPIRED, OrderStatus.CANCELLED})


class Outcome(StrEnum):
    """How it ended, as a support person would sort it."""

    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    PAID_LATE = "PAID_LATE"  # expired or cancelled, and money came afterwards
    PAID_TWICE = "PAID_TWICE"
    REFUNDED = "REFUNDED"
    PARKED = "PARKED"
    WAITING = "WAITING"  # it is on its way
    REFUSED = "REFUSED"  # it never became an order
    UNKNOWN = "UNKNOWN"


class Ending(NamedTuple):
    """``status`` is the order's own, "" before it is one; ``headline`` one or two sentences."""

    outcome: Outcome
    status: str
    headline: str


def ending(order_no: str, told: Sequence[Event], now_ms: int) -> Ending:
    """Return how the order of these told events, oldest first, ended; ``now_ms`` is now."""
    book = _Book(told, now_ms)
    if book.status is None:
        return _never_an_order(order_no, book)
    says = _ENDINGS.get(book.status)
    begin = says(book) if says is not None else _waits(book)
    headline = " ".join([begin, *_paused(book), *_money_that_came_too_much(book), *_tickets(book)])
    return Ending(_outcome(book), book.status, headline)


class _Book:
    """A history, looked up by kind of record."""

    def __init__(self, told: Sequence[Event], now_ms: int) -> None:
        self.told = told
        self.now_ms = now_ms
        self.status: OrderStatus | None = None
        self.since_ms = 0
        for event in told:
            after = TRANSITIONS.get((self.status, type(event.record)))  # type: ignore[arg-type]  # a letter that nobody can read is in no transition
            if after is not None and after is not self.status:
                self.status, self.since_ms = after, event.at_ms

    def all(self, kind: type[R]) -> list[tuple[int, R]]:
        """Return (time, record) of every fact of a kind."""
        return [
            (event.at_ms, event.record)
            for event in self.told
            if isinstance(event.record, kind) and event.refused is None
        ]

    def last(self, kind: type[R]) -> R | None:
        """Return the last fact of a kind."""
        found = self.all(kind)
        return found[-1][1] if found else None

    def named(self, *names: str) -> list[tuple[int, Any]]:
        """Return (time, record) of every fact of these names."""
        return [
            (event.at_ms, event.record)
            for event in self.told
            if type(event.record).__name__ in names and event.refused is None
        ]

    @property
    def basket(self) -> Any:
        """Return the fact that says what the order is of: the placement, or the last amendment."""
        found = self.named("OrderPlaced", "OrderAmended")
        return found[-1][1] if found else None

    @property
    def currency(self) -> str:
        """Return the order's currency."""
        return self.basket.currency if self.basket is not None else ""

    @property
    def total(self) -> str:
        """Return what the order costs, as people write it."""
        basket = self.basket
        return money(basket.total_fen, basket.currency) if basket is not None else "its price"

    @property
    def since(self) -> str:
        """Return since when it stands where it stands."""
        return f"since {clock(self.since_ms)} ({span(max(0, self.now_ms - self.since_ms))})"

    def unanswered(self, *answers: type[Any]) -> str:
        """Return the skus and promotions whose holds have none of these answers yet."""
        answered = {fact.hold_id for kind in answers for _, fact in self.all(kind)}
        holds = self.basket.holds if self.basket is not None else ()
        names = [hold.resource_id for hold in holds if hold.hold_id not in answered]
        skus = [name for name in names if name.isdecimal()]
        goods = ["sku" + "s" * (len(skus) > 1) + f" {', '.join(skus)}"] if skus else []
        return ", ".join([*goods, *(name for name in names if not name.isdecimal())]) or "nothing"


def _never_an_order(order_no: str, book: _Book) -> Ending:
    refusals = [event for event in book.told if event.refused is not None]
    if refusals:
        code, reason = refusals[-1].refused or ("", "")
        return Ending(Outcome.REFUSED, "", f"Never became an order: {reason or code}.")
    refused = book.last(OrderRefused)
    if refused is not None:
        return Ending(Outcome.REFUSED, "", f"Never became an order: {in_words(refused.reason)}.")
    if book.told:
        return Ending(Outcome.WAITING, "", "The orders stage has not judged it yet.")
    return Ending(Outcome.UNKNOWN, "", f"Nothing is known of an order {order_no}.")


def _outcome(book: _Book) -> Outcome:
    status = book.status
    if status is OrderStatus.PARKED:
        return Outcome.PARKED
    surplus = [fact for _, fact in book.all(PaymentSurplus)]
    if any(fact.reason == _DUPLICATE for fact in surplus):
        return Outcome.PAID_TWICE
    if status in _ENDED_UNPAID and (surplus or book.all(PaymentSucceeded)):
        return Outcome.PAID_LATE
    if status in FINISHED:
        return Outcome(status)
    return Outcome.WAITING


def _completed(book: _Book) -> str:
    return f"Completed: {book.total} was paid and the buyer has the goods."


def _rejected(book: _Book) -> str:
    fact = book.last(OrderRejected)
    refusals = fact.refusals if fact is not None else ()
    why = ", ".join(map(refusal, refusals))
    return f"Rejected: it could not have {why}. Nothing is held and nothing was paid."


def _expired(book: _Book) -> str:
    created = book.last(OrderCreated)
    asked = f"{book.total} was not paid in time"
    if created is not None:
        asked = f"{book.total} was not paid by {clock(created.expires_at_ms)[:8]}"
    return f"Expired: {asked}. The goods are on sale again."


def _cancelled(book: _Book) -> str:
    fact = book.last(OrderCancelled)
    why = in_words(fact.reason if fact is not None else "")
    return f"Cancelled: {why}. The goods are on sale again."


def _refunded(book: _Book) -> str:
    fact, began = book.last(OrderRefunded), book.last(OrderRefunding)
    amount = money(fact.amount_fen, book.currency) if fact is not None else book.total
    return f"Refunded: {amount} went back to the buyer ({in_words(began.reason if began else '')})."


def _parked(book: _Book) -> str:
    fact = book.last(OrderParked)
    step, reason = (fact.step, fact.reason) if fact is not None else ("?", "")
    return f"Parked in step {step} {book.since}: {in_words(reason)}. An operator has to decide."


_USED_UP = (PromotionSpent, PromotionReleased, PromotionEndRefused)
_GIVEN_BACK = (PromotionReleased, PromotionFenced, PromotionEndRefused, PromotionRefused)


def _reserving(book: _Book) -> str:
    skus = book.unanswered(StockHeld, StockRefused, PromotionHeld, PromotionRefused)
    return f"Waiting for inventory to answer for {skus} {book.since}."


def _created(book: _Book) -> str:
    created = book.last(OrderCreated)
    until = f" until {clock(created.expires_at_ms)[:8]}" if created is not None else ""
    return f"Waiting for the buyer to pay {book.total}{until}, {book.since}."


def _paid(book: _Book) -> str:
    skus = book.unanswered(StockDeducted, StockReleased, HoldEndRefused, *_USED_UP)
    return f"Paid; waiting for inventory to deduct {skus} {book.since}."


def _fulfilling(book: _Book) -> str:
    return f"Paid ({book.total}); waiting for the buyer to have the goods {book.since}."


def _partly_shipped(book: _Book) -> str:
    return f"Paid ({book.total}); a parcel left, and others are still to leave {book.since}."


def _shipped(book: _Book) -> str:
    return f"Paid ({book.total}) and sent; waiting for the buyer to have the goods {book.since}."


def _partly_refunded(book: _Book) -> str:
    back_fen = sum(fact.amount_fen for _, fact in book.named("OrderPartlyRefunded"))
    back = money(back_fen, book.currency)
    return f"Partly refunded: {back} of {book.total} went back; the rest goes on {book.since}."


def _cancelling(book: _Book) -> str:
    skus = book.unanswered(StockReleased, HoldFenced, HoldEndRefused, StockRefused, *_GIVEN_BACK)
    return f"Being given up; waiting for inventory to put {skus} back on sale {book.since}."


def _refunding(book: _Book) -> str:
    fact = book.last(OrderRefunding)
    amount = money(fact.amount_fen, fact.currency) if fact is not None else book.total
    return f"Being refunded; waiting for the gateway to give {amount} back {book.since}."


def _waits(book: _Book) -> str:
    return f"In step {book.status} {book.since}."


_ENDINGS: Mapping[str, Callable[[_Book], str]] = {
    OrderStatus.RESERVING: _reserving,
    OrderStatus.CREATED: _created,
    OrderStatus.PAID: _paid,
    OrderStatus.FULFILLING: _fulfilling,
    "PARTLY_SHIPPED": _partly_shipped,
    "SHIPPED": _shipped,
    "PARTLY_REFUNDED": _partly_refunded,
    OrderStatus.COMPLETED: _completed,
    OrderStatus.CANCELLING: _cancelling,
    OrderStatus.CANCELLED: _cancelled,
    OrderStatus.EXPIRED: _expired,
    OrderStatus.REJECTED: _rejected,
    OrderStatus.REFUNDING: _refunding,
    OrderStatus.REFUNDED: _refunded,
    OrderStatus.PARKED: _parked,
}


def _paused(book: _Book) -> Iterable[str]:
    """Yield a sentence when an operator has stopped the order's timers."""
    hands = [(at_ms, f) for at_ms, f in book.named("OrderOperated") if f.action in _PAUSES]
    if hands and hands[-1][1].action == "PAUSE":
        at_ms, hand = hands[-1]
        yield f"Paused by {hand.operator} at {clock(at_ms)}: {in_words(hand.reason)}."


def _tickets(book: _Book) -> Iterable[str]:
    """Yield a sentence for each open ticket."""
    closed = {fact.ticket_no for _, fact in book.named("PaymentTicketClosed")}
    for at_ms, fact in book.named("PaymentTicketOpened"):
        if fact.ticket_no not in closed:
            why = in_words(fact.reason)
            yield f"Ticket {fact.ticket_no} is open since {clock(at_ms)}: {why}."


def _money_that_came_too_much(book: _Book) -> Iterable[str]:
    """Yield a sentence for each payment that the order did not need: where its money is now."""
    for at_ms, fact in book.all(PaymentSurplus):
        came = "a second time" if fact.reason == _DUPLICATE else "too late"
        refund = _refund_of(book, fact.pay_no, fact.gateway_txn_no)
        amount = money(fact.amount_fen, fact.currency)
        yield f"{amount} came {came} at {clock(at_ms)} and {_whereabouts(book, refund)}."
    if book.status not in _ENDED_UNPAID:
        return
    for at_ms, paid in book.all(PaymentSucceeded):
        refund = _refund_of(book, paid.pay_no, paid.gateway_txn_no)
        amount = money(paid.amount_fen, paid.currency)
        yield f"{amount} came too late at {clock(at_ms)} and {_whereabouts(book, refund)}."


def _refund_of(book: _Book, pay_no: str, txn_no: str) -> RefundRequested | None:
    """Return the last refund that was asked for of a movement of money."""
    asked = [
        fact
        for _, fact in book.all(RefundRequested)
        if fact.pay_no == pay_no and fact.paid_txn_no in ("", txn_no)
    ]
    return asked[-1] if asked else None


def _whereabouts(book: _Book, refund: RefundRequested | None) -> str:
    if refund is None:
        return "nobody has asked for it to be given back yet"
    for at_ms, done in book.all(RefundSucceeded):
        if done.refund_no == refund.refund_no:
            return f"was given back at {clock(at_ms)}"
    failures = [f for _, f in book.all(RefundFailed) if f.refund_no == refund.refund_no]
    if failures:
        return f"could not be given back so far: {in_words(failures[-1].reason)}"
    return "is on its way back"
