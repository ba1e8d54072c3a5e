"""What a client may ask of its order, and what an operator may do to stock."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.inventory import (
    AdjustStock,
    CountStock,
    ExtendHold,
    Restock,
    SetStockRules,
    TransferStock,
    TryHold,
)
from schemas.order import (
    CancelOrder,
    CompleteOrder,
    OperateOrder,
    OperatorAction,
    PayOrder,
    RefundOrder,
    ShipOrder,
    SkuUnits,
)
from schemas.record import Record
from schemas.topics import INVENTORY_COMMANDS, INVENTORY_INTENTS, ORDER_COMMANDS, ORDER_INTENTS
from streams.admission import InvalidIntent, ProblemCode, admit, derive_trace_id
from streams.admission.entries import MAX_ENTRY_QTY, MAX_EXTENSION_MS, MAX_REF_LENGTH
from streams.admission.fields import MAX_REASON_LENGTH
from streams.admission.placing import MAX_KEY_LENGTH, MAX_LINES
from streams.admission.requests import MAX_NAME_LENGTH
from streams.kernel.stage import Output
from streams.pricing import ListPrice

NO = "0123456789ABCDEF"
TRACE = "a" * 32


class NoPrices:
    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        raise AssertionError("nothing here has a price")


PAY = PayOrder(NO, 7, 1_001, "wechat", TRACE)
CANCEL = CancelOrder(NO, 7, 1_001, "", TRACE)
COMPLETE = CompleteOrder(NO, 7, 1_001, TRACE)
REFUND = RefundOrder(NO, 7, 1_001, "broken", TRACE)
PART = replace(REFUND, refund_key="return-1", units=(SkuUnits(5, 1),))
SHIP = ShipOrder(NO, 7, "SF1", "SF", (SkuUnits(5, 1),), TRACE)
OPERATE = OperateOrder(NO, 7, "li.wei", OperatorAction.RETRY, "the warehouse is back", TRACE)
RESTOCK = Restock("D-1", 7, 5, "W1", 100, TRACE)
ADJUST = AdjustStock("D-2", 7, 5, "W1", -3, "stock-take", TRACE)
TRANSFER = TransferStock("D-3", 7, 5, "W1", "W2", 4, "ada", TRACE)
COUNT = CountStock("D-4", 7, 5, "W1", 0, "ada", TRACE)
RULES = SetStockRules("D-5", 7, 5, 2, 0, "ada", TRACE)
EXTEND = ExtendHold(f"{NO}/5", NO, 7, 5, 60_000, TRACE, "ada")
REQUESTS = [PAY, CANCEL, COMPLETE, REFUND, PART, SHIP, OPERATE]
ENTRIES = [RESTOCK, ADJUST, TRANSFER, COUNT, RULES, EXTEND]


def problems(message: Record) -> list[tuple[ProblemCode, str]]:
    with pytest.raises(InvalidIntent) as error:
        admit(message, NoPrices(), 0)
    return [(problem.code, problem.field) for problem in error.value.problems]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda record: type(record).__name__)
def test_a_request_goes_to_the_orders_stage_under_its_order(request_: Record) -> None:
    assert admit(request_, NoPrices(), 0) == Output(ORDER_COMMANDS.name, NO, request_)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda record: type(record).__name__)
def test_an_entry_goes_to_the_inventory_stage_under_its_sku(entry: Record) -> None:
    assert admit(entry, NoPrices(), 0) == Output(INVENTORY_COMMANDS.name, "5", entry)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda record: type(record).__name__)
def test_a_request_without_a_trace_gets_that_of_its_order(request_: Record) -> None:
    bare = replace(request_, trace_id="")
    traced = replace(request_, trace_id=derive_trace_id(NO))
    assert admit(bare, NoPrices(), 0).message == traced


def test_entries_without_a_trace_get_one_each() -> None:
    bare = [replace(entry, trace_id="") for entry in (*ENTRIES, replace(RESTOCK, ref="D-3"))]
    traces = {admit(entry, NoPrices(), 0).message.trace_id for entry in bare}  # type: ignore[attr-defined]  # both kinds have one
    assert len(traces) == len(bare)
    assert all(len(trace) == 32 for trace in traces)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (replace(PAY, order_no="X"), [("BAD_ORDER_NO", "order_no")]),
        (replace(PAY, order_no=NO.lower()), [("BAD_ORDER_NO", "order_no")]),
        (replace(PAY, order_no=NO + "\n"), [("BAD_ORDER_NO", "order_no")]),
        (replace(PAY, channel=""), [("BAD_CHANNEL", "channel")]),
        (replace(PAY, channel="x" * 33), [("BAD_CHANNEL", "channel")]),
        (
            replace(COMPLETE, shop_id=0, user_id=0),
            [("BAD_SHOP", "shop_id"), ("BAD_USER", "user_id")],
        ),
        (replace(CANCEL, reason="x" * (MAX_REASON_LENGTH + 1)), [("BAD_REASON", "reason")]),
        (replace(REFUND, reason="a\x00b"), [("BAD_REASON", "reason")]),
        (replace(REFUND, trace_id="A" * 32), [("BAD_TRACE", "trace_id")]),
        (replace(PART, refund_key=""), [("BAD_KEY", "refund_key")]),
        (replace(PART, refund_key="x" * (MAX_KEY_LENGTH + 1)), [("BAD_KEY", "refund_key")]),
        (replace(PART, units=(SkuUnits(5, 0),)), [("BAD_UNITS", "units[0]")]),
        (replace(PART, units=(SkuUnits(5, 1), SkuUnits(0, 1))), [("BAD_UNITS", "units[1]")]),
        (replace(PART, units=(SkuUnits(5, 1),) * (MAX_LINES + 1)), [("BAD_UNITS", "units")]),
        (replace(SHIP, waybill_no=""), [("BAD_WAYBILL", "waybill_no")]),
        (replace(SHIP, waybill_no="x" * (MAX_NAME_LENGTH + 1)), [("BAD_WAYBILL", "waybill_no")]),
        (replace(SHIP, carrier="\t"), [("BAD_WAYBILL", "carrier")]),
        (replace(SHIP, units=(SkuUnits(5, -1),)), [("BAD_UNITS", "units[0]")]),
        (replace(SHIP, shop_id=0), [("BAD_SHOP", "shop_id")]),
        (replace(OPERATE, operator=""), [("BAD_OPERATOR", "operator")]),
        (replace(OPERATE, reason=""), [("BAD_REASON", "reason")]),
        (
            replace(OPERATE, shop_id=-1, reason="\n"),
            [("BAD_SHOP", "shop_id"), ("BAD_REASON", "reason")],
        ),
        (replace(RESTOCK, ref=""), [("BAD_ENTRY", "ref")]),
        (replace(RESTOCK, ref="x" * (MAX_REF_LENGTH + 1)), [("BAD_ENTRY", "ref")]),
        (replace(RESTOCK, shop_id=0), [("BAD_ENTRY", "shop_id")]),
        (replace(RESTOCK, sku_id=0), [("BAD_ENTRY", "sku_id")]),
        (replace(RESTOCK, warehouse_id=""), [("BAD_ENTRY", "warehouse_id")]),
        (replace(RESTOCK, warehouse_id="a/b"), [("BAD_ENTRY", "warehouse_id")]),
        (replace(RESTOCK, qty=0), [("BAD_ENTRY", "qty")]),
        (replace(RESTOCK, qty=MAX_ENTRY_QTY + 1), [("BAD_ENTRY", "qty")]),
        (replace(ADJUST, delta=0), [("BAD_ENTRY", "delta")]),
        (replace(ADJUST, delta=-MAX_ENTRY_QTY - 1), [("BAD_ENTRY", "delta")]),
        (replace(ADJUST, reason="x" * (MAX_REASON_LENGTH + 1)), [("BAD_ENTRY", "reason")]),
        (replace(ADJUST, trace_id="1"), [("BAD_TRACE", "trace_id")]),
        (
            replace(ADJUST, ref="", sku_id=-1, delta=0),
            [("BAD_ENTRY", "ref"), ("BAD_ENTRY", "sku_id"), ("BAD_ENTRY", "delta")],
        ),
        (replace(TRANSFER, qty=0), [("BAD_ENTRY", "qty")]),
        (replace(TRANSFER, to_warehouse_id="W1"), [("BAD_ENTRY", "to_warehouse_id")]),
        (replace(TRANSFER, from_warehouse_id=""), [("BAD_ENTRY", "from_warehouse_id")]),
        (replace(TRANSFER, operator=""), [("BAD_ENTRY", "operator")]),
        (replace(COUNT, counted=-1), [("BAD_ENTRY", "counted")]),
        (replace(COUNT, operator="a\nb"), [("BAD_ENTRY", "operator")]),
        (
            replace(RULES, buyer_limit=-1, backorder_cap=-1),
            [("BAD_ENTRY", "buyer_limit"), ("BAD_ENTRY", "backorder_cap")],
        ),
        (replace(EXTEND, hold_id=""), [("BAD_ENTRY", "hold_id")]),
        (replace(EXTEND, ttl_ms=0), [("BAD_ENTRY", "ttl_ms")]),
        (replace(EXTEND, ttl_ms=MAX_EXTENSION_MS + 1), [("BAD_ENTRY", "ttl_ms")]),
        (
            replace(EXTEND, order_no="X", operator="", trace_id="1"),
            [("BAD_ORDER_NO", "order_no"), ("BAD_ENTRY", "operator"), ("BAD_TRACE", "trace_id")],
        ),
        (TryHold("h", NO, 1, 1, 1, 1, 1, TRACE), [("NOT_AN_INTENT", "record")]),
    ],
)
def test_what_is_malformed_is_refused_by_name(
    message: Record, expected: list[tuple[str, str]]
) -> None:
    assert problems(message) == expected


def test_everything_that_the_public_topics_may_carry_is_admitted_or_refused_by_its_fields() -> None:
    samples = {type(message): message for message in (*REQUESTS, *ENTRIES)}
    for kind in (*ORDER_INTENTS.records, *INVENTORY_INTENTS.records):
        if kind in samples:
            admit(samples[kind], NoPrices(), 0)
        else:
            assert kind.__name__ in ("PlaceOrderIntent", "AmendOrderIntent")  # test_placing.py
