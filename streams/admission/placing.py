"""Admits the placement of an order, and a change of it before it is paid."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from schemas.inventory import HoldTerms
from schemas.order import (
    AmendOrder,
    AmendOrderIntent,
    CartLine,
    HoldRef,
    PlaceOrder,
    PlaceOrderIntent,
)
from streams.admission.fields import (
    check_channel,
    check_currency,
    check_order_no,
    check_owner,
    check_trace,
    check_warehouse,
)
from streams.admission.identity import derive_order_no, derive_trace_id, fingerprint_of
from streams.admission.problems import InvalidIntent, Problem, ProblemCode
from streams.admission.promoting import check_coupons, promotion_holds, shopper_of
from streams.pricing.cart import Cart, PricedCart, PricingReason, UnpriceableCart
from streams.pricing.packs import Packs, pin_of
from streams.pricing.price import price
from streams.pricing.price_list import PriceList

IDEMPOTENCY_WINDOW_MS = 24 * 3600 * 1000
"""24 h, as long as the orders stage remembers a finished order (OrderLimits)."""

MAX_AHEAD_MS = 5 * 60 * 1000
"""5 min: how far a client's clock may be ahead of the broker's."""

MAX_LINES = 100
"""Lines of a cart. Each sku of it is a hold: 100 lines x 3 messages (try, held, confirm) a hold."""

MAX_QTY = 9_999
"""Units of one line. 100 lines x 9,999 units x 1e12 fen a unit = 1e18 fen, below 2^63 = 9.2e18."""

MAX_WAREHOUSES = 16
"""Warehouses that a line may prefer. 100 lines x 16 x 33 bytes: 53 KB, below Kafka's 1 MB."""

MAX_KEY_LENGTH = 128
"""Characters of a client key: three UUIDs fit."""

FLOWS = frozenset({"standard"})
"""The flows that an order may follow."""

STOCK = "stock"
"""Kind of a hold of goods, as the orders stage knows it."""

_WHAT_TO_DO = {
    PricingReason.UNKNOWN_SKU: "take the line out of the cart",
    PricingReason.BAD_CURRENCY: "order it apart, in its own currency",
}


def admit_order(
    intent: PlaceOrderIntent, price_list: PriceList, now_ms: int, packs: Packs | None = None
) -> PlaceOrder:
    """Return the command that places the order, at the best price under the shop's pack.

    ``now_ms`` is the broker's log-append time of the intent (epoch ms). By it, not by the client's
    clock, the pack is chosen, and the order names it. Raises InvalidIntent with every problem, in
    the order: owner, key, flow, channel, currency, trace, age, cart, prices, coupons.
    """
    problems: list[Problem] = []
    _check_head(intent, now_ms, problems)
    _check_cart(intent, problems)
    cart = Cart(intent.shop_id, intent.currency, intent.lines)
    pack = None if packs is None else packs.in_force(intent.shop_id, now_ms)
    if pack is None:
        priced = price(cart, price_list)
    else:
        priced = price(cart, price_list, pack, shopper_of(intent, now_ms))
    if isinstance(priced, UnpriceableCart):
        _report_unpriced(intent, priced, price_list, problems)
        raise InvalidIntent(tuple(problems))
    _check_unit_prices(enumerate(intent.lines), priced, problems)
    if intent.coupons:
        check_coupons(intent.coupons, priced, problems)
    if intent.total_fen != priced.total_fen:
        detail = (
            f"the cart costs {priced.total_fen}, not {intent.total_fen}; show the buyer the new "
            "total and place the order anew"
        )
        problems.append(Problem(ProblemCode.PRICE_CHANGED, "total_fen", detail))
    if problems:
        raise InvalidIntent(tuple(problems))
    order_no = derive_order_no(intent.shop_id, intent.user_id, intent.client_key)
    return PlaceOrder(
        order_no=order_no,
        shop_id=intent.shop_id,
        user_id=intent.user_id,
        currency=priced.currency,
        lines=priced.lines,
        rules=priced.rules,
        holds=_holds(order_no, intent.lines) + promotion_holds(order_no, priced),
        total_fen=priced.total_fen,
        placed_at_ms=intent.placed_at_ms,
        fingerprint=fingerprint_of(intent),
        flow=intent.flow,
        pay_channel=intent.pay_channel,
        trace_id=intent.trace_id or derive_trace_id(order_no),
        pack="" if pack is None or priced.promotions is None else pin_of(pack.pack),
    )


def admit_amend(
    intent: AmendOrderIntent, price_list: PriceList, now_ms: int, packs: Packs | None = None
) -> AmendOrder:
    """Return the command that changes the order: judged as if its lines were placed now.

    Raises InvalidIntent with every problem, in the order: number, then as ``admit_order``.
    """
    problems: list[Problem] = []
    check_order_no(intent.order_no, problems)
    placement = PlaceOrderIntent(
        shop_id=intent.shop_id,
        user_id=intent.user_id,
        client_key=intent.amend_key,
        lines=intent.lines,
        total_fen=intent.total_fen,
        placed_at_ms=now_ms,
        currency=intent.currency,
        trace_id=intent.trace_id,
        coupons=intent.coupons,
    )
    try:
        order = admit_order(placement, price_list, now_ms, packs)
    except InvalidIntent as error:
        for problem in error.problems:
            is_key = problem.field == "client_key"
            problems.append(problem._replace(field="amend_key") if is_key else problem)
    if problems:
        raise InvalidIntent(tuple(problems))
    order_no = intent.order_no
    return AmendOrder(
        order_no=order_no,
        shop_id=order.shop_id,
        user_id=order.user_id,
        amend_key=intent.amend_key,
        currency=order.currency,
        lines=order.lines,
        rules=order.rules,
        holds=tuple(
            replace(hold, hold_id=f"{order_no}/{hold.resource_id}") for hold in order.holds
        ),
        total_fen=order.total_fen,
        fingerprint=order.fingerprint,
        trace_id=intent.trace_id or derive_trace_id(order_no),
    )


