"""Messages of the orders domain.

Money is in minor units of ``currency`` (fen), times are epoch milliseconds UTC. Every fact carries
``version``: 1, 2, 3 ... per order without a gap. A refusal, and the answer to a repeat, change
nothing and have the version that they were judged at.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.inventory import HoldTerms
from schemas.record import Record

# --- parts ---------------------------------------------------------------------------------------


class CartLine(Record, frozen=True):
    """What a buyer asks for: ``qty`` units at the unit price that the buyer was shown.

    ``terms`` say how they may be held; None: all of them, from one warehouse. Lines of one sku have
    the same.
    """

    sku_id: int
    qty: int
    unit_price_fen: int
    terms: HoldTerms | None = None


class PricedLine(Record, frozen=True):
    """A line after pricing: ``payable_fen = qty * unit_price_fen - discount_fen``."""

    sku_id: int
    qty: int
    unit_price_fen: int
    discount_fen: int
    payable_fen: int


class AppliedRule(Record, frozen=True):
    """A promotion rule that took part in the price, and what it took off."""

    rule_id: str
    discount_fen: int


class HoldRef(Record, frozen=True):
    """One thing that the order must hold before it is created.

    ``kind`` names the stage that owns the resource (``stock`` or ``promotion``), ``resource_id``
    what is held of it (the sku id as decimal text; see schemas/resource.py) and ``hold_id`` the
    hold, unique for all time. ``capacity``, of a promotion: how much of it there is at all, as its
    rule says; 0: what was granted.
    """

    hold_id: str
    kind: str
    resource_id: str
    amount: int
    terms: HoldTerms | None = None
    capacity: int = 0


class SkuUnits(Record, frozen=True):
    """``qty`` units of a sku: what left in a parcel, or was given back."""

    sku_id: int
    qty: int


class Refusal(Record, frozen=True):
    """Why one hold was refused; ``available`` is what could have been held."""

    resource_id: str
    reason: str
    requested: int
    available: int


# --- intents: the public way in (order.intents) --------------------------------------------------


class PlaceOrderIntent(Record, frozen=True):
    """An order as any producer writes it. ``(shop_id, user_id, client_key)`` makes it idempotent.

    ``total_fen`` is the total that the buyer agreed to; an intent whose total or unit prices differ
    from the catalogue is refused. ``pay_channel`` asks for a payment as soon as the order is
    created; without it the client sends ``PayOrder`` later. ``coupons`` are the codes that the
    buyer presents.
    """

    shop_id: int
    user_id: int
    client_key: str
    lines: tuple[CartLine, ...]
    total_fen: int
    placed_at_ms: int
    currency: str = "CNY"
    pay_channel: str | None = None
    flow: str = "standard"
    trace_id: str = ""
    coupons: tuple[str, ...] = ()


class AmendOrderIntent(Record, frozen=True):
    """The buyer wants other lines in an order that is not paid: ``lines`` replace the old ones.

    ``amend_key`` names the change within its order, so that a repeat has no effect. Prices and
    ``total_fen`` are judged like those of a placement, and ``coupons`` have to be presented again;
    ``currency`` is the order's.
    """

    order_no: str
    shop_id: int
    user_id: int
    amend_key: str
    lines: tuple[CartLine, ...]
    total_fen: int
    currency: str = "CNY"
    trace_id: str = ""
    coupons: tuple[str, ...] = ()


# --- commands: the inbox of the orders stage (order.commands) ------------------------------------
# All but PlaceOrder and AmendOrder are also accepted on order.intents.


class PlaceOrder(Record, frozen=True):
    """An admitted order: priced, numbered, with everything it needs to hold.

    ``pack`` is the rule pack that it was priced by, ``pack_id@version``; empty: none.
    """

    order_no: str
    shop_id: int
    user_id: int
    currency: str
    lines: tuple[PricedLine, ...]
    rules: tuple[AppliedRule, ...]
    holds: tuple[HoldRef, ...]
    total_fen: int
    placed_at_ms: int
    fingerprint: str
    flow: str
    pay_channel: str | None
    trace_id: str
    pack: str = ""


class AmendOrder(Record, frozen=True):
    """An admitted change of an unpaid order: priced, with everything that it needs to hold then.

    ``holds`` are those that a placement of these lines would have.
    """

    order_no: str
    shop_id: int
    user_id: int
    amend_key: str
    currency: str
    lines: tuple[PricedLine, ...]
    rules: tuple[AppliedRule, ...]
    holds: tuple[HoldRef, ...]
    total_fen: int
    fingerprint: str
    trace_id: str


class PayOrder(Record, frozen=True):
    """The client wants to pay a created order over ``channel``."""

    order_no: str
    shop_id: int
    user_id: int
    channel: str
    trace_id: str = ""


class CancelOrder(Record, frozen=True):
    """The client or an operator gives the order up."""

    order_no: str
    shop_id: int
    user_id: int
    reason: str
    trace_id: str = ""


class CompleteOrder(Record, frozen=True):
    """The buyer has the goods."""

    order_no: str
    shop_id: int
    user_id: int
    trace_id: str = ""


class ShipOrder(Record, frozen=True):
    """A parcel left: ``units`` of the order, or, without them, everything that had not left yet.

    From the shop's logistics. ``waybill_no`` names the parcel: the same one is not counted twice.
    """

    order_no: str
    shop_id: int
    waybill_no: str
    carrier: str = ""
    units: tuple[SkuUnits, ...] = ()
    trace_id: str = ""


class RefundOrder(Record, frozen=True):
    """Give the payment back: of ``units``, or, without them, of everything not yet refunded.

    ``refund_key`` names the refund within its order, so that a repeat has no effect.
    """

    order_no: str
    shop_id: int
    user_id: int
    reason: str
    trace_id: str = ""
    refund_key: str = ""
    units: tuple[SkuUnits, ...] = ()


class OperatorAction(StrEnum):
    """What an operator may do to an order; docs/orders.md says where which is allowed."""

    RETRY = "RETRY"  # ask again for the answer that the order waits for
    SKIP = "SKIP"  # treat the step as answered, where that is safe
    FORCE = "FORCE"  # drive the order to its end: refunded when it was paid, else cancelled
    PAUSE = "PAUSE"  # no timer moves the order until it is resumed
    RESUME = "RESUME"


class OperateOrder(Record, frozen=True):
    """``operator`` takes a hand in an order, and says why."""

    order_no: str
    shop_id: int
    operator: str
    action: OperatorAction
    reason: str
    trace_id: str = ""


# --- facts (order.events) ------------------------------------------------------------------------


class OrderPlaced(Record, frozen=True):
    """The order exists and asks for what it must hold."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    currency: str
    lines: tuple[PricedLine, ...]
    rules: tuple[AppliedRule, ...]
    holds: tuple[HoldRef, ...]
    total_fen: int
    placed_at_ms: int
    fingerprint: str
    flow: str
    pay_channel: str | None
    trace_id: str
    pack: str = ""


