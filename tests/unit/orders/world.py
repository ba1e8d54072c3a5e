"""One partition of the orders stage on the engine's own state, and the messages it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schemas import inventory, order, payment
from schemas.inventory import ReleaseCause, StockReason
from schemas.payment import PaymentReason
from schemas.record import Record
from schemas.topics import INVENTORY_COMMANDS, ORDER_EVENTS, PAYMENT_COMMANDS
from streams.engine.store import MemoryStore, PartitionState
from streams.kernel.errors import StageDefect
from streams.kernel.stage import Output
from streams.orders import OrderLimits, orders_stage
from streams.orders.commands import find
from streams.orders.reasons import ParkReason
from streams.orders.state import OrderStatus, status_of

START_MS = 1_790_000_000_000
NO = "0123456789ABCDEF"
PAY_NO = f"{NO}-1"
SHOP, BUYER = 7, 1_001
TRACE = "5" * 32
TOTAL_FEN = 3_998
BODY = "00112233aabbccdd"
LIMITS = OrderLimits()


class World:
    """Given ``tell``, when ``tell``, then what ``tell`` returns; ``now_ms`` is stream time."""

    def __init__(self, limits: OrderLimits = LIMITS) -> None:
        self.limits = limits
        self.stage = orders_stage(limits)
        self.state = PartitionState(MemoryStore(self.stage.entities), self.stage.entities)
        self.now_ms = START_MS
        self.facts: list[Record] = []  # all of them, in order
        self.outputs: list[Output] = []  # those of the last call

    def tell(self, *messages: Record) -> list[Record]:
        """Apply messages; return the facts of the last one."""
        self.outputs = []
        facts: list[Record] = []
        for message in messages:
            self.outputs = []
            facts = self._take(self.stage.decide(self.state, message, self.now_ms))
        return facts

    def wait(self, ms: int) -> list[Record]:
        """Let time pass and fire the timers that come due, each in its time."""
        self.outputs = []
        facts: list[Record] = []
        until_ms = self.now_ms + ms
        while self.state.timers and self.state.timers[0][0] <= until_ms:
            self.now_ms = max(self.now_ms, self.state.timers[0][0])
            due = self.state.next_due(self.now_ms)
            if due is None:
                continue
            key, record = due
            facts += self._take(self.stage.wake(self.state, record, self.now_ms))
            after = self.state.get(type(record), key)
            if after is not None and after.due_ms == record.due_ms:
                raise StageDefect(f"{key} is due again and again")
        self.now_ms = until_ms
        return facts

    def _take(self, facts: Sequence[Record]) -> list[Record]:
        for fact in facts:
            self.stage.evolve(self.state, fact, self.now_ms)
            self.outputs += self.stage.react(self.state, fact)
        self.facts += facts
        return list(facts)

    def repeat(self, command: Record) -> order.OrderRepeated:
        """Return the answer to a command that the order has obeyed before."""
        known = find(self.state, NO)
        assert known is not None
        name, status = type(command).__name__, status_of(known)
        return order.OrderRepeated(NO, known.version, SHOP, BUYER, name, status, TRACE)

    def public(self) -> list[Record]:
        """Return what the last call made known on order.events."""
        return [o.message for o in self.outputs if o.topic == ORDER_EVENTS.name]

    def asked(self) -> list[Record]:
        """Return what the last call asked of other stages."""
        topics = (INVENTORY_COMMANDS.name, PAYMENT_COMMANDS.name)
        return [o.message for o in self.outputs if o.topic in topics]


def hold_id(sku_id: int) -> str:
    return f"{NO}/{sku_id}"


def place(
    *skus: int,
    channel: str | None = None,
    fingerprint: str = BODY,
    placed_at_ms: int = START_MS,
    order_no: str = NO,
    user_id: int = BUYER,
) -> order.PlaceOrder:
    """A placed order of 2 units of each sku (default: sku 1), TOTAL_FEN in all."""
    skus = skus or (1,)
    lines = [order.PricedLine(sku, 2, 0, 0, 0) for sku in skus]
    lines[0] = order.PricedLine(skus[0], 2, TOTAL_FEN // 2, 0, TOTAL_FEN)
    return order.PlaceOrder(
        order_no=order_no,
        shop_id=SHOP,
        user_id=user_id,
        currency="CNY",
        lines=tuple(lines),
        rules=(),
        holds=tuple(order.HoldRef(f"{order_no}/{sku}", "stock", str(sku), 2) for sku in skus),
        total_fen=TOTAL_FEN,
        placed_at_ms=placed_at_ms,
        fingerprint=fingerprint,
        flow="standard",
        pay_channel=channel,
        trace_id=TRACE,
    )


def placed(message: order.PlaceOrder) -> order.OrderPlaced:
    """The fact that ``message`` leads to."""
    return order.OrderPlaced(
        order_no=message.order_no,
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
    )


# --- what a client says -------------------------------------------------------------------------


def pay(channel: str = "wechat", user_id: int = BUYER, shop_id: int = SHOP) -> order.PayOrder:
    return order.PayOrder(NO, shop_id, user_id, channel, TRACE)


def cancel(user_id: int = BUYER, shop_id: int = SHOP) -> order.CancelOrder:
    return order.CancelOrder(NO, shop_id, user_id, "changed my mind", TRACE)


def ship(*units: tuple[int, int], waybill_no: str = "SF1", shop_id: int = SHOP) -> order.ShipOrder:
    """A parcel of ``units`` (sku, quantity), or of all that is left; the shop's, of no user."""
    return order.ShipOrder(NO, shop_id, waybill_no, "SF", units_of(*units), TRACE)


