"""Public facts of one order as the follower has them, with the causes that a stage would give."""

from __future__ import annotations

from api.follower import OrderFact
from schemas.catalog import SkuListed
from schemas.codec import local_codec
from schemas.order import (
    CartLine,
    OrderCreated,
    OrderPlaced,
    OrderRefused,
    OrderRepeated,
    PlaceOrder,
    PlaceOrderIntent,
)
from schemas.record import Record
from schemas.registry import public_records
from streams.admission import admit
from streams.engine import cause
from streams.pricing import ListPrice

CODEC = local_codec(public_records())
INCARNATION = b"incarnat"
SHOP, BUYER, SKU, PRICE_FEN = 1, 42, 1_001, 1_990
NOW_MS = 1_790_000_000_000
TRACE = "5" * 32


class Prices:
    """Every sku costs the same; three are listed."""

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return ListPrice(PRICE_FEN, "CNY")

    def on_sale(self, shop_id: int, after: int, limit: int) -> list[SkuListed]:
        skus = [sku for sku in (SKU, SKU + 1, SKU + 2) if sku > after]
        return [SkuListed(sku, shop_id, f"Sku {sku}", PRICE_FEN) for sku in skus[:limit]]


def place(qty: int = 1, key: str = "k1", trace_id: str = TRACE) -> PlaceOrder:
    lines = (CartLine(SKU, qty, PRICE_FEN),)
    total_fen = qty * PRICE_FEN
    intent = PlaceOrderIntent(SHOP, BUYER, key, lines, total_fen, NOW_MS, trace_id=trace_id)
    command = admit(intent, Prices(), NOW_MS).message
    assert isinstance(command, PlaceOrder)
    return command


def position(offset: int, partition: int = 0) -> bytes:
    stamp = cause.channel(INCARNATION, partition) + cause.pack_position(offset, 0)
    return stamp[:20]


def fact(record: Record, offset: int, index: int = 0, key: str = "") -> OrderFact:
    """The fact ``record``, made by the inbox record at ``offset`` as its output ``index``."""
    stamp = cause.channel(INCARNATION, 0) + cause.pack_position(offset, index)
    key = key or record.order_no  # type: ignore[attr-defined]  # the facts of orders have one
    return OrderFact(CODEC, key, type(record), CODEC.encode(record), NOW_MS, stamp)


def placed(command: PlaceOrder) -> OrderPlaced:
    return OrderPlaced(
        command.order_no,
        1,
        command.shop_id,
        command.user_id,
        command.currency,
        command.lines,
        command.rules,
        command.holds,
        command.total_fen,
        command.placed_at_ms,
        command.fingerprint,
        command.flow,
        command.pay_channel,
        command.trace_id,
    )


def created(command: PlaceOrder, expires_at_ms: int = NOW_MS + 900_000) -> OrderCreated:
    return OrderCreated(
        command.order_no, 2, SHOP, BUYER, "CNY", command.total_fen, expires_at_ms, TRACE
    )


def refused(command: PlaceOrder, reason: str = "IDEMPOTENCY_CONFLICT") -> OrderRefused:
    return OrderRefused(command.order_no, 2, SHOP, BUYER, "PlaceOrder", reason, TRACE)


def repeated(command: Record, order_no: str, status: str = "CREATED") -> OrderRepeated:
    return OrderRepeated(order_no, 2, SHOP, BUYER, type(command).__name__, status, TRACE)
