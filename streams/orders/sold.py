"""What a completed order keeps to be refunded in part: a few bytes, not its lines and records.

MessagePack of (sku, units and payable fen of each line, refund attempts, refunds). An order of one
line takes about 12 bytes; skus, prices and discounts are on ``order.events`` for whoever needs
them.
"""

from __future__ import annotations

import msgspec

from schemas.order import PricedLine, SkuUnits
from streams.orders.state import FinishedOrder, Order, RefundPart, status_of

_Line = tuple[int, int, int]
_Refund = tuple[str, tuple[tuple[int, int], ...], int, int]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[tuple[_Line, ...], int, tuple[_Refund, ...]]).decode


def sold(order: Order) -> bytes:
    """Return what ``revived`` needs of the order besides the rest of its memory."""
    return _encode(
        (
            [(line.sku_id, line.qty, line.payable_fen) for line in order.lines],
            order.refund_attempts,
            [
                (
                    part.refund_key,
                    [(unit.sku_id, unit.qty) for unit in part.units],
                    part.amount_fen,
                    part.first_attempt,
                )
                for part in order.refunds
            ],
        )
    )


def revived(finished: FinishedOrder, trace_id: str) -> Order:
    """Return a finished order as it has to be to be refunded: it holds nothing, all is there.

    Its lines say what they cost, not how that came about.
    """
    lines, refund_attempts, refunds = _decode(finished.sold) if finished.sold else ((), 0, ())
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
        refund_attempts=refund_attempts,
        lines=tuple(PricedLine(sku_id, qty, 0, 0, fen) for sku_id, qty, fen in lines),
        refunds=tuple(
            RefundPart(key, tuple(SkuUnits(*unit) for unit in units), fen, first)
            for key, units, fen, first in refunds
        ),
    )
