"""An order of each outcome, told as a support person reads it."""

from __future__ import annotations

from schemas.order import CancelOrder, PayOrder, RefundOrder
from schemas.payment import GatewayStatus
from tests.unit.explain.shop import BUYER, PRICE_FEN, SHOP, TRACE, Shop
from topologies.cli.explain import story_json, story_lines
from topologies.explain.ending import Ending, Outcome
from topologies.explain.story import Story

MINUTE_MS = 60_000
NO = "C8Q1ET4KW8P0J0HP"  # of every first order

BASKET = "asks for 2 of sku 1 at ¥19.99, ¥39.98 in all"
ASKED = "takes the order and asks to have held 2 of sku 1"
NONE_LEFT = "refuses to hold 2 of sku 1: not enough in stock (1 to be had)"
REJECTED = "rejects the order: it cannot have 2 of sku 1 (not enough in stock, 1 to be had)"


def told(story: Story) -> list[str]:
    """Return who says what, and why where that is not the line before."""
    lines = []
    for line in story.lines:
        why = " <- time" if line.by_time else ""
        if line.because and line.because != line.number - 1:
            why = f" <- {line.because}"
        lines.append(f"{line.number} {line.who}: {line.says}{why}")
    return lines


def test_a_completed_order() -> None:
    shop = Shop()
    order_no = shop.place(1, 2)
    shop.gateway_says(order_no, amount_fen=4 * PRICE_FEN)
    shop.complete(order_no)

    story = shop.story(order_no)

    assert story.ending == Ending(
        Outcome.COMPLETED,
        "COMPLETED",
        "Completed: ¥79.96 was paid and the buyer has the goods.",
    )
    assert told(story) == [
        "1 buyer: asks for 2 of sku 1 at ¥19.99, 2 of sku 2 at ¥19.99, ¥79.96 in all",
        "2 orders: takes the order and asks to have held 2 of sku 1, 2 of sku 2",
        "3 inventory: holds 2 of sku 2 in W1 until 14:38:20; 8 left",
        "4 inventory: holds 2 of sku 1 in W1 until 14:38:20; 8 left <- 2",
        "5 orders: has all goods held: ¥79.96 to be paid by 14:28:20",
        "6 orders: asks for a payment of ¥79.96 over wechat <- 4",
        f"7 payments: asks the gateway for ¥79.96 over wechat (payment {NO}-1)",
        f"8 gateway: says that ¥79.96 was paid (payment {NO}-1, T1)",
        f"9 payments: keeps ¥79.96 for the order (payment {NO}-1, wechat T1)",
        "10 orders: counts the order as paid (¥79.96) and tells inventory to deduct the goods",
        "11 inventory: deducts 2 of sku 2 in W1: sold; 8 left",
        "12 inventory: deducts 2 of sku 1 in W1: sold; 8 left <- 10",
        "13 orders: has all goods deducted: they may leave the warehouse",
        "14 buyer: says that the goods have arrived",
        "15 orders: completes the order: the buyer has the goods",
    ]


def test_an_order_rejected_for_stock() -> None:
    shop = Shop(stock=3)
    order_no = shop.place(1, 2, qty=5)

    story = shop.story(order_no)

    assert story.ending == Ending(
        Outcome.REJECTED,
        "REJECTED",
        (
            "Rejected: it could not have 5 of sku 2 (not enough in stock, 3 to be had), 5 "
            "of sku 1 (not enough in stock, 3 to be had). Nothing is held and nothing was "
            "paid."
        ),
    )
    assert told(story) == [
        "1 buyer: asks for 5 of sku 1 at ¥19.99, 5 of sku 2 at ¥19.99, ¥199.90 in all",
        "2 orders: takes the order and asks to have held 5 of sku 1, 5 of sku 2",
        "3 inventory: refuses to hold 5 of sku 2: not enough in stock (3 to be had)",
        "4 inventory: refuses to hold 5 of sku 1: not enough in stock (3 to be had) <- 2",
        (
            "5 orders: rejects the order: it cannot have 5 of sku 2 (not enough in stock, 3 "
            "to be had), 5 of sku 1 (not enough in stock, 3 to be had)"
        ),
    ]


