"""Changed, shipped and partly refunded orders, and an operator's hand, told as stories."""

from __future__ import annotations

from schemas.order import (
    AmendOrderIntent,
    CartLine,
    OperateOrder,
    OperatorAction,
    RefundOrder,
    ShipOrder,
    SkuUnits,
)
from schemas.payment import GatewayStatus, PaymentTicketOpened
from tests.unit.explain.shop import BUYER, PRICE_FEN, SHOP, TRACE, Shop
from tests.unit.explain.test_stories import MINUTE_MS, NO, headline, told
from topologies.explain.sentences import clock


def shipped_in_two_parcels() -> tuple[Shop, str]:
    """An order of two skus, paid; the first has left, then the rest."""
    shop = Shop()
    order_no = shop.place(1, 2)
    shop.gateway_says(order_no, amount_fen=4 * PRICE_FEN)
    shop.ask(ShipOrder(order_no, SHOP, "W1", "swift", (SkuUnits(1, 2),), TRACE))
    shop.ask(ShipOrder(order_no, SHOP, "W2", "swift", (), TRACE))
    return shop, order_no


def test_a_changed_order_is_about_its_new_lines() -> None:
    shop = Shop()
    order_no = shop.place(1)
    lines = (CartLine(1, 1, PRICE_FEN), CartLine(2, 2, PRICE_FEN))
    amend = AmendOrderIntent(order_no, SHOP, BUYER, "a1", lines, 3 * PRICE_FEN, "CNY", TRACE)

    shop.ask(amend)

    assert headline(shop, order_no) == (
        "Waiting for the buyer to pay ¥59.97 until 14:28:20, since 14:13:20.040 (80 ms)."
    )
    assert told(shop.story(order_no))[6:] == [
        "7 buyer: wants 1 of sku 1 at ¥19.99, 2 of sku 2 at ¥19.99 instead, ¥59.97 in all",
        "8 inventory: holds 2 of sku 2 in W1 until 14:38:20; 8 left",
        "9 inventory: holds 1 of sku 1 in W1 until 14:38:20; 7 left <- 7",
        f"10 payments: closes payment {NO}-1: the order was changed",
        (
            "11 orders: changes the order to 1 of sku 1 at ¥19.99, 2 of sku 2 at ¥19.99, ¥59.97 "
            "in all, to be paid by 14:28:20"
        ),
        "12 orders: asks for a payment of ¥59.97 over wechat <- 10",
        "13 inventory: puts 2 of sku 1 back on sale in W1 (the order gave them back); 9 left <- 11",
        f"14 payments: asks the gateway for ¥59.97 over wechat (payment {NO}-2) <- 12",
    ]


def test_an_order_that_leaves_in_two_parcels() -> None:
    shop, order_no = shipped_in_two_parcels()
    assert headline(shop, order_no) == (
        "Paid (¥79.96) and sent; waiting for the buyer to have the goods since 14:13:20.160 "
        "(40 ms)."
    )
    assert told(shop.story(order_no))[13:] == [
        "14 shop: sends parcel W1 with 2 of sku 1",
        "15 orders: counts parcel W1 with 2 of sku 1 as sent; more is to follow",
        "16 shop: sends parcel W2 with everything",
        "17 orders: counts parcel W2 with 2 of sku 2 as sent: it was the last one",
    ]


def test_an_order_that_is_refunded_in_part() -> None:
    shop, order_no = shipped_in_two_parcels()
    shop.ask(RefundOrder(order_no, SHOP, BUYER, "broken", TRACE, "r1", (SkuUnits(2, 1),)))
    shop.gateway_says(order_no, refund="R1", txn_no="T5", amount_fen=PRICE_FEN)
    assert headline(shop, order_no) == (
        "Partly refunded: ¥19.99 of ¥79.96 went back; the rest goes on since 14:13:20.240 (40 ms)."
    )
    assert told(shop.story(order_no))[17:] == [
        "18 buyer: asks for a refund of 1 of sku 2: “broken”",
        "19 orders: begins to give ¥19.99 back: “broken”",
        f"20 payments: asks the gateway to give ¥19.99 back (refund {NO}-1-R1): “broken”",
        f"21 gateway: says that ¥19.99 went back (refund {NO}-1-R1, T5)",
        f"22 payments: has given ¥19.99 back (refund {NO}-1-R1, T5)",
        "23 orders: counts ¥19.99 as given back and keeps the rest of the payment",
    ]


def test_a_paused_order_names_who_paused_it_and_why() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.ask(OperateOrder(order_no, SHOP, "mei", OperatorAction.PAUSE, "fraud check", TRACE))
    assert headline(shop, order_no) == (
        "Waiting for the buyer to pay ¥39.98 until 14:28:20, since 14:13:20.040 (80 ms). "
        "Paused by mei at 14:13:20.080: “fraud check”."
    )

    shop.ask(OperateOrder(order_no, SHOP, "mei", OperatorAction.RESUME, "checked", TRACE))

    assert "Paused" not in headline(shop, order_no)


def test_an_operators_hand_is_told_with_what_followed_or_why_it_was_refused() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.ask(OperateOrder(order_no, SHOP, "mei", OperatorAction.SKIP, "looks fine", TRACE))
    shop.ask(OperateOrder(order_no, SHOP, "mei", OperatorAction.FORCE, "asked by phone", TRACE))
    assert told(shop.story(order_no))[6:] == [
        "7 operator: mei wants to skip the step: “looks fine”",
        "8 orders: refuses what the operator wants: goods or money would be wrong afterwards",
        "9 operator: mei wants to drive the order to its end: “asked by phone”",
        "10 orders: lets mei drive the order to its end: “asked by phone”",
        (
            "11 orders: gives the order up, because it was asked for, and gives back what it "
            "holds <- 9"
        ),
        "12 inventory: puts 2 of sku 1 back on sale in W1 (the order gave them back); 10 left",
        f"13 payments: closes payment {NO}-1: it was asked for <- 11",
        "14 orders: ends the order as cancelled: nothing is held any more <- 12",
    ]


def test_money_that_cannot_be_given_back_ends_in_a_ticket_that_the_headline_names() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.pass_(16 * MINUTE_MS)
    shop.gateway_says(order_no)
    while not (opened := _tickets(shop, order_no)):
        failed = GatewayStatus.FAILED
        shop.gateway_says(order_no, refund="S1", txn_no="", status=failed)
        shop.pass_(120 * MINUTE_MS)

    assert headline(shop, order_no).endswith(
        "could not be given back so far: it failed every time, and somebody has to do it by hand. "
        f"Ticket {NO}-T1 is open since {opened[0]}: the money could not be given back, or nobody "
        "knows whether it was."
    )
    last = told(shop.story(order_no))[-4:]
    assert [line.partition(" ")[2].partition(" (")[0] for line in last] == [
        "payments: asks the gateway to give ¥39.98 back",
        f"gateway: says that refund {NO}-1-S1 failed",
        (
            f"payments: could not give refund {NO}-1-S1 back: it failed every time, and somebody "
            "has to do it by hand"
        ),
        (
            f"payments: opens ticket {NO}-T1 over ¥39.98, because the money could not be given "
            "back, or nobody knows whether it was: an operator is needed <- "
        )
        + str(len(told(shop.story(order_no))) - 2),
    ]


def _tickets(shop: Shop, order_no: str) -> list[str]:
    """Return when each ticket was opened."""
    return [
        clock(line.at_ms)
        for line in shop.story(order_no).lines
        if isinstance(line.event.record, PaymentTicketOpened)
    ]
