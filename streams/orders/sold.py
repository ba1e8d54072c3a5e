"""What was sold, packed: what each unit cost, frozen when it was bought, in some 10 bytes a line.

MessagePack of (sku, units, payable fen) of each line. An order carries it from its placement to
its last refund, but only parcels and refunds look inside; prices and discounts are on
``order.events`` for whoever needs them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas.order import PricedLine
from streams.orders.state import FinishedOrder, Order, status_of

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[tuple[int, int, int], ...]).decode


def packed(lines: Sequence[PricedLine]) -> bytes:
    """Return what is kept of the lines."""
    return _encode([(line.sku_id, line.qty, line.payable_fen) for line in lines])


def lines_of(order: Order) -> tuple[PricedLine, ...]:
    """Return the lines of an order: what they cost, not how that came about."""
    if not order.sold:
        return ()
    return tuple(PricedLine(sku_id, qty, 0, 0, fen) for sku_id, qty, fen in _decode(order.sold))


def revived(finished: FinishedOrder, trace_id: str) -> Order:
    """Return a finished order as it has to be to be refunded: it holds nothing, all is there."""
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
        holds=(),
        hold_marks="",
        due_ms=0,
        paid_attempt=finished.paid_attempt,
        refund_attempts=len(finished.refunds),
        sold=finished.sold,
        refunds=finished.refunds,
    )