def amend(
    *lines: tuple[int, int, int],
    key: str = "a1",
    fingerprint: str = "a" * 16,
    currency: str = "CNY",
    user_id: int = BUYER,
    shop_id: int = SHOP,
) -> order.AmendOrder:
    """Other ``lines`` (sku, quantity, payable fen) for the order; default: a unit more of sku 1."""
    lines = lines or ((1, 3, 5_997),)
    return order.AmendOrder(
        order_no=NO,
        shop_id=shop_id,
        user_id=user_id,
        amend_key=key,
        currency=currency,
        lines=tuple(order.PricedLine(sku, qty, fen, 0, fen) for sku, qty, fen in lines),
        rules=(),
        holds=tuple(order.HoldRef(hold_id(sku), "stock", str(sku), qty) for sku, qty, _ in lines),
        total_fen=sum(fen for _, _, fen in lines),
        fingerprint=fingerprint,
        trace_id=TRACE,
    )


def complete(user_id: int = BUYER, shop_id: int = SHOP) -> order.CompleteOrder:
    return order.CompleteOrder(NO, shop_id, user_id, TRACE)


def refund(
    *units: tuple[int, int], key: str = "", user_id: int = BUYER, shop_id: int = SHOP
) -> order.RefundOrder:
    """A refund of ``units`` (sku, quantity), or of all that is left."""
    return order.RefundOrder(NO, shop_id, user_id, "broken", TRACE, key, units_of(*units))


def operate(action: order.OperatorAction, shop_id: int = SHOP) -> order.OperateOrder:
    return order.OperateOrder(NO, shop_id, "li", action, "the warehouse called", TRACE)


def units_of(*units: tuple[int, int]) -> tuple[order.SkuUnits, ...]:
    return tuple(order.SkuUnits(sku, qty) for sku, qty in units)


# --- what inventory answers ---------------------------------------------------------------------


def held(sku: int = 1, hold: str = "") -> inventory.StockHeld:
    return inventory.StockHeld(
        sku_id=sku,
        warehouse_id="W1",
        version=1,
        shop_id=SHOP,
        hold_id=hold or hold_id(sku),
        order_no=NO,
        qty=2,
        expires_at_ms=START_MS + LIMITS.hold_ttl_ms,
        on_hand=10,
        held=2,
        delta_on_hand=0,
        delta_held=2,
        trace_id=TRACE,
    )


def stock_refused(sku: int = 1, available: int = 1) -> inventory.StockRefused:
    return inventory.StockRefused(
        sku, SHOP, hold_id(sku), NO, 2, available, StockReason.INSUFFICIENT, TRACE
    )


def deducted(sku: int = 1) -> inventory.StockDeducted:
    return inventory.StockDeducted(sku, "W1", 2, SHOP, hold_id(sku), NO, 2, 8, 0, -2, -2, TRACE)


def released(sku: int = 1, cause: ReleaseCause = ReleaseCause.CANCELLED) -> inventory.StockReleased:
    return inventory.StockReleased(
        sku, "W1", 2, SHOP, hold_id(sku), NO, 2, cause, 10, 0, 0, -2, TRACE
    )


def fenced(sku: int = 1) -> inventory.HoldFenced:
    return inventory.HoldFenced(sku, SHOP, hold_id(sku), NO, TRACE)


def end_refused(
    command: str, sku: int = 1, reason: StockReason = StockReason.HOLD_EXPIRED
) -> inventory.HoldEndRefused:
    return inventory.HoldEndRefused(sku, SHOP, hold_id(sku), NO, command, reason, TRACE)


# --- what payments answers ----------------------------------------------------------------------


def succeeded(
    pay_no: str = PAY_NO, amount_fen: int = TOTAL_FEN, currency: str = "CNY"
) -> payment.PaymentSucceeded:
    return payment.PaymentSucceeded(
        NO, 2, SHOP, pay_no, "sim", "T1", amount_fen, currency, START_MS + 50, TRACE
    )


