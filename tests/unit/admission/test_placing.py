"""What an order must be before the orders stage sees it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.inventory import Allocation, HoldTerms, Shortage
from schemas.order import (
    AmendOrder,
    AmendOrderIntent,
    CartLine,
    HoldRef,
    PlaceOrder,
    PlaceOrderIntent,
    PricedLine,
)
from schemas.topics import ORDER_COMMANDS
from streams.admission import InvalidIntent, ProblemCode, admit, derive_order_no, derive_trace_id
from streams.admission.placing import (
    IDEMPOTENCY_WINDOW_MS,
    MAX_AHEAD_MS,
    MAX_KEY_LENGTH,
    MAX_LINES,
    MAX_QTY,
    MAX_WAREHOUSES,
)
from streams.kernel.errors import InvalidMessage
from streams.kernel.stage import Output
from streams.orders import OrderLimits, orders_stage
from streams.pricing import ListPrice
from tests.unit.orders.world import World

NOW_MS = 1_790_000_000_000


class Prices:
    """Skus 1 to 200 of shop 7 cost 100 times their id; sku 201 is sold in dollars."""

    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        if shop_id != 7 or not 1 <= sku_id <= 201:
            return None
        return ListPrice(100 * sku_id, "USD" if sku_id == 201 else "CNY")


PRICES = Prices()
INTENT = PlaceOrderIntent(
    shop_id=7,
    user_id=1_001,
    client_key="cart-42",
    lines=(CartLine(2, 1, 200), CartLine(1, 3, 100), CartLine(2, 2, 200)),
    total_fen=900,
    placed_at_ms=NOW_MS - 250,
    pay_channel="wechat",
)
ORDER_NO = derive_order_no(7, 1_001, "cart-42")


AMEND = AmendOrderIntent(
    order_no=ORDER_NO,
    shop_id=7,
    user_id=1_001,
    amend_key="one-more",
    lines=(CartLine(2, 4, 200), CartLine(1, 1, 100)),
    total_fen=900,
)


def problems(intent: PlaceOrderIntent | AmendOrderIntent) -> list[tuple[ProblemCode, str]]:
    with pytest.raises(InvalidIntent) as error:
        admit(intent, PRICES, NOW_MS)
    assert error.value.code == error.value.problems[0].code
    for problem in error.value.problems:
        assert str(problem) in error.value.detail
    return [(problem.code, problem.field) for problem in error.value.problems]


def test_an_intent_becomes_a_priced_numbered_order_that_knows_its_holds() -> None:
    output = admit(INTENT, PRICES, NOW_MS)

    assert isinstance(output.message, PlaceOrder)
    expected = PlaceOrder(
        order_no=ORDER_NO,
        shop_id=7,
        user_id=1_001,
        currency="CNY",
        lines=(
            PricedLine(2, 1, 200, 0, 200),
            PricedLine(1, 3, 100, 0, 300),
            PricedLine(2, 2, 200, 0, 400),
        ),
        rules=(),
        holds=(
            HoldRef(f"{ORDER_NO}/2", "stock", "2", 3),
            HoldRef(f"{ORDER_NO}/1", "stock", "1", 3),
        ),
        total_fen=900,
        placed_at_ms=NOW_MS - 250,
        fingerprint=output.message.fingerprint,
        flow="standard",
        pay_channel="wechat",
        trace_id=derive_trace_id(ORDER_NO),
    )
    assert output == Output(ORDER_COMMANDS.name, ORDER_NO, expected)


def test_a_trace_id_that_was_sent_is_kept() -> None:
    message = admit(replace(INTENT, trace_id="a" * 32), PRICES, NOW_MS).message

    assert isinstance(message, PlaceOrder)
    assert message.trace_id == "a" * 32


def test_what_is_admitted_is_what_the_orders_stage_takes() -> None:
    world = World()

    (placed,) = world.tell(admit(INTENT, PRICES, NOW_MS).message)
    assert placed.order_no == ORDER_NO  # type: ignore[attr-defined]  # an OrderPlaced
    assert world.tell(admit(INTENT, PRICES, NOW_MS).message) == []


def test_admission_and_the_orders_stage_agree_on_the_window() -> None:
    assert OrderLimits().idempotency_window_ms == IDEMPOTENCY_WINDOW_MS
    assert orders_stage().inbox is ORDER_COMMANDS


LINE = CartLine(1, 1, 100)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"user_id": 0}, [("BAD_USER", "user_id")]),
        ({"client_key": ""}, [("BAD_KEY", "client_key")]),
        ({"client_key": "k" * (MAX_KEY_LENGTH + 1)}, [("BAD_KEY", "client_key")]),
        ({"client_key": "a\nb"}, [("BAD_KEY", "client_key")]),
        ({"client_key": "\ud800"}, [("BAD_KEY", "client_key")]),
        ({"flow": "presale"}, [("BAD_FLOW", "flow")]),
        ({"pay_channel": ""}, [("BAD_CHANNEL", "pay_channel")]),
        ({"pay_channel": "we chat"}, [("BAD_CHANNEL", "pay_channel")]),
        ({"pay_channel": "wechat\n"}, [("BAD_CHANNEL", "pay_channel")]),
        ({"trace_id": "xyz"}, [("BAD_TRACE", "trace_id")]),
        ({"trace_id": "0" * 32}, [("BAD_TRACE", "trace_id")]),
        (
            {"placed_at_ms": NOW_MS - IDEMPOTENCY_WINDOW_MS},
            [("EXPIRED_INTENT", "placed_at_ms")],
        ),
        ({"placed_at_ms": NOW_MS + MAX_AHEAD_MS + 1}, [("EXPIRED_INTENT", "placed_at_ms")]),
        ({"lines": (), "total_fen": 0}, [("EMPTY_CART", "lines")]),
        ({"lines": (LINE,) * (MAX_LINES + 1)}, [("TOO_MANY_LINES", "lines")]),
        (
            {"lines": (CartLine(1, 0, 100),), "total_fen": 0},
            [("BAD_QUANTITY", "lines[0].qty")],
        ),
        (
            {"lines": (LINE, CartLine(1, MAX_QTY + 1, 100)), "total_fen": 100 * (MAX_QTY + 2)},
            [("BAD_QUANTITY", "lines[1].qty")],
        ),
        ({"lines": (CartLine(999, 1, 1),)}, [("UNKNOWN_SKU", "lines[0].sku_id")]),
        (
            {"lines": (LINE, CartLine(201, 1, 20_100)), "total_fen": 20_200},
            [("BAD_CURRENCY", "lines[1].sku_id")],
        ),
        ({"total_fen": 899}, [("PRICE_CHANGED", "total_fen")]),
        (
            {"lines": (CartLine(1, 1, 99),), "total_fen": 100},
            [("PRICE_CHANGED", "lines[0].unit_price_fen")],
        ),
    ],
)
def test_an_intent_is_refused_by_name(
    change: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert problems(replace(INTENT, **change)) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"placed_at_ms": NOW_MS - IDEMPOTENCY_WINDOW_MS + 1},
        {"placed_at_ms": NOW_MS + MAX_AHEAD_MS},
        {"client_key": "k" * MAX_KEY_LENGTH},
        {"lines": (LINE,) * MAX_LINES, "total_fen": 100 * MAX_LINES},
        {"lines": (CartLine(1, MAX_QTY, 100),), "total_fen": 100 * MAX_QTY},
        {"pay_channel": None},
        {"client_key": "购物车-1"},
    ],
)
def test_what_is_just_within_the_limits_is_admitted(change: dict[str, object]) -> None:
    assert isinstance(admit(replace(INTENT, **change), PRICES, NOW_MS).message, PlaceOrder)


def test_a_shop_that_is_none_is_refused() -> None:
    found = problems(replace(INTENT, shop_id=0))

    assert found[0] == (ProblemCode.BAD_SHOP, "shop_id")


def test_a_currency_that_is_none_is_refused() -> None:
    found = problems(replace(INTENT, currency="yuan"))

    assert found[0] == (ProblemCode.BAD_CURRENCY, "currency")


def test_every_bad_field_is_reported() -> None:
    bad = replace(
        INTENT,
        user_id=-1,
        client_key="",
        flow="x",
        placed_at_ms=0,
        lines=(CartLine(1, 0, 100), CartLine(999, 1, 1), CartLine(2, 1, 5)),
    )
    assert problems(bad) == [
        (ProblemCode.BAD_USER, "user_id"),
        (ProblemCode.BAD_KEY, "client_key"),
        (ProblemCode.BAD_FLOW, "flow"),
        (ProblemCode.EXPIRED_INTENT, "placed_at_ms"),
        (ProblemCode.BAD_QUANTITY, "lines[0].qty"),
        (ProblemCode.UNKNOWN_SKU, "lines[1].sku_id"),
        (ProblemCode.PRICE_CHANGED, "lines[2].unit_price_fen"),
    ]


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(InvalidMessage) as error:
        admit(replace(INTENT, total_fen=1), PRICES, NOW_MS)

    assert error.value.code == "PRICE_CHANGED"
    assert error.value.detail == (
        "total_fen: the cart costs 900, not 1; show the buyer the new total and place the order "
        "anew (PRICE_CHANGED)"
    )


def test_an_amend_is_priced_and_knows_what_the_order_has_to_hold_then() -> None:
    output = admit(AMEND, PRICES, NOW_MS)

    assert isinstance(output.message, AmendOrder)
    expected = AmendOrder(
        order_no=ORDER_NO,
        shop_id=7,
        user_id=1_001,
        amend_key="one-more",
        currency="CNY",
        lines=(PricedLine(2, 4, 200, 0, 800), PricedLine(1, 1, 100, 0, 100)),
        rules=(),
        holds=(
            HoldRef(f"{ORDER_NO}/2", "stock", "2", 4),
            HoldRef(f"{ORDER_NO}/1", "stock", "1", 1),
        ),
        total_fen=900,
        fingerprint=output.message.fingerprint,
        trace_id=derive_trace_id(ORDER_NO),
    )
    assert output == Output(ORDER_COMMANDS.name, ORDER_NO, expected)


def test_amends_are_told_apart_by_their_bodies() -> None:
    def fingerprint(intent: AmendOrderIntent) -> str:
        message = admit(intent, PRICES, NOW_MS).message
        assert isinstance(message, AmendOrder)
        return message.fingerprint

    other = replace(AMEND, lines=(CartLine(2, 4, 200),), total_fen=800)
    assert fingerprint(AMEND) == fingerprint(replace(AMEND, trace_id="a" * 32))
    assert fingerprint(AMEND) != fingerprint(other)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"order_no": "x"}, [(ProblemCode.BAD_ORDER_NO, "order_no")]),
        ({"user_id": 0}, [(ProblemCode.BAD_USER, "user_id")]),
        ({"amend_key": ""}, [(ProblemCode.BAD_KEY, "amend_key")]),
        (
            {"lines": (CartLine(2, 4, 199),), "total_fen": 800},
            [(ProblemCode.PRICE_CHANGED, "lines[0].unit_price_fen")],
        ),
        ({"total_fen": 1}, [(ProblemCode.PRICE_CHANGED, "total_fen")]),
        (
            {"order_no": "", "lines": (), "total_fen": 0},
            [(ProblemCode.BAD_ORDER_NO, "order_no"), (ProblemCode.EMPTY_CART, "lines")],
        ),
        ({"lines": (CartLine(999, 1, 1),)}, [(ProblemCode.UNKNOWN_SKU, "lines[0].sku_id")]),
    ],
)
def test_an_amend_that_is_wrong_is_refused_like_a_placement(
    change: dict[str, object], expected: list[tuple[ProblemCode, str]]
) -> None:
    assert problems(replace(AMEND, **change)) == expected


NEAR = HoldTerms(Allocation.NEAREST, Shortage.BACKORDER, ("W2", "W1"))


def on_terms(*terms: HoldTerms | None) -> PlaceOrderIntent:
    """The intent with terms for its lines of skus 2, 1 and 2."""
    lines = tuple(replace(line, terms=t) for line, t in zip(INTENT.lines, terms, strict=True))
    return replace(INTENT, lines=lines)


def test_the_terms_of_a_line_are_those_of_its_hold() -> None:
    message = admit(on_terms(NEAR, None, NEAR), PRICES, NOW_MS).message

    assert isinstance(message, PlaceOrder)
    assert message.holds == (
        HoldRef(f"{ORDER_NO}/2", "stock", "2", 3, NEAR),
        HoldRef(f"{ORDER_NO}/1", "stock", "1", 3),
    )


def test_lines_of_one_sku_must_have_the_same_terms() -> None:
    assert problems(on_terms(NEAR, None, None)) == [("BAD_TERMS", "lines[2].terms")]


def test_preferred_warehouses_are_few_and_well_formed() -> None:
    bad = replace(NEAR, warehouses=("a/b",))
    many = replace(NEAR, warehouses=("W",) * (MAX_WAREHOUSES + 1))
    for terms in (bad, many):
        assert problems(on_terms(None, terms, None)) == [("BAD_TERMS", "lines[1].terms.warehouses")]


def test_another_hold_on_other_terms_is_another_body() -> None:
    found = {
        admit(intent, PRICES, NOW_MS).message.fingerprint  # type: ignore[attr-defined]  # PlaceOrder
        for intent in (
            INTENT,
            on_terms(None, NEAR, None),
            on_terms(NEAR, None, NEAR),
            on_terms(None, replace(NEAR, warehouses=()), None),
        )
    }
    assert len(found) == 4
