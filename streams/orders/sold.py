"""What was sold, packed: what each unit cost, frozen when it was bought, in some 10 bytes a line.

MessagePack of (sku, units, payable fen) of each line. An order carries it from its placement to
its last refund, but only parcels and refunds look inside; prices and discounts are on
``order.events`` for whoever needs them. An order that may get less than it asked for keeps the unit
prices too, for it may have to say what is left of its lines.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.inventory import Shortage
from schemas.order import HoldRef, PricedLine
from streams.orders.state import FinishedOrder, HoldMark, Order, status_of

_PARTIAL = Shortage.PARTIAL
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[tuple[int, ...], ...]).decode


def packed(lines: Sequence[PricedLine], holds: Sequence[HoldRef] = ()) -> bytes:
    """Return what is kept of the lines of an order that asks for ``holds``."""
    if any(hold.terms is not None and hold.terms.shortage == _PARTIAL for hold in holds):
        return _encode([(o.sku_id, o.qty, o.payable_fen, o.unit_price_fen) for o in lines])
    return _encode([(line.sku_id, line.qty, line.payable_fen) for line in lines])


def lines_of(order: Order) -> tuple[PricedLine, ...]:
    """Return the lines of an order: what they cost, and if it is kept how that came about."""
    if not order.sold:
        return ()
    return tuple(_line(*line) for line in _decode(order.sold))


def _line(sku_id: int, qty: int, payable_fen: int, unit_price_fen: int = 0) -> PricedLine:
    discount_fen = qty * unit_price_fen - payable_fen if unit_price_fen else 0
    return PricedLine(sku_id, qty, unit_price_fen, discount_fen, payable_fen)


def revived(finished: FinishedOrder, trace_id: str) -> Order:
    """Return a finished order as it has to be to be refunded: it holds no goods, all is there."""
    return Order(
        order_no=finished.order_no,
        status=status_of(finished),
        version=finished.version,
        shop_id=finished.shop_id,
        user_id=finished.user_id,
        currency=finished.currency,
        total_fen=finished.total_fen,
        placed_at_ms=0,  # long ago: the memory of its end is counted from the second end
        fingerprint=finished.fingerprint.hex(),
        trace_id=trace_id,
        holds=finished.promotions,
        hold_marks=HoldMark.DEDUCTED * len(finished.promotions),
        due_ms=0,
        paid_attempt=finished.paid_attempt,
        refund_attempts=len(finished.refunds),
        sold=finished.sold,
        refunds=finished.refunds,
    )
