"""Facts of orders, short to write."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from schemas import order
from schemas.record import Record
from tests.unit.windows.log import START_MS, Log

TOPIC = "order.events"
_SPAN_MS = 150_000
TRACE = "0af7651916cd43dd8448eb211c80319c"


def placed(no: str, *lines: tuple[int, int, int], shop: int = 1) -> Record:
    """Return a placement of ``(sku, qty, unit price)`` lines."""
    priced = tuple(order.PricedLine(sku, qty, fen, 0, qty * fen) for sku, qty, fen in lines)
    total = sum(line.payable_fen for line in priced)
    return order.OrderPlaced(
        no, 1, shop, 7, "CNY", priced, (), (), total, 0, "", "standard", None, TRACE
    )


def created(no: str, total: int, shop: int = 1) -> Record:
    return order.OrderCreated(no, 2, shop, 7, "CNY", total, 0, TRACE)


def rejected(no: str, shop: int = 1) -> Record:
    return order.OrderRejected(no, 2, shop, 7, (), TRACE)


def paid(no: str, total: int, shop: int = 1) -> Record:
    return order.OrderPaid(no, 3, shop, 7, "CNY", total, f"{no}-1", 0, TRACE)


def shipped(no: str, shop: int = 1) -> Record:
    return order.OrderShipped(no, 4, shop, 7, "W", "", (), TRACE)


def completed(no: str, shop: int = 1) -> Record:
    return order.OrderCompleted(no, 5, shop, 7, TRACE)


def expired(no: str, shop: int = 1) -> Record:
    return order.OrderExpired(no, 3, shop, 7, "PAYMENT_TIMEOUT", TRACE)


def refunded(no: str, fen: int, shop: int = 1) -> Record:
    return order.OrderRefunded(no, 6, shop, 7, f"{no}-R1", fen, TRACE)


def partly_refunded(no: str, fen: int, shop: int = 1) -> Record:
    return order.OrderPartlyRefunded(no, 6, shop, 7, f"{no}-R1", fen, TRACE)


def history(
    seed: int,
    orders: int = 40,
    partitions: int = 3,
    *,
    shops: tuple[int, int] = (1, 2),
    start_ms: int = START_MS,
    topic: str = TOPIC,
) -> Log:
    """Return a log of orders that end in every way, over a few minutes from ``start_ms`` on."""
    draw = random.Random(seed)
    happened: list[tuple[int, int, Record]] = []
    for n in range(orders):
        partition, at_ms = n % partitions, draw.randrange(_SPAN_MS)
        for fact in _life(draw, f"N{n}", draw.choice(shops)):
            happened.append((at_ms, partition, fact))
            at_ms += draw.choice((3, 40, 900, 30_000))
    log = Log(start_ms)
    for at_ms, partition, fact in sorted(happened, key=lambda one: one[0]):
        log.append(topic, partition, at_ms, fact)
    return log


def _life(draw: random.Random, no: str, shop: int) -> Iterator[Record]:
    lines = [(100 + sku, draw.randrange(1, 4), 500 + 10 * sku) for sku in draw.sample(range(30), 2)]
    total = sum(qty * fen for _, qty, fen in lines)
    told: dict[str, Any] = {"shop": shop}
    yield placed(no, *lines, **told)
    if draw.random() < 0.1:
        yield rejected(no, **told)
        return
    yield created(no, total, **told)
    if draw.random() < 0.2:
        yield expired(no, **told)
        return
    yield paid(no, total, **told)
    if draw.random() < 0.1:
        yield refunded(no, total, **told)
        return
    yield shipped(no, **told)
    yield completed(no, **told)
    if draw.random() < 0.3:
        yield partly_refunded(no, lines[0][2], **told)
        yield refunded(no, total - lines[0][2], **told)