def test_an_expired_order() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.pass_(16 * MINUTE_MS)

    story = shop.story(order_no)

    assert story.ending == Ending(
        Outcome.EXPIRED,
        "EXPIRED",
        "Expired: ¥39.98 was not paid by 14:28:20. The goods are on sale again.",
    )
    assert told(story) == [
        "1 buyer: asks for 2 of sku 1 at ¥19.99, ¥39.98 in all",
        "2 orders: takes the order and asks to have held 2 of sku 1",
        "3 inventory: holds 2 of sku 1 in W1 until 14:38:20; 8 left",
        "4 orders: has all goods held: ¥39.98 to be paid by 14:28:20",
        "5 orders: asks for a payment of ¥39.98 over wechat <- 3",
        f"6 payments: asks the gateway for ¥39.98 over wechat (payment {NO}-1)",
        (
            "7 orders: gives the order up, because nobody paid in time, and gives back what "
            "it holds <- time"
        ),
        "8 inventory: puts 2 of sku 1 back on sale in W1 (the order gave them back); 10 left",
        f"9 payments: closes payment {NO}-1: nobody paid in time <- 7",
        "10 orders: ends the order as expired: nothing is held any more <- 8",
    ]


def test_an_order_paid_late() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.pass_(16 * MINUTE_MS)
    shop.gateway_says(order_no)
    shop.gateway_says(order_no, refund="S1", txn_no="T2")

    story = shop.story(order_no)

    assert story.ending == Ending(
        Outcome.PAID_LATE,
        "EXPIRED",
        (
            "Expired: ¥39.98 was not paid by 14:28:20. The goods are on sale again. ¥39.98 "
            "came too late at 14:29:20.080 and was given back at 14:29:20.120."
        ),
    )
    assert told(story) == [
        "1 buyer: asks for 2 of sku 1 at ¥19.99, ¥39.98 in all",
        "2 orders: takes the order and asks to have held 2 of sku 1",
        "3 inventory: holds 2 of sku 1 in W1 until 14:38:20; 8 left",
        "4 orders: has all goods held: ¥39.98 to be paid by 14:28:20",
        "5 orders: asks for a payment of ¥39.98 over wechat <- 3",
        f"6 payments: asks the gateway for ¥39.98 over wechat (payment {NO}-1)",
        (
            "7 orders: gives the order up, because nobody paid in time, and gives back what "
            "it holds <- time"
        ),
        "8 inventory: puts 2 of sku 1 back on sale in W1 (the order gave them back); 10 left",
        f"9 payments: closes payment {NO}-1: nobody paid in time <- 7",
        "10 orders: ends the order as expired: nothing is held any more <- 8",
        f"11 gateway: says that ¥39.98 was paid (payment {NO}-1, T1) <- 6",
        (
            "12 payments: got ¥39.98 that is not needed (wechat T1), because the order "
            "takes no more money"
        ),
        (
            f"13 payments: asks the gateway to give ¥39.98 back (refund {NO}-1-S1): the "
            "order takes no more money <- 11"
        ),
        f"14 gateway: says that ¥39.98 went back (refund {NO}-1-S1, T2)",
        f"15 payments: has given ¥39.98 back (refund {NO}-1-S1, T2)",
    ]


def test_an_order_paid_twice() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.gateway_says(order_no)
    shop.gateway_says(order_no, txn_no="T9")
    shop.gateway_says(order_no, refund="S1", txn_no="T2")
    shop.complete(order_no)

    story = shop.story(order_no)

    assert story.ending == Ending(
        Outcome.PAID_TWICE,
        "COMPLETED",
        (
            "Completed: ¥39.98 was paid and the buyer has the goods. ¥39.98 came a second "
            "time at 14:13:20.120 and was given back at 14:13:20.160."
        ),
    )
    assert told(story) == [
        "1 buyer: asks for 2 of sku 1 at ¥19.99, ¥39.98 in all",
        "2 orders: takes the order and asks to have held 2 of sku 1",
        "3 inventory: holds 2 of sku 1 in W1 until 14:38:20; 8 left",
        "4 orders: has all goods held: ¥39.98 to be paid by 14:28:20",
        "5 orders: asks for a payment of ¥39.98 over wechat <- 3",
        f"6 payments: asks the gateway for ¥39.98 over wechat (payment {NO}-1)",
        f"7 gateway: says that ¥39.98 was paid (payment {NO}-1, T1)",
        f"8 payments: keeps ¥39.98 for the order (payment {NO}-1, wechat T1)",
        "9 orders: counts the order as paid (¥39.98) and tells inventory to deduct the goods",
        "10 inventory: deducts 2 of sku 1 in W1: sold; 8 left",
        "11 orders: has all goods deducted: they may leave the warehouse",
        f"12 gateway: says that ¥39.98 was paid (payment {NO}-1, T9) <- 6",
        (
            "13 payments: got ¥39.98 that is not needed (wechat T9), because the order was "
            "paid already"
        ),
        (
            f"14 payments: asks the gateway to give ¥39.98 back (refund {NO}-1-S1): the "
            "order was paid already <- 12"
        ),
        f"15 gateway: says that ¥39.98 went back (refund {NO}-1-S1, T2)",
        f"16 payments: has given ¥39.98 back (refund {NO}-1-S1, T2)",
        "17 buyer: says that the goods have arrived",
        "18 orders: completes the order: the buyer has the goods",
    ]


