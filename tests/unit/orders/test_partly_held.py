"""A line whose terms allow for less: the order is what could be held, at what those units cost."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.inventory import (
    Allocated,
    Allocation,
    HoldTerms,
    Shortage,
    StockHeld,
    TryHold,
)
from schemas.order import (
    HoldRef,
    OrderAmended,
    OrderCreated,
    OrderPaid,
    OrderPaymentOpened,
    OrderRefunding,
    PlaceOrder,
    PricedLine,
)
from streams.orders.facts import HoldAnswered, HoldShortened
from streams.orders.state import HoldMark
from tests.unit.orders.world import (
    BUYER,
    LIMITS,
    NO,
    PAY_NO,
    SHOP,
    START_MS,
    TRACE,
    World,
    deducted,
    end_refused,
    held,
    hold_id,
    place,
    refund,
    succeeded,
)

PARTIAL = HoldTerms(Allocation.SINGLE_FIRST, Shortage.PARTIAL)
# Five units of sku 1 cost 1,003 together: 201, 201, 201, 200 and 200. Two of sku 2 cost 400.
LINES = (PricedLine(1, 5, 250, 247, 1_003), PricedLine(2, 2, 200, 0, 400))
HOLDS = (
    HoldRef(hold_id(1), "stock", "1", 5, PARTIAL),
    HoldRef(hold_id(2), "stock", "2", 2, PARTIAL),
)
UNTIL_MS = START_MS + LIMITS.payment_window_ms


def asking(channel: str | None = "wechat") -> World:
    world = World()
    order: PlaceOrder = place(1, 2, channel=channel)
    world.tell(replace(order, lines=LINES, holds=HOLDS, total_fen=1_403))
    return world


def got(sku: int, qty: int, asked: int) -> StockHeld:
    why = Allocated(Allocation.SINGLE_FIRST, (), asked, qty)
    return replace(held(sku), qty=qty, allocated=why)


def created() -> OrderCreated:
    return OrderCreated(NO, 2, SHOP, BUYER, "CNY", 1_403, UNTIL_MS, TRACE)


def amended(sku_1: int) -> OrderAmended:
    """The order with 2 or 4 units of sku 1."""
    payable_fen = {2: 402, 4: 803}[sku_1]
    return OrderAmended(
        order_no=NO,
        version=3,
        shop_id=SHOP,
        user_id=BUYER,
        amend_key="PARTLY_HELD",
        currency="CNY",
        lines=(
            PricedLine(1, sku_1, 250, sku_1 * 250 - payable_fen, payable_fen),
            PricedLine(2, 2, 200, 0, 400),
        ),
        rules=(),
        holds=(replace(HOLDS[0], amount=sku_1), HOLDS[1]),
        total_fen=payable_fen + 400,
        expires_at_ms=UNTIL_MS,
        trace_id=TRACE,
    )


def test_what_is_not_there_is_dropped_and_the_buyer_pays_for_what_is() -> None:
    world = asking()

    assert world.tell(got(1, 2, 5)) == [
        HoldShortened(NO, 0, 2),
        HoldAnswered(NO, 0, HoldMark.HELD),
    ]
    opened = OrderPaymentOpened(NO, 4, SHOP, BUYER, PAY_NO, "wechat", 802, "CNY", TRACE)
    assert world.tell(got(2, 2, 2)) == [created(), amended(2), opened]
    assert world.public() == [created(), amended(2), opened]
    paid = OrderPaid(NO, 5, SHOP, BUYER, "CNY", 802, PAY_NO, START_MS + 50, TRACE)
    assert world.tell(succeeded(amount_fen=802)) == [paid]


def test_the_last_answer_may_be_the_one_that_falls_short() -> None:
    world = asking(channel=None)
    world.tell(got(2, 2, 2))

    assert world.tell(got(1, 4, 5)) == [HoldShortened(NO, 0, 4), created(), amended(4)]


def test_an_order_that_gets_everything_is_created_as_it_was_placed() -> None:
    world = asking(channel=None)
    world.tell(got(1, 5, 5))

    assert world.tell(got(2, 2, 2)) == [created()]


def test_a_refund_gives_back_what_the_units_that_were_held_cost() -> None:
    world = asking()
    world.tell(got(1, 2, 5), got(2, 2, 2), succeeded(amount_fen=802))
    world.tell(replace(deducted(1), qty=2), deducted(2))

    (refunding,) = world.tell(refund((1, 1)))
    assert isinstance(refunding, OrderRefunding)
    assert refunding.amount_fen == 201


def test_what_is_paid_for_is_held_anew_whole_or_not_at_all() -> None:
    world = asking()
    world.tell(got(1, 2, 5), got(2, 2, 2), succeeded(amount_fen=802))

    world.tell(end_refused("ConfirmHold", 1))
    whole = replace(PARTIAL, shortage=Shortage.REJECT)
    assert world.asked() == [
        TryHold(f"{hold_id(1)}~1", NO, SHOP, BUYER, 1, 2, LIMITS.hold_ttl_ms, TRACE, whole)
    ]