def _holds(order_no: str, lines: tuple[CartLine, ...]) -> tuple[HoldRef, ...]:
    """Return one hold per sku, in the order in which the skus first appear."""
    if len(lines) == 1:
        line = lines[0]
        sku = str(line.sku_id)
        return (HoldRef(f"{order_no}/{sku}", STOCK, sku, line.qty, line.terms),)
    units: dict[int, int] = {}
    for line in lines:
        units[line.sku_id] = units.get(line.sku_id, 0) + line.qty
    terms = {line.sku_id: line.terms for line in lines}
    return tuple(
        HoldRef(f"{order_no}/{sku_id}", STOCK, str(sku_id), qty, terms[sku_id])
        for sku_id, qty in units.items()
    )


def _check_head(intent: PlaceOrderIntent, now_ms: int, problems: list[Problem]) -> None:
    check_owner(intent.shop_id, intent.user_id, problems)
    key = intent.client_key
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        detail = f"send 1 to {MAX_KEY_LENGTH} printable characters, new for each order"
        problems.append(Problem(ProblemCode.BAD_KEY, "client_key", detail))
    if intent.flow not in FLOWS:
        detail = f"{intent.flow!r} is not offered; send one of: {', '.join(sorted(FLOWS))}"
        problems.append(Problem(ProblemCode.BAD_FLOW, "flow", detail))
    if intent.pay_channel is not None:
        check_channel(intent.pay_channel, "pay_channel", problems)
    check_currency(intent.currency, problems)
    check_trace(intent.trace_id, problems)
    age_ms = now_ms - intent.placed_at_ms
    if not -MAX_AHEAD_MS <= age_ms < IDEMPOTENCY_WINDOW_MS:
        if age_ms < 0:
            detail = f"{-age_ms} ms ahead of {now_ms}; set the clock and send it again"
        else:
            detail = f"{age_ms} ms before {now_ms}; place the order anew with a new client_key"
        problems.append(Problem(ProblemCode.EXPIRED_INTENT, "placed_at_ms", detail))


def _check_cart(intent: PlaceOrderIntent, problems: list[Problem]) -> None:
    lines = intent.lines
    if not lines:
        problems.append(Problem(ProblemCode.EMPTY_CART, "lines", "send at least one line"))
    if len(lines) > MAX_LINES:
        # Pricing and reporting a cart without bound would be work without bound: stop here.
        detail = f"{len(lines)} lines; send at most {MAX_LINES} in one order"
        problems.append(Problem(ProblemCode.TOO_MANY_LINES, "lines", detail))
        raise InvalidIntent(tuple(problems))
    for index, line in enumerate(lines):
        if not 1 <= line.qty <= MAX_QTY:
            detail = f"{line.qty} units; send 1 to {MAX_QTY}"
            problems.append(Problem(ProblemCode.BAD_QUANTITY, f"lines[{index}].qty", detail))
        if line.terms is not None:
            _check_terms(line.terms, f"lines[{index}].terms", problems)
    if any(line.terms is not None for line in lines):
        _check_same_terms(lines, problems)


def _check_terms(terms: HoldTerms, field: str, problems: list[Problem]) -> None:
    if len(terms.warehouses) > MAX_WAREHOUSES:
        detail = f"{len(terms.warehouses)} warehouses; send at most {MAX_WAREHOUSES}"
        problems.append(Problem(ProblemCode.BAD_TERMS, f"{field}.warehouses", detail))
        return
    for warehouse_id in terms.warehouses:
        check_warehouse(warehouse_id, f"{field}.warehouses", ProblemCode.BAD_TERMS, problems)


def _check_same_terms(lines: tuple[CartLine, ...], problems: list[Problem]) -> None:
    """Check that lines of one sku agree: together they are one hold."""
    first: dict[int, HoldTerms | None] = {}
    for index, line in enumerate(lines):
        if first.setdefault(line.sku_id, line.terms) != line.terms:
            detail = f"sku {line.sku_id} has other terms in an earlier line; send the same"
            problems.append(Problem(ProblemCode.BAD_TERMS, f"lines[{index}].terms", detail))


def _report_unpriced(
    intent: PlaceOrderIntent,
    cart: UnpriceableCart,
    price_list: PriceList,
    problems: list[Problem],
) -> None:
    """Report the lines without a price, and the unit prices of the others."""
    for line in cart.unpriced:
        detail = f"{line.detail}; {_WHAT_TO_DO[line.reason]}"
        field = f"lines[{line.line_index}].sku_id"
        problems.append(Problem(ProblemCode(line.reason), field, detail))
    without = {line.line_index for line in cart.unpriced}
    rest = [(index, line) for index, line in enumerate(intent.lines) if index not in without]
    lines = tuple(line for _, line in rest)
    priced = price(Cart(intent.shop_id, intent.currency, lines), price_list)
    if isinstance(priced, PricedCart):
        _check_unit_prices(rest, priced, problems)


def _check_unit_prices(
    shown: Iterable[tuple[int, CartLine]], priced: PricedCart, problems: list[Problem]
) -> None:
    for (index, line), right in zip(shown, priced.lines, strict=True):
        if line.unit_price_fen != right.unit_price_fen:
            detail = (
                f"sku {right.sku_id} costs {right.unit_price_fen}, not {line.unit_price_fen}; show "
                "the buyer the new price and place the order anew"
            )
            field = f"lines[{index}].unit_price_fen"
            problems.append(Problem(ProblemCode.PRICE_CHANGED, field, detail))