def test_a_refunded_order() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.gateway_says(order_no)
    shop.ask(RefundOrder(order_no, SHOP, BUYER, "broken", TRACE))
    shop.gateway_says(order_no, refund="R1", txn_no="T3")

    story = shop.story(order_no)

    assert story.ending == Ending(
        Outcome.REFUNDED,
        "REFUNDED",
        "Refunded: ¥39.98 went back to the buyer (“broken”).",
    )
    assert told(story) == [
        "1 buyer: asks for 2 of sku 1 at ¥19.99, ¥39.98 in all",
        "2 orders: takes the order and asks to have held 2 of sku 1",
        "3 inventory: holds 2 of sku 1 in W1 until 14:38:20; 8 left",
        "4 orders: has all goods held: ¥39.98 to be paid by 14:28:20",
        "5 orders: asks for a payment of ¥39.98 over wechat <- 3",
        f"6 payments: asks the gateway for ¥39.98 over wechat (payment {NO}-1)",
        f"7 gateway: says that ¥39.98 was paid (payment {NO}-1, T1)",
        f"8 payments: keeps ¥39.98 for the order (payment {NO}-1, wechat T1)",
        "9 orders: counts the order as paid (¥39.98) and tells inventory to deduct the goods",
        "10 inventory: deducts 2 of sku 1 in W1: sold; 8 left",
        "11 orders: has all goods deducted: they may leave the warehouse",
        "12 buyer: asks for a refund of everything: “broken”",
        "13 orders: begins to give ¥39.98 back: “broken”",
        f"14 payments: asks the gateway to give ¥39.98 back (refund {NO}-1-R1): “broken”",
        f"15 gateway: says that ¥39.98 went back (refund {NO}-1-R1, T3)",
        f"16 payments: has given ¥39.98 back (refund {NO}-1-R1, T3)",
        "17 orders: ends the order as refunded: ¥39.98 went back",
    ]


def test_a_parked_order() -> None:
    shop = Shop()
    order_no = shop.park()
    retries = range(10, 14)

    story = shop.story(order_no)

    assert story.ending == Ending(
        Outcome.PARKED,
        "PARKED",
        (
            "Parked in step PAID since 14:20:20.120 (3 min): inventory did not confirm the sale in "
            "time. An operator has to decide."
        ),
    )
    assert told(story)[6:] == [
        f"7 gateway: says that ¥39.98 was paid (payment {NO}-1, T1)",
        f"8 payments: keeps ¥39.98 for the order (payment {NO}-1, wechat T1)",
        "9 orders: counts the order as paid (¥39.98) and tells inventory to deduct the goods",
        *(f"{n} orders: asks inventory again to deduct the goods (sku 1) <- time" for n in retries),
        (
            "14 orders: parks the order in step PAID, because inventory did not confirm the sale "
            "in time: an operator is needed <- time"
        ),
    ]


def test_what_had_to_be_asked_again_is_told_and_its_answer_belongs_to_the_first() -> None:
    shop = Shop()
    shop.stop("inventory")
    order_no = shop.place(1)
    shop.pass_(MINUTE_MS)

    shop.start("inventory")

    assert told(shop.story(order_no))[1:4] == [
        "2 orders: takes the order and asks to have held 2 of sku 1",
        "3 orders: asks inventory again to hold the goods (sku 1) <- time",
        "4 inventory: holds 2 of sku 1 in W1 until 14:38:20; 8 left <- 2",
    ]


def test_a_refund_that_failed_is_asked_for_again_by_time() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.gateway_says(order_no)
    shop.ask(RefundOrder(order_no, SHOP, BUYER, "broken", TRACE))
    shop.gateway_says(order_no, refund="R1", txn_no="", status=GatewayStatus.FAILED)

    shop.pass_(10 * MINUTE_MS)

    again = told(shop.story(order_no))[-1]
    assert " payments: asks the gateway to give ¥39.98 back (refund " in again
    assert again.endswith("“broken” <- time")


