"""The laws of transfers, counts, holds over several warehouses, promised units and buyers."""

from __future__ import annotations

import pytest

from tests.unit.audit.breaking import FINAL, NOW, Break, both, lost_version, rename, unlawful
from tests.unit.audit.history import OTHER_PLACE, SCARCE, WAREHOUSE, History, judge, lawful
from topologies.audit.laws import Law


def last(name: str, history: History) -> int:
    """Return the number of the last fact of this name that takes part in a hold over several."""
    facts = [fact for _, kind, fact in history.facts if kind == name]
    return max(n for n, fact in enumerate(facts) if fact["hold_id"] == "HP")


def why(asked: int, qty: int) -> dict[str, object]:
    return {"allocation": "NEAREST", "passed_over": [], "asked": asked, "qty": qty}


CASES = [
    unlawful(Law.STOCK_DELTA, lambda h: h.change("StockCounted", delta_held=1), NOW, "counted"),
    unlawful(
        Law.STOCK_DELTA, lambda h: h.change("BackorderServed", owed=True), NOW, "served-as-owed"
    ),
    unlawful(
        Law.TRANSFER_SUM,
        lambda h: h.change("StockTransferred", 1, delta_on_hand=4, on_hand=4),
        FINAL,
        "less",
    ),
    unlawful(Law.TRANSFER_SUM, lambda h: h.drop("StockTransferred", 1), FINAL, "one-side"),
    unlawful(
        Law.HOLD_SHARES,
        lambda h: h.change("StockHeld", last("StockHeld", h), allocated=why(asked=2, qty=0)),
        NOW,
        "more-than-asked",
    ),
    unlawful(Law.HOLD_SHARES, lambda h: h.change("StockBackordered", asked=9), NOW, "promised"),
    unlawful(
        Law.HOLD_BEGINS_ONCE,
        lambda h: h.share("StockHeld", "HP", "P", 1, WAREHOUSE, asked=2),
        NOW,
        "share-after-the-end",
    ),
    unlawful(
        Law.HOLD_BEGINS_ONCE, lambda h: h.promised("HQ", "Q", 1, asked=1), NOW, "second-promise"
    ),
    unlawful(
        Law.HOLD_ENDS_ONCE,
        lambda h: rename(h, "StockReleased", "StockDeducted", last("StockDeducted", h)),
        NOW,
        "shares-differ",
    ),
    unlawful(Law.HOLD_RETURNED, lambda h: h.returned("HS", 1), NOW, "twice"),
    unlawful(Law.HOLD_RETURNED, lambda h: h.returned("HC", 1), NOW, "never-sold"),
    unlawful(Law.HOLD_DEDUCTED, lambda h: h.returned("HA"), FINAL, "returned-though-kept"),
    unlawful(Law.HOLD_DEDUCTED, lambda h: h.drop("StockReturned"), FINAL, "kept-though-refunded"),
    unlawful(Law.HOLD_OPEN, lambda h: h.promised("HD", "D", 1, asked=1), FINAL, "promised"),
    unlawful(Law.BACKORDER_BALANCE, lost_version("StockBackordered", "backordered"), NOW, "more"),
    unlawful(Law.BACKORDER_BALANCE, lambda h: h.drop("BackorderServed"), NOW, "not-served"),
    unlawful(Law.BACKORDER_BALANCE, lambda h: h.owed("HA", 1), NOW, "owed-never-promised"),
    unlawful(Law.BACKORDER_BALANCE, lambda h: h.promise_released("HR", 1), NOW, "released-twice"),
    unlawful(Law.BACKORDER_CAP, lambda h: h.promised("HX", "X", 10, asked=10), NOW),
    unlawful(
        Law.BACKORDER_FIRST,
        both(lambda h: h.promised("HX", "X", 2, asked=2), lambda h: h.held("HY", "Y", 1, SCARCE)),
        NOW,
    ),
    unlawful(Law.BUYER_LIMIT, lambda h: h.buyer(4, 3), NOW, "past-it"),
    unlawful(Law.BUYER_LIMIT, lambda h: h.buyer(3, 1), NOW, "wrong-sum"),
    unlawful(Law.BUYER_LIMIT, lambda h: h.buyer(-1, -2), NOW, "negative"),
]


def deep() -> History:
    """Return a lawful history in which also more happens to stock than hold, deduct, release."""
    history = lawful()
    history.transferred(5)
    history.counted(-1)
    history.buyer(3, 3)
    history.buyer(1, -2)
    # P: held over two warehouses.
    history.placed("P")
    for name in ("StockHeld", "StockDeducted"):
        for place in (WAREHOUSE, OTHER_PLACE):
            history.share(name, "HP", "P", 1, place, asked=2)
    _paid_life(history, "P")
    # Q: one of two units was promised and came before the payment.
    history.received(1, SCARCE)
    history.placed("Q", sku=SCARCE)
    history.share_of_scarce("HQ", "Q", 1, asked=2)
    history.promised("HQ", "Q", 1, asked=2)
    history.received(1, SCARCE)
    history.served("HQ", 1, owed=False)
    history.deducted("HQ")
    _paid_life(history, "Q")
    # R: both units were promised and are owed; one of them came.
    history.placed("R", sku=SCARCE)
    history.promised("HR", "R", 2, asked=2)
    history.owed("HR", 2)
    _paid_life(history, "R")
    history.received(1, SCARCE)
    history.served("HR", 1, owed=True)
    # S: the money went back, so the goods did, and the promise ended.
    history.placed("S", qty=3, sku=SCARCE)
    history.promised("HS", "S", 3, asked=3)
    history.owed("HS", 3)
    history.received(2, SCARCE)
    history.served("HR", 1, owed=True)
    history.served("HS", 1, owed=True)
    history.returned("HS", 1)
    history.promise_released("HS", 2)
    _paid_life(history, "S", confirmed=False)
    history.order("OrderRefunding", "S", pay_no="PS", refund_no="RPS")
    history.payment("RefundRequested", "S")
    history.payment("RefundSucceeded", "S")
    history.order("OrderRefunded", "S", refund_no="RPS")
    return history


def _paid_life(history: History, order_no: str, confirmed: bool = True) -> None:
    history.order("OrderCreated", order_no)
    history.order("OrderPaymentOpened", order_no)
    history.payment("PaymentRequested", order_no)
    history.payment("PaymentSucceeded", order_no)
    history.order("OrderPaid", order_no)
    if confirmed:
        history.order("OrderConfirmed", order_no)


@pytest.mark.parametrize(("law", "break_", "final"), CASES)
def test_a_broken_law_is_caught_by_its_name(law: Law, break_: Break, final: bool) -> None:
    history = deep()
    break_(history)

    assert law in judge(history, final).broken


@pytest.mark.parametrize("final", [NOW, FINAL])
def test_a_lawful_history_breaks_nothing(final: bool) -> None:
    assert judge(deep(), final).violations == ()


def test_what_is_sold_and_owed_is_what_orders_have_confirmed() -> None:
    history = deep()
    history.placed("T", sku=SCARCE)
    history.promised("HT", "T", 2, asked=2)
    history.owed("HT", 2)
    _paid_life(history, "T")

    assert judge(history).ok  # owed, and nothing of it came
    history.change("BackorderConfirmed", 2, qty=1)
    assert set(judge(history).broken) == {Law.BACKORDER_BALANCE}