class OrderCreated(Record, frozen=True):
    """Everything is held; the client may pay until ``expires_at_ms``."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    currency: str
    total_fen: int
    expires_at_ms: int
    trace_id: str


class OrderRejected(Record, frozen=True):
    """Something could not be held; every refusal is named. What was held is given back."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    refusals: tuple[Refusal, ...]
    trace_id: str


class OrderAmended(Record, frozen=True):
    """The order has other lines, another total, and holds what it needs for them: ``holds``.

    Payment attempts of the total before are closed.
    """

    order_no: str
    version: int
    shop_id: int
    user_id: int
    amend_key: str
    currency: str
    lines: tuple[PricedLine, ...]
    rules: tuple[AppliedRule, ...]
    holds: tuple[HoldRef, ...]
    total_fen: int
    expires_at_ms: int
    trace_id: str


class OrderPaymentOpened(Record, frozen=True):
    """A payment attempt was opened for the order."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    pay_no: str
    channel: str
    amount_fen: int
    currency: str
    trace_id: str


class OrderPaid(Record, frozen=True):
    """The money is there; the holds are being confirmed."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    currency: str
    total_fen: int
    pay_no: str
    paid_at_ms: int
    trace_id: str


class OrderConfirmed(Record, frozen=True):
    """Every hold is confirmed, the stock is deducted: the goods may leave (FULFILLING)."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    trace_id: str


class OrderPartlyShipped(Record, frozen=True):
    """A parcel left; other units are still to leave."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    waybill_no: str
    carrier: str
    units: tuple[SkuUnits, ...]
    trace_id: str


class OrderShipped(Record, frozen=True):
    """The last parcel left."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    waybill_no: str
    carrier: str
    units: tuple[SkuUnits, ...]
    trace_id: str


class OrderCompleted(Record, frozen=True):
    """The buyer has the goods; the standard flow ends here."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    trace_id: str


class CancelCause(StrEnum):
    """Why an order is being cancelled."""

    REQUESTED = "REQUESTED"  # by the client or an operator
    PAYMENT_TIMEOUT = "PAYMENT_TIMEOUT"  # nobody paid in time: ends as EXPIRED
    HOLD_LOST = "HOLD_LOST"  # a hold ran out before it was paid: ends as EXPIRED


class OrderCancelling(Record, frozen=True):
    """The order is being given up; its holds are being released."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    cause: CancelCause
    reason: str
    trace_id: str


class OrderCancelled(Record, frozen=True):
    """Cancelled; nothing is held any more."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    reason: str
    trace_id: str


class OrderExpired(Record, frozen=True):
    """Nobody paid in time; nothing is held any more."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    reason: str
    trace_id: str


class OrderRefunding(Record, frozen=True):
    """The payment, or the part of it that ``units`` cost, is being given back."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    pay_no: str
    refund_no: str
    amount_fen: int
    currency: str
    reason: str
    trace_id: str
    refund_key: str = ""
    units: tuple[SkuUnits, ...] = ()


class OrderPartlyRefunded(Record, frozen=True):
    """``amount_fen`` was given back; some of the payment is still kept."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    refund_no: str
    amount_fen: int
    trace_id: str


class OrderRefunded(Record, frozen=True):
    """``amount_fen`` was given back; nothing of the payment is kept any more."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    refund_no: str
    amount_fen: int
    trace_id: str


class OrderOperated(Record, frozen=True):
    """An operator took a hand. What follows from it are facts of their own, right after this."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    operator: str
    action: OperatorAction
    reason: str
    trace_id: str


class OrderParked(Record, frozen=True):
    """The order cannot go on by itself: a human is needed. ``step`` is the state it stopped in."""

    order_no: str
    version: int
    shop_id: int
    user_id: int
    step: str
    reason: str
    trace_id: str


class OrderRepeated(Record, frozen=True):
    """A command asked for what is done already, or being done: nothing changed.

    ``status`` is where the order stands, ``version`` the one it has. A placement that comes again
    before its order is decided is not answered by this: the decision answers it.
    """

    order_no: str
    version: int
    shop_id: int
    user_id: int
    command: str
    status: str
    trace_id: str


class OrderRefused(Record, frozen=True):
    """A command was refused, nothing changed; ``version`` is the one it met, 0 if none.

    ``refusals``: of an amend, what could not be held.
    """

    order_no: str
    version: int
    shop_id: int
    user_id: int
    command: str
    reason: str
    trace_id: str
    refusals: tuple[Refusal, ...] = ()
