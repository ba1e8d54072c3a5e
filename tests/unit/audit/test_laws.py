"""Every law is broken once, in an otherwise lawful history, and caught by its name."""

from __future__ import annotations

import pytest

from tests.unit.audit.breaking import FINAL, NOW, Break, both, lost_version, rename, unlawful
from tests.unit.audit.history import OTHER_SKU, SKU, History, judge, lawful
from tests.unit.audit.test_deep_stock import CASES as STOCK_CASES
from tests.unit.audit.test_promotions import CASES as PROMOTION_CASES
from topologies.audit.laws import Law

CASES = [
    # --- stock
    unlawful(Law.STOCK_VERSION, lambda h: h.drop("StockAdjusted"), NOW, "gap"),
    unlawful(Law.STOCK_VERSION, lambda h: h.repeat("StockReceived"), NOW, "twice"),
    unlawful(Law.STOCK_BALANCE, lost_version("StockHeld", "held"), NOW, "held"),
    unlawful(Law.STOCK_BALANCE, lost_version("StockDeducted", "on_hand"), NOW, "on_hand"),
    unlawful(Law.STOCK_BOUNDS, lambda h: h.adjusted(-1_000), NOW, "negative"),
    unlawful(Law.STOCK_BOUNDS, lambda h: h.held("HX", "X", 95), NOW, "more-held-than-there-is"),
    unlawful(Law.STOCK_DELTA, lambda h: h.change("StockHeld", qty=5), NOW, "held"),
    unlawful(Law.STOCK_DELTA, lambda h: h.change("StockDeducted", qty=1), NOW, "deducted"),
    unlawful(Law.STOCK_DELTA, lambda h: h.change("StockReleased", qty=1), NOW, "released"),
    unlawful(Law.STOCK_DELTA, lambda h: h.change("StockReceived", delta_held=1), NOW, "received"),
    unlawful(Law.STOCK_DELTA, lambda h: h.received(0), NOW, "nothing-received"),
    unlawful(Law.STOCK_DELTA, lambda h: h.change("StockAdjusted", delta_held=1), NOW, "adjusted"),
    unlawful(
        Law.STOCK_DELTA, lambda h: h.change("StockDeducted", order_no="B"), NOW, "other-order"
    ),
    unlawful(Law.STOCK_SUM, lost_version("StockReceived", "delta_on_hand"), NOW, "deltas"),
    unlawful(Law.STOCK_SUM, lambda h: h.change("StockHeld", qty=5), NOW, "open-holds"),
    unlawful(Law.HOLD_BEGINS_ONCE, lambda h: h.held("HA", "A", 1), NOW),
    unlawful(Law.HOLD_ENDS_ONCE, lambda h: h.deducted("HA"), NOW, "deducted-twice"),
    unlawful(Law.HOLD_ENDS_ONCE, lambda h: h.released("HA"), NOW, "released-after-deducted"),
    unlawful(Law.HOLD_ENDS_ONCE, lambda h: h.drop("StockHeld"), NOW, "never-begun"),
    unlawful(
        Law.HOLD_FENCED,
        both(lambda h: h.fenced("HX", "X"), lambda h: h.held("HX", "X", 1)),
        NOW,
        "begun-after-its-fence",
    ),
    unlawful(Law.HOLD_FENCED, lambda h: h.fenced("HA", "A"), NOW, "after-its-begin"),
    unlawful(Law.HOLD_OF_ORDER, lambda h: h.held("HX", "X", 1)),
    unlawful(Law.HOLD_OPEN, lambda h: h.held("HA2", "A", 1), FINAL, "confirmed"),
    unlawful(Law.HOLD_OPEN, lambda h: h.held("HD", "D", 1), FINAL, "rejected"),
    unlawful(Law.HOLD_OPEN, lambda h: h.drop("StockReleased"), FINAL, "cancelled"),
    unlawful(Law.HOLD_DEDUCTED, lambda h: h.drop("StockDeducted"), FINAL, "missing"),
    unlawful(
        Law.HOLD_DEDUCTED,
        both(lambda h: h.held("HC2", "C", 1), lambda h: h.deducted("HC2")),
        FINAL,
        "cancelled-order",
    ),
    unlawful(Law.SOLD_UNITS, lambda h: h.drop("StockDeducted")),
    unlawful(
        Law.NO_OVERSELL,
        both(lambda h: h.held("HX", "X", 120), lambda h: h.deducted("HX")),
        NOW,
    ),
    # --- orders
    unlawful(Law.ORDER_VERSION, lost_version("OrderPaid"), NOW, "gap"),
    unlawful(Law.ORDER_VERSION, lambda h: h.repeat("OrderConfirmed"), NOW, "twice"),
    unlawful(
        Law.ORDER_VERSION,
        both(lambda h: h.repeat("OrderCompleted", version=9), lambda h: rename(h, "OrderRefused")),
        NOW,
        "refusal",
    ),
    unlawful(
        Law.ORDER_VERSION,
        both(
            lambda h: h.repeat("OrderCompleted", version=9, command="CompleteOrder"),
            lambda h: rename(h, "OrderRepeated"),
        ),
        NOW,
        "repeat",
    ),
    unlawful(
        Law.ORDER_VERSION,
        both(
            lambda h: h.repeat("OrderCompleted", order_no="X", version=0, command="PlaceOrder"),
            lambda h: rename(h, "OrderRepeated"),
        ),
        NOW,
        "repeat-of-nothing",
    ),
    unlawful(
        Law.ORDER_SEQUENCE,
        both(
            lambda h: h.placed("X"),
            lambda h: h.repeat("OrderPlaced", order_no="X", version=1, command="PlaceOrder"),
            lambda h: rename(h, "OrderRepeated"),
        ),
        NOW,
        "repeat-before-the-decision",
    ),
    unlawful(Law.ORDER_SEQUENCE, lambda h: h.drop("OrderCreated"), NOW, "step-left-out"),
    unlawful(Law.ORDER_SEQUENCE, lambda h: h.order("OrderPaid", "C"), NOW, "after-the-end"),
    unlawful(Law.ORDER_SEQUENCE, lambda h: h.order("OrderCreated", "X"), NOW, "never-placed"),
    unlawful(Law.ORDER_PLACED_ONCE, lambda h: h.placed("A"), NOW),
    unlawful(Law.ORDER_PRICE, lost_version("OrderPlaced", "total_fen"), NOW, "total"),
    unlawful(Law.ORDER_PRICE, lambda h: set_item(h, "lines", "payable_fen", 1), NOW, "line"),
    unlawful(Law.ORDER_PRICE, lambda h: set_item(h, "holds", "amount", 1), NOW, "holds"),
    unlawful(Law.ORDER_AMOUNT, lambda h: h.change("OrderPaid", total_fen=1), NOW, "paid"),
    unlawful(Law.ORDER_AMOUNT, lambda h: h.change("OrderPaid", currency="USD"), NOW, "currency"),
    unlawful(
        Law.ORDER_AMOUNT, lambda h: h.change("OrderPaymentOpened", amount_fen=1), NOW, "opened"
    ),
    unlawful(Law.ORDER_AMOUNT, lambda h: h.change("OrderAmended", currency="USD"), NOW, "amended"),
    unlawful(Law.ORDER_PRICE, lambda h: h.change("OrderAmended", total_fen=1), NOW, "amended"),
    unlawful(
        Law.ORDER_SHIPPED, lambda h: h.change("OrderShipped", units=units(3)), NOW, "too-many"
    ),
    unlawful(
        Law.ORDER_SHIPPED,
        lambda h: h.change("OrderShipped", units=units(1, OTHER_SKU)),
        NOW,
        "not-ordered",
    ),
    unlawful(Law.ORDER_SHIPPED, lambda h: h.change("OrderShipped", units=[]), NOW, "nothing"),
    unlawful(Law.ORDER_SHIPPED, lambda h: h.change("OrderShipped", waybill_no=""), NOW, "unnamed"),
    unlawful(Law.ORDER_REFUND, lambda h: h.change("OrderRefunding", amount_fen=901), NOW, "more"),
    unlawful(Law.ORDER_REFUND, lambda h: h.change("OrderRefunding", amount_fen=0), NOW, "none"),
    unlawful(Law.ORDER_REFUND, lambda h: h.change("OrderRefunding", currency="USD"), NOW, "coin"),
    unlawful(Law.ORDER_REFUND, lambda h: h.change("OrderRefunded", amount_fen=1), NOW, "not-all"),
    unlawful(
        Law.ORDER_REFUND,
        both(
            lambda h: h.change("OrderRefunding", 1, amount_fen=1_400),
            lambda h: h.change("OrderPartlyRefunded", amount_fen=1_400),
        ),
        NOW,
        "all-called-a-part",
    ),
    unlawful(
        Law.ORDER_REFUND,
        lambda h: h.order("OrderRefunding", "I", amount_fen=1_400 - 467 + 1),
        NOW,
        "together",
    ),
    unlawful(Law.ORDER_OPERATED, lambda h: h.change("OrderOperated", operator=""), NOW, "who"),
    unlawful(Law.ORDER_OPERATED, lambda h: h.change("OrderOperated", reason=""), NOW, "why"),
    unlawful(
        Law.ORDER_VERSION, lambda h: h.change("OrderOperated", version=3), NOW, "of-an-operator"
    ),
    unlawful(
        Law.ORDER_SEQUENCE,
        lambda h: h.order("OrderOperated", "C", action="RETRY"),
        NOW,
        "operated-after-the-end",
    ),
    unlawful(
        Law.ORDER_SEQUENCE,
        lambda h: rename(h, "OrderShipped", "OrderPartlyShipped"),
        NOW,
        "a-parcel-after-the-last",
    ),
    unlawful(Law.ORDER_REJECTION, lambda h: h.change("OrderRejected", refusals=[]), NOW),
    unlawful(Law.ORDER_SETTLED, lambda h: h.drop("OrderCancelled"), FINAL, "cancelling"),
    unlawful(Law.ORDER_SETTLED, lambda h: h.created("X"), FINAL, "waiting-for-payment"),
    # --- money
    unlawful(Law.PAYMENT_VERSION, lambda h: h.drop("PaymentRequested"), NOW, "gap"),
    unlawful(Law.PAYMENT_VERSION, lambda h: h.repeat("PaymentSucceeded"), NOW, "twice"),
    unlawful(Law.PAYMENT_ATTEMPT, lambda h: h.payment("PaymentRequested", "A"), NOW, "twice"),
    unlawful(Law.PAYMENT_ATTEMPT, lambda h: h.payment("PaymentFailed", "A"), NOW, "after-money"),
    unlawful(
        Law.PAYMENT_ATTEMPT, lambda h: h.payment("PaymentSucceeded", "C"), NOW, "closed-revived"
    ),
    unlawful(
        Law.PAYMENT_ATTEMPT, lambda h: h.payment("PaymentSucceeded", "A", "Z"), NOW, "never-asked"
    ),
    unlawful(
        Law.PAYMENT_ATTEMPT,
        lambda h: h.payment("PaymentSucceeded", "A", gateway_txn_no="second"),
        NOW,
        "second-money-kept",
    ),
    unlawful(
        Law.PAYMENT_AMOUNT, lambda h: h.change("PaymentSucceeded", amount_fen=1), NOW, "amount"
    ),
    unlawful(
        Law.PAYMENT_AMOUNT, lambda h: h.change("PaymentSucceeded", currency="USD"), NOW, "currency"
    ),
    unlawful(
        Law.PAYMENT_ONCE, lambda h: h.change("PaymentSucceeded", 1, gateway_txn_no="TPA"), NOW
    ),
    unlawful(
        Law.PAYMENT_KEPT_ONCE,
        both(
            lambda h: h.payment("PaymentRequested", "A", "Z"),
            lambda h: h.payment("PaymentSucceeded", "A", "Z"),
        ),
        NOW,
    ),
    unlawful(
        Law.PAYMENT_KEPT_ONCE,
        lambda h: second_kept_after_a_refund_that_failed(h),
        FINAL,
        "refund-failed",
    ),
    unlawful(Law.PAYMENT_OF_ORDER, lambda h: h.payment("PaymentRequested", "X")),
    unlawful(
        Law.SURPLUS_REFUNDED,
        both(lambda h: h.drop("RefundRequested"), lambda h: h.drop("RefundSucceeded")),
        FINAL,
        "never-asked",
    ),
    unlawful(Law.SURPLUS_REFUNDED, lambda h: h.drop("RefundSucceeded"), FINAL, "never-returned"),
    unlawful(
        Law.REFUND_WITHIN_PAYMENT,
        lambda h: h.payment("RefundRequested", "A", amount_fen=901),
        NOW,
        "one",
    ),
    unlawful(
        Law.REFUND_WITHIN_PAYMENT,
        both(
            lambda h: h.payment("RefundRequested", "A", amount_fen=500),
            lambda h: h.payment("RefundRequested", "A", refund_no="R2", amount_fen=500),
        ),
        NOW,
        "together",
    ),
    unlawful(
        Law.REFUND_WITHIN_PAYMENT, lambda h: h.payment("RefundRequested", "D"), NOW, "never-paid"
    ),
    unlawful(Law.REFUND_ANSWERED, lambda h: h.payment("RefundSucceeded", "E"), NOW, "twice"),
    unlawful(Law.REFUND_ANSWERED, lambda h: h.payment("RefundSucceeded", "A"), NOW, "never-asked"),
    unlawful(Law.REFUND_ANSWERED, lambda h: h.payment("RefundRequested", "E"), NOW, "asked-twice"),
    unlawful(Law.REFUND_ANSWERED, lambda h: h.change("RefundSucceeded", amount_fen=1), NOW, "less"),
    unlawful(Law.REFUND_ANSWERED, lambda h: h.drop("RefundSucceeded"), FINAL, "never"),
    unlawful(Law.REFUND_ANSWERED, lambda h: h.change("RefundOverpaid", refund_no="Z"), NOW, "over"),
    unlawful(
        Law.REFUND_ANSWERED, lambda h: h.change("RefundRequested", is_repeat=True), NOW, "repeat"
    ),
    unlawful(
        Law.REFUND_ANSWERED,
        both(
            lambda h: h.payment("RefundRequested", "A"),
            lambda h: h.payment("RefundFailed", "A"),
        ),
        FINAL,
        "given-up-without-a-ticket",
    ),
    unlawful(Law.QUERY, lambda h: h.payment("PaymentQueried", "A"), NOW, "paid"),
    unlawful(Law.QUERY, lambda h: h.payment("PaymentQueried", "C"), NOW, "closed"),
    unlawful(Law.QUERY, lambda h: h.payment("PaymentQueried", "D"), NOW, "never-asked"),
    unlawful(Law.QUERY, lambda h: h.payment("RefundQueried", "B"), NOW, "returned"),
    unlawful(Law.QUERY, lambda h: h.payment("RefundQueried", "A"), NOW, "refund-never-asked"),
    unlawful(Law.TICKET, lambda h: h.drop("PaymentTicketOpened", 1), NOW, "never-opened"),
    unlawful(Law.TICKET, lambda h: h.repeat("PaymentTicketOpened"), NOW, "twice"),
    unlawful(Law.TICKET, lambda h: h.change("PaymentTicketOpened", reason="BORED"), NOW, "reason"),
    unlawful(
        Law.TICKET, lambda h: h.change("PaymentTicketClosed", amount_fen=1), NOW, "other-amount"
    ),
    unlawful(
        Law.TICKET, lambda h: h.change("PaymentTicketClosed", resolution="WRITTEN_OFF"), NOW, "fit"
    ),
    unlawful(Law.TICKET, lambda h: h.change("PaymentTicketClosed", operator=""), NOW, "nobody"),
    unlawful(
        Law.BOOKS, lambda h: h.change("RefundRequested", is_surplus=False), NOW, "wrong-account"
    ),
    unlawful(
        Law.BOOKS,
        lambda h: h.payment("RefundRequested", "A", amount_fen=901),
        NOW,
        "more-than-is-kept",
    ),
    unlawful(Law.BOOKS, lambda h: h.drop("RefundRequested", 4), NOW, "refund-not-owed"),
    unlawful(Law.BOOKS, lambda h: h.drop("RefundOverpaid"), NOW, "not-overpaid"),
    unlawful(Law.BOOKS_SETTLED, lambda h: h.drop("RefundRequested"), FINAL, "surplus"),
    unlawful(Law.BOOKS_SETTLED, lambda h: h.drop("RefundSucceeded"), FINAL, "refund"),
    unlawful(
        Law.BOOKS_SETTLED,
        both(
            lambda h: h.drop("PaymentTicketOpened", 2), lambda h: h.drop("PaymentTicketClosed", 1)
        ),
        FINAL,
        "overpaid",
    ),
    unlawful(Law.PAID_HAS_PAYMENT, lambda h: h.drop("PaymentSucceeded"), FINAL, "none"),
    unlawful(Law.PAID_HAS_PAYMENT, lambda h: h.change("OrderPaid", pay_no="Z"), FINAL, "other"),
    unlawful(Law.PAID_HAS_PAYMENT, lambda h: h.change("OrderPaid", total_fen=1), NOW, "amount"),
    unlawful(
        Law.PAID_HAS_PAYMENT,
        lambda h: rename(h, "PaymentSurplus", "PaymentSucceeded"),
        NOW,
        "surplus",
    ),
    unlawful(Law.KEPT_MONEY, lambda h: h.drop("PaymentSucceeded"), FINAL, "none"),
    unlawful(
        Law.KEPT_MONEY,
        both(
            lambda h: h.payment("RefundRequested", "A", amount_fen=1),
            lambda h: h.payment("RefundSucceeded", "A", amount_fen=1),
        ),
        FINAL,
        "part-went-back",
    ),
    unlawful(Law.KEPT_MONEY, lambda h: h.drop("RefundSucceeded"), FINAL, "paid-twice"),
    unlawful(Law.ENDED_KEEPS_NOTHING, lambda h: h.drop("RefundSucceeded", 1), FINAL, "expired"),
    unlawful(Law.ENDED_KEEPS_NOTHING, lambda h: h.drop("RefundSucceeded", 3), FINAL, "refunded"),
    unlawful(
        Law.ENDED_KEEPS_NOTHING,
        lambda h: h.change("OrderOperated", 1, action="RETRY"),
        FINAL,
        "not-given-back-by-hand",
    ),
    unlawful(Law.KEPT_MONEY, lambda h: h.change("RefundSucceeded", 4, amount_fen=1), FINAL, "part"),
    unlawful(Law.MONEY_BALANCE, lambda h: h.change("PaymentSucceeded", amount_fen=1)),
    # --- facts as such
    unlawful(Law.KNOWN_FACT, lambda h: rename(h, "OrderTeleported"), NOW, "unknown"),
    unlawful(Law.KNOWN_FACT, lambda h: h.facts[0][2].pop("version"), NOW, "field-missing"),
]


