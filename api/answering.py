"""Facts to answers: what a client is told of the fact that answers its request. Pure.

An answer follows from the facts alone, so a repeat gets the same one, from whichever process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from api.follower import DECIDING, OrderFact
from api.problems import Code, Refused
from api.reasons import detail_of
from api.responses import (
    MissingAmount,
    OrderDetails,
    OrderState,
    PaymentOpened,
    PlacedOrder,
    Priced,
    Quote,
    QuotedRule,
    RefundOpened,
    SkuOnSale,
    Stock,
    Timeline,
    TimelineEntry,
    WarehouseStock,
)
from schemas.catalog import SkuListed
from schemas.inventory import Shortage
from schemas.order import (
    OrderAmended,
    OrderCreated,
    OrderPaymentOpened,
    OrderRefunding,
    OrderRefused,
    OrderRejected,
    OrderRepeated,
    PlaceOrder,
)
from schemas.read_model import (
    PAYING,
    OrderView,
    StockView,
    rfc3339,
    status_after,
    status_text,
)
from schemas.record import Record
from streams.pricing import PricedCart
from streams.pricing.words import explain

CREATED = "CREATED"


def may_get_less(command: PlaceOrder) -> bool:
    """Say whether the order may be created with fewer units than it asks for."""
    return any(
        hold.terms is not None and hold.terms.shortage is Shortage.PARTIAL for hold in command.holds
    )


def placed(command: PlaceOrder, created: OrderCreated, cut: OrderAmended | None) -> PlacedOrder:
    """Return the answer to a placement; ``cut``: the change to what could be held."""
    return PlacedOrder(
        order_no=created.order_no,
        status=PAYING if command.pay_channel else CREATED,
        expire_time=rfc3339(created.expires_at_ms),
        priced=_priced(command if cut is None else cut),
        trace_id=created.trace_id,
    )


def placed_before(command: PlaceOrder, repeat: OrderRepeated) -> PlacedOrder:
    """Return the answer to a repeat of a placement whose facts are no longer to be had.

    Its body is that of the placement, so what it costs is known; until when it waited is not.
    """
    return PlacedOrder(
        order_no=repeat.order_no,
        status=PAYING if command.pay_channel else CREATED,
        expire_time=None,
        priced=_priced(command),
        trace_id=repeat.trace_id,
    )


def quote(cart: PricedCart) -> Quote:
    """Return a priced cart as a client is shown it."""
    promotions = cart.promotions
    if promotions is None:
        return Quote(cart.currency, cart.total_fen, cart.lines, cart.rules)
    return Quote(
        cart.currency,
        cart.total_fen,
        cart.lines,
        cart.rules,
        f"{promotions.pack_id}@{promotions.version}",
        tuple(
            QuotedRule(
                outcome.rule_id,
                outcome.verdict,
                outcome.discount_fen,
                explain(outcome),
                outcome.reason,
                tuple(MissingAmount(*need) for need in outcome.needs),
            )
            for outcome in promotions.outcomes
        ),
    )


def _priced(of: PlaceOrder | OrderAmended) -> Priced:
    return Priced(of.currency, of.total_fen, of.lines, of.rules)


def decision(facts: Iterable[OrderFact]) -> tuple[Record | None, OrderAmended | None]:
    """Return the fact that decided an order, and its cut to what could be held, if there was one.

    ``facts`` are the order's, the oldest first. Without its decision: (None, None).
    """
    decided: OrderFact | None = None
    for fact in facts:
        if decided is None:
            decided = fact if fact.kind in DECIDING else None
        elif fact.kind is OrderAmended and is_of_one_record(fact, decided):
            record = fact.record
            return decided.record, record if isinstance(record, OrderAmended) else None
    return (None if decided is None else decided.record), None


def is_of_one_record(fact: OrderFact, other: OrderFact) -> bool:
    """Say whether two facts were caused by one inbox record."""
    return fact.cause[:-4] == other.cause[:-4]  # but for the index of the output


def not_placed(fact: Record | None) -> Refused:
    """Return why a placement was not granted; None: nobody knows any more."""
    if isinstance(fact, OrderRefused):
        return refused(fact)
    trace_id: str = getattr(fact, "trace_id", "")
    if isinstance(fact, OrderRejected):
        return Refused(
            Code.INVENTORY_SHORTAGE,
            "not everything could be held; the order is rejected",
            trace_id=trace_id,
            order_no=fact.order_no,
            missing=[_missing(one) for one in fact.refusals],
        )
    if fact is None:
        return Refused("REJECTED", "the order was rejected before")
    return Refused("ORDER_ENDING", detail_of("ORDER_ENDING"), trace_id=trace_id)


def refused(fact: OrderRefused) -> Refused:
    """Return the error that a refusal is."""
    more: dict[str, Any] = {"order_no": fact.order_no}
    if fact.refusals:
        more["missing"] = [_missing(one) for one in fact.refusals]
    return Refused(fact.reason, detail_of(fact.reason), trace_id=fact.trace_id, **more)


def _missing(refusal: Any) -> dict[str, Any]:
    return {
        "sku_id": int(refusal.resource_id),
        "reason": refusal.reason,
        "requested": refusal.requested,
        "available": refusal.available,
    }


def amended(fact: OrderAmended) -> PlacedOrder:
    """Return the answer to a change that was done."""
    return PlacedOrder(
        order_no=fact.order_no,
        status=CREATED,
        expire_time=rfc3339(fact.expires_at_ms),
        priced=_priced(fact),
        trace_id=fact.trace_id,
    )


def payment_opened(fact: OrderPaymentOpened) -> PaymentOpened:
    """Return the answer to a request to pay."""
    return PaymentOpened(
        order_no=fact.order_no,
        status=PAYING,
        pay_no=fact.pay_no,
        channel=fact.channel,
        amount_fen=fact.amount_fen,
        currency=fact.currency,
        trace_id=fact.trace_id,
    )


def refund_opened(fact: OrderRefunding) -> RefundOpened:
    """Return the answer to a request to give money back."""
    return RefundOpened(
        order_no=fact.order_no,
        status="REFUNDING",
        refund_no=fact.refund_no,
        amount_fen=fact.amount_fen,
        currency=fact.currency,
        units=fact.units,
        trace_id=fact.trace_id,
    )


def moved(fact: Any) -> OrderState:
    """Return the answer to a request that moved the order by ``fact``."""
    status = fact.status if isinstance(fact, OrderRepeated) else status_after(None, fact)
    return OrderState(fact.order_no, status, fact.version, fact.trace_id)


def last(facts: Iterable[OrderFact], kind: type[Record], **fields: Any) -> Any | None:
    """Return the last fact of ``kind`` that has these fields; None without one."""
    found = None
    for fact in facts:
        if fact.kind is kind:
            record = fact.record
            if all(getattr(record, name) == value for name, value in fields.items()):
                found = record
    return found


def details(view: OrderView) -> OrderDetails:
    """Return an order as its owner is shown it."""
    return OrderDetails(
        order_no=view.order_no,
        status=view.status,
        status_text=status_text(view.status),
        version=view.version,
        shop_id=view.shop_id,
        user_id=view.user_id,
        currency=view.currency,
        total_fen=view.total_fen,
        paid_fen=view.paid_fen,
        refunded_fen=view.refunded_fen,
        lines=view.lines,
        pay_no=view.pay_no,
        channel=view.channel,
        expire_time=rfc3339(view.expires_at_ms) if view.expires_at_ms else None,
        placed_at=rfc3339(view.placed_at_ms),
        updated_at=rfc3339(view.updated_at_ms),
        reason=view.reason,
        refusals=view.refusals,
        trace_id=view.trace_id,
    )


def stock(view: StockView) -> Stock:
    """Return the stock of a sku."""
    return Stock(
        sku_id=view.sku_id,
        available=view.available,
        warehouses=tuple(
            WarehouseStock(name, level.available, level.on_hand, level.held)
            for name, level in view.warehouses.items()
        ),
    )


def on_sale(listed: SkuListed, view: StockView | None) -> SkuOnSale:
    """Return a sku as its shop sells it, with what is known of its stock."""
    available = None
    if view is not None:
        levels = view.warehouses.values()
        available = sum(level.available for level in levels if level.shop_id == listed.shop_id)
    return SkuOnSale(listed.sku_id, listed.title, listed.price_fen, listed.currency, available)


_ENVELOPE = frozenset({"order_no", "version", "shop_id", "user_id", "trace_id", "fingerprint"})


def timeline(order_no: str, facts: Sequence[OrderFact]) -> Timeline:
    """Return what happened to an order; what every fact repeats is left out of the details."""
    entries = []
    for fact in facts:
        fields = msgspec.to_builtins(fact.record)
        told = {name: value for name, value in fields.items() if name not in _ENVELOPE}
        entries.append(
            TimelineEntry(
                at=rfc3339(fact.timestamp_ms),
                fact=fact.kind.__name__,
                version=fields["version"],
                details=told,
                traceparent=fact.trace,
            )
        )
    return Timeline(order_no, tuple(entries))