def failed(pay_no: str = PAY_NO) -> payment.PaymentFailed:
    return payment.PaymentFailed(NO, 2, SHOP, pay_no, "DECLINED", TRACE)


def closed(pay_no: str = PAY_NO) -> payment.PaymentClosed:
    return payment.PaymentClosed(NO, 2, SHOP, pay_no, "AMENDED", TRACE)


def refunded(refund_no: str = f"{PAY_NO}-R1", pay_no: str = PAY_NO) -> payment.RefundSucceeded:
    return payment.RefundSucceeded(NO, 4, SHOP, refund_no, pay_no, "T2", TOTAL_FEN, "CNY", TRACE)


def refund_failed(refund_no: str = f"{PAY_NO}-R1", pay_no: str = PAY_NO) -> payment.RefundFailed:
    return payment.RefundFailed(NO, 4, SHOP, refund_no, pay_no, "GATEWAY", TRACE)


def payment_refused(
    reason: PaymentReason, refund_no: str = "", pay_no: str = PAY_NO
) -> payment.PaymentRefused:
    message = "RequestRefund" if refund_no else "RequestPayment"
    return payment.PaymentRefused(NO, 1, SHOP, pay_no, refund_no, message, reason, TRACE)


# --- worlds to begin with -----------------------------------------------------------------------


def reserving(*skus: int, channel: str | None = None) -> World:
    world = World()
    world.tell(place(*skus, channel=channel))
    return world


def created(*skus: int, channel: str | None = "wechat") -> World:
    world = reserving(*skus, channel=channel)
    world.tell(*(held(sku) for sku in skus or (1,)))
    return world


def paid(*skus: int) -> World:
    world = created(*skus)
    world.tell(succeeded())
    return world


def fulfilling(*skus: int) -> World:
    world = paid(*skus)
    world.tell(*(deducted(sku) for sku in skus or (1,)))
    return world


def partly_refunded(*skus: int) -> World:
    """One of the two units of sku 1 was refunded."""
    world = fulfilling(*skus)
    world.tell(refund((1, 1), key="r1"), refunded())
    return world


def completed(*skus: int) -> World:
    world = fulfilling(*skus)
    world.tell(complete())
    return world


def cancelled(*skus: int) -> World:
    world = created(*skus)
    world.tell(cancel(), *(released(sku) for sku in skus or (1,)))
    return world


def after(world: World, *messages: Record) -> World:
    world.tell(*messages)
    return world


def later(world: World, ms: int) -> World:
    world.wait(ms)
    return world


def refund_parked(*answers: Record) -> World:
    """Refunding, and parked by the answers."""
    return after(fulfilling(), refund(), *answers)


# One order for every place of the tables: its status, and of a parked one why.
WORLDS: dict[OrderStatus | ParkReason, Callable[[], World]] = {
    OrderStatus.RESERVING: reserving,
    OrderStatus.CREATED: lambda: created(channel=None),
    OrderStatus.PAID: paid,
    OrderStatus.FULFILLING: fulfilling,
    OrderStatus.PARTLY_SHIPPED: lambda: after(fulfilling(), ship((1, 1))),
    OrderStatus.SHIPPED: lambda: after(fulfilling(), ship()),
    OrderStatus.COMPLETED: completed,
    OrderStatus.CANCELLING: lambda: after(created(), cancel()),
    OrderStatus.CANCELLED: cancelled,
    OrderStatus.EXPIRED: lambda: after(later(created(), LIMITS.payment_window_ms), released()),
    OrderStatus.REJECTED: lambda: after(reserving(), stock_refused()),
    OrderStatus.REFUNDING: lambda: after(fulfilling(), refund()),
    OrderStatus.PARTLY_REFUNDED: partly_refunded,
    OrderStatus.REFUNDED: lambda: after(fulfilling(), refund(), refunded()),
    OrderStatus.PARKED: lambda: later(paid(), LIMITS.step_budget_ms),
    ParkReason.PAYMENT_MISMATCH: lambda: after(created(), succeeded(amount_fen=1)),
    ParkReason.CONFIRM_UNANSWERED: lambda: later(paid(), LIMITS.step_budget_ms),
    ParkReason.CANCEL_UNANSWERED: lambda: later(after(created(), cancel()), LIMITS.step_budget_ms),
    ParkReason.CANCEL_CONTRADICTED: lambda: after(
        created(), cancel(), end_refused("CancelHold", reason=StockReason.ALREADY_CONFIRMED)
    ),
    ParkReason.REFUND_UNANSWERED: lambda: later(refund_parked(), LIMITS.step_budget_ms),
    ParkReason.REFUND_FAILED: lambda: refund_parked(refund_failed()),
    ParkReason.REFUND_REFUSED: lambda: refund_parked(
        payment_refused(PaymentReason.NOTHING_TO_REFUND, f"{PAY_NO}-R1")
    ),
}