def units(qty: int, sku: int = SKU) -> list[dict[str, int]]:
    return [{"sku_id": sku, "qty": qty}]


def set_item(history: History, items: str, field: str, value: int) -> None:
    history.facts[history.find("OrderPlaced")][2][items][0][field] = value


def second_kept_after_a_refund_that_failed(history: History) -> None:
    history.payment("RefundRequested", "A")
    history.payment("PaymentRequested", "A", "Z")
    history.payment("PaymentSucceeded", "A", "Z")
    history.payment("RefundFailed", "A")


@pytest.mark.parametrize(("law", "break_", "final"), CASES)
def test_a_broken_law_is_caught_by_its_name(law: Law, break_: Break, final: bool) -> None:
    history = lawful()
    break_(history)

    verdict = judge(history, final)

    assert not verdict.ok
    assert law in verdict.broken
    assert any(v.law is law and v.key and v.expected and v.found for v in verdict.violations)


def test_what_waits_in_a_ticket_is_no_violation() -> None:
    history = lawful()
    history.cancelled("X")
    history.payment("PaymentSurplus", "X")
    history.payment("RefundRequested", "X")
    history.payment("RefundFailed", "X")
    assert Law.BOOKS_SETTLED in judge(history, FINAL).broken

    history.ticket("X", "REFUND_UNPAID", "RPX")

    assert judge(history, FINAL).ok