def headline(shop: Shop, order_no: str) -> str:
    return shop.story(order_no).ending.headline


def test_an_order_that_waits_says_for_what_and_since_when() -> None:
    shop = Shop()
    order_no = shop.place(1)
    assert headline(shop, order_no) == (
        "Waiting for the buyer to pay ¥39.98 until 14:28:20, since 14:13:20.040 (40 ms)."
    )
    shop.gateway_says(order_no)
    assert headline(shop, order_no) == (
        "Paid (¥39.98); waiting for the buyer to have the goods since 14:13:20.080 (40 ms)."
    )
    shop.ask(RefundOrder(order_no, SHOP, BUYER, "broken", TRACE))
    assert headline(shop, order_no) == (
        "Being refunded; waiting for the gateway to give ¥39.98 back since 14:13:20.120 (40 ms)."
    )


def test_an_order_whose_stock_does_not_answer_says_which_sku_it_waits_for() -> None:
    shop = Shop()
    shop.stop("inventory")

    order_no = shop.place(1, 2)

    story = shop.story(order_no)
    assert story.ending == Ending(
        Outcome.WAITING,
        "RESERVING",
        "Waiting for inventory to answer for skus 1, 2 since 14:13:20.040 (40 ms).",
    )


def test_money_of_an_expired_order_that_is_not_back_yet_is_looked_for() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.pass_(16 * MINUTE_MS)

    shop.gateway_says(order_no)
    assert headline(shop, order_no).endswith("14:29:20.080 and is on its way back.")

    shop.gateway_says(order_no, refund="S1", txn_no="", status=GatewayStatus.FAILED)
    assert headline(shop, order_no).endswith(
        "14:29:20.080 and could not be given back so far: the gateway declined."
    )


def test_an_intent_that_was_refused_is_the_story_of_an_order_that_never_was() -> None:
    shop = Shop()
    order_no = shop.place(1, price_fen=1_000)

    story = shop.story(order_no)

    assert story.ending.outcome is Outcome.REFUSED
    (line,) = told(story)
    assert line.startswith("1 admission: refuses the order: lines[0].unit_price_fen: sku 1 costs")


def test_a_refused_request_is_told_with_its_reason() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.gateway_says(order_no)

    shop.ask(CancelOrder(order_no, SHOP, BUYER, "changed my mind", TRACE))

    assert told(shop.story(order_no))[-2:] == [
        "12 buyer: cancels the order: “changed my mind”",
        "13 orders: refuses to cancel: it was paid: a paid order is refunded, not cancelled",
    ]


def test_a_request_that_changed_nothing_says_so() -> None:
    shop = Shop()
    order_no = shop.place(1)

    shop.ask(PayOrder(order_no, SHOP, BUYER, "wechat", TRACE))

    assert told(shop.story(order_no))[-2:] == [
        "7 buyer: wants to pay over wechat",
        "8 orders: had been asked for that before: nothing changes",
    ]


def test_an_unknown_order_has_no_story() -> None:
    story = Shop().story("0123456789ABCDEF")
    assert story.ending == Ending(
        Outcome.UNKNOWN, "", "Nothing is known of an order 0123456789ABCDEF."
    )
    assert story.lines == ()


def test_the_text_has_a_line_per_event_and_names_the_day_and_the_trace() -> None:
    shop = Shop(stock=1)
    order_no = shop.place(1)
    text = story_lines(shop.story(order_no))
    assert text[0].startswith(f"order {order_no}: Rejected: it could not have 2 of sku 1")
    assert text[1:4] == [f"trace {TRACE}", "", "     2026-09-21 (UTC)"]
    assert text[4:] == [
        f"  1  14:13:20.040                buyer      {BASKET}",
        f"  2  14:13:20.040                orders     {ASKED}",
        f"  3  14:13:20.040                inventory  {NONE_LEFT}",
        f"  4  14:13:20.040                orders     {REJECTED}",
    ]


def test_the_json_has_the_record_and_the_place_of_each_line() -> None:
    shop = Shop(stock=1)
    story = story_json(shop.story(shop.place(1)))
    last = story["events"][-1]
    assert (story["outcome"], story["status"]) == ("REJECTED", "REJECTED")
    assert (last["record"], last["because"]) == ("orderstream.order.OrderRejected", 3)
    assert last["fields"]["refusals"][0]["available"] == 1
    assert last["at"].startswith("order.events/")
