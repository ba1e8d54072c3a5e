"""The facts about holds; the same function makes the first answer and every repeated one."""

from __future__ import annotations

from schemas.inventory import (
    Allocated,
    BackorderConfirmed,
    BackorderReleased,
    CancelHold,
    ConfirmHold,
    ExtendHold,
    HoldEndRefused,
    HoldExtended,
    HoldFenced,
    ReleaseCause,
    ReturnStock,
    StockBackordered,
    StockDeducted,
    StockHeld,
    StockReason,
    StockRefused,
    StockReleased,
    TryHold,
)
from schemas.record import Record
from streams.inventory.state import StockHold
from streams.kernel.errors import InvalidMessage, StageDefect
from streams.reservations.phases import Reason
from streams.reservations.protocol import Held, Refused, Released, Spent

STOCK_REASONS = {
    Reason.CONFLICT: StockReason.CONFLICT,
    Reason.FENCED: StockReason.FENCED,
    Reason.ALREADY_CONFIRMED: StockReason.ALREADY_CONFIRMED,
    Reason.ALREADY_CANCELLED: StockReason.ALREADY_CANCELLED,
    Reason.HOLD_EXPIRED: StockReason.HOLD_EXPIRED,
    Reason.UNKNOWN_HOLD: StockReason.UNKNOWN_HOLD,
    Reason.UNKNOWN_RESOURCE: StockReason.UNKNOWN_SKU,
    Reason.INSUFFICIENT: StockReason.INSUFFICIENT,
    Reason.BELOW_HELD: StockReason.BELOW_HELD,
    Reason.OVER_LIMIT: StockReason.BUYER_LIMIT,
}


def held(
    message: TryHold, warehouse_id: str, qty: int, movement: Held, allocated: Allocated | None
) -> StockHeld:
    """Return that ``qty`` units of the warehouse are held."""
    return StockHeld(
        sku_id=message.sku_id,
        warehouse_id=warehouse_id,
        version=movement.version,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        qty=qty,
        expires_at_ms=movement.expires_at_ms,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=message.trace_id,
        allocated=allocated,
    )


def backordered(
    message: TryHold, qty: int, cap: int, backordered: int, expires_at_ms: int
) -> StockBackordered:
    """Return that ``qty`` units are promised, of ``backordered`` now promised of the sku."""
    return StockBackordered(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        qty=qty,
        asked=message.qty,
        cap=cap,
        backordered=backordered,
        expires_at_ms=expires_at_ms,
        trace_id=message.trace_id,
    )


def deducted(message: ConfirmHold, hold: StockHold, movement: Spent) -> StockDeducted:
    """Return that the units of ``hold`` (or of a share of it) are sold."""
    return StockDeducted(
        sku_id=message.sku_id,
        warehouse_id=hold.warehouse_id,
        version=movement.version,
        shop_id=hold.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        qty=movement.spent,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=message.trace_id,
    )


def owed(message: ConfirmHold, hold: StockHold, qty: int) -> BackorderConfirmed:
    """Return that ``qty`` promised units are owed."""
    return BackorderConfirmed(
        sku_id=message.sku_id,
        shop_id=hold.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        qty=qty,
        trace_id=message.trace_id,
    )


def released(
    hold: StockHold, movement: Released, cause: ReleaseCause, trace_id: str
) -> StockReleased:
    """Return that the units of ``hold`` (or of a share of it) are available again."""
    return StockReleased(
        sku_id=int(hold.resource_id),
        warehouse_id=hold.warehouse_id,
        version=movement.version,
        shop_id=hold.shop_id,
        hold_id=hold.hold_id,
        order_no=hold.owner,
        qty=hold.amount,
        cause=cause,
        on_hand=movement.on_hand,
        held=movement.held,
        delta_on_hand=movement.delta_on_hand,
        delta_held=movement.delta_held,
        trace_id=trace_id,
    )


def promise_released(
    hold: StockHold, qty: int, backordered: int, cause: ReleaseCause, trace_id: str
) -> BackorderReleased:
    """Return that ``qty`` units are promised no more; ``backordered`` of the sku still are."""
    return BackorderReleased(
        sku_id=int(hold.resource_id),
        shop_id=hold.shop_id,
        hold_id=hold.hold_id,
        order_no=hold.owner,
        qty=qty,
        cause=cause,
        backordered=backordered,
        trace_id=trace_id,
    )


def extended(message: ExtendHold, expires_at_ms: int) -> HoldExtended:
    """Return until when the hold lives."""
    return HoldExtended(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        expires_at_ms=expires_at_ms,
        trace_id=message.trace_id,
        operator=message.operator,
    )


def fenced(message: CancelHold | ReturnStock) -> HoldFenced:
    """Return that there was nothing to cancel, nor will be."""
    return HoldFenced(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        trace_id=message.trace_id,
    )


# --- refusals ------------------------------------------------------------------------------------


def refused(message: TryHold, refusal: Refused) -> StockRefused:
    """Return that the try is refused."""
    return StockRefused(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        requested=message.qty,
        available=refusal.available,
        reason=stock_reason(message, refusal),
        trace_id=message.trace_id,
    )


def end_refused(
    message: ConfirmHold | CancelHold | ExtendHold | ReturnStock, outcome: object
) -> HoldEndRefused:
    """Return that the end is refused; raise StageDefect when ``outcome`` is no refusal."""
    if not isinstance(outcome, Refused) or outcome.reason == Reason.UNKNOWN_RESOURCE:
        raise inconsistent(message.hold_id)
    return HoldEndRefused(
        sku_id=message.sku_id,
        shop_id=message.shop_id,
        hold_id=message.hold_id,
        order_no=message.order_no,
        command=type(message).__name__,
        reason=stock_reason(message, outcome),
        trace_id=message.trace_id,
    )


def stock_reason(message: Record, refusal: Refused) -> StockReason:
    """Return the public name of a refusal; raise InvalidMessage for what is not a refusal here."""
    reason = STOCK_REASONS.get(refusal.reason)
    if reason is None:
        raise out_of_range(message)
    return reason


def without_id(message: Record) -> InvalidMessage:
    """Return the error of a message that does not say what it is about."""
    return InvalidMessage("EMPTY_ID", f"{type(message).__name__} leaves an id empty")


def out_of_range(message: Record) -> InvalidMessage:
    """Return the error of a message whose numbers make no sense."""
    return InvalidMessage(
        "OUT_OF_RANGE",
        f"{type(message).__name__} has a quantity or a time-to-live that is not positive, a delta "
        "of 0, one of them beyond its maximum, or moves stock to where it is",
    )


def inconsistent(hold_id: str) -> StageDefect:
    """Return the defect of a hold that contradicts the stock it was taken from."""
    return StageDefect(f"hold {hold_id} does not fit the stock that it was taken from")