def test_a_refund_given_back_by_hand_may_be_settled_by_its_ticket() -> None:
    history = lawful()
    history.ticket("J", "REFUND_UNPAID", "RPJ", resolution="SETTLED")
    history.payment("RefundSucceeded", "J", gateway="manual")

    assert judge(history, FINAL).ok


def test_every_law_has_a_history_that_breaks_it() -> None:
    elsewhere = {Law.CAUSE, Law.ORDER_LOST}  # test_auditor.py
    for cases in (STOCK_CASES, PROMOTION_CASES):
        elsewhere |= {case.values[0] for case in cases}  # type: ignore[attr-defined]
    assert {case.values[0] for case in CASES} | elsewhere == set(Law)  # type: ignore[attr-defined]


@pytest.mark.parametrize("final", [NOW, FINAL])
def test_a_lawful_history_breaks_nothing(final: bool) -> None:
    verdict = judge(lawful(), final)

    assert verdict.violations == ()
    assert verdict.ok


def test_one_error_is_reported_where_it_is_and_not_again_at_what_follows() -> None:
    history = lawful()
    history.facts[history.find("StockAdjusted")][2]["version"] = 7
    following = history.facts[history.find("StockHeld")][2]

    broken = judge(history, NOW).broken

    assert following["sku_id"] == SKU
    assert broken == {Law.STOCK_VERSION: 2}  # to the wrong version, and back to the right one


def test_skus_are_judged_apart() -> None:
    history = lawful()
    history.held("HX", "B", 60, OTHER_SKU)

    verdict = judge(history, NOW)

    assert [(v.law, v.key) for v in verdict.violations] == [
        (Law.STOCK_BOUNDS, f"sku {OTHER_SKU} in east")
    ]
