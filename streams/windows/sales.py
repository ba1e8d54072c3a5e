"""The sales flow: order facts into sales, funnel, fulfilment and the best skus.

Sales count each fact in the window of its own time. Funnel and fulfilment follow an order from its
placement and its payment: a later step restates the window where the order began, so the flow
remembers the way of each order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from schemas import order
from schemas.record import Record
from schemas.report import SkuSales
from schemas.topics import (
    ORDER_EVENTS,
    REPORT_FULFILMENT,
    REPORT_FUNNEL,
    REPORT_SALES,
    REPORT_TOP_SKUS,
    Topic,
)
from streams.kernel.flow import Fact, FlowTime
from streams.kernel.stage import Output, State
from streams.windows.rows import (
    TO_COMPLETED,
    TO_CREATED,
    TO_PAID,
    TO_REFUNDED,
    TO_SHIPPED,
    close_fulfilment,
    close_funnel,
    close_sales,
    close_top_skus,
    sku_sums,
)
from streams.windows.tally import Tally
from streams.windows.windowing import HOUR_MS, MINUTE_MS, SECOND_MS, Report, Window, Windows

ORDER_KEPT_MS = 2 * HOUR_MS
"""How long after its placement an order restates the funnel: at 100 orders/s 7,200 s x 100 x ~300
bytes = 216 MB. Rejected, cancelled, expired and refunded ones are forgotten at once."""

SHIP_LIMIT_MS = 24 * HOUR_MS
"""A paid order should have left by then."""

NO_CURRENCY = "XXX"  # ISO 4217: of an order whose placement was not seen, or is forgotten

_KEPT_MS = {SECOND_MS: 10 * MINUTE_MS, MINUTE_MS: 2 * HOUR_MS, HOUR_MS: 48 * HOUR_MS}
# As long as an order may restate them.
_COHORT_KEPT_MS = dict.fromkeys((MINUTE_MS, HOUR_MS), ORDER_KEPT_MS + HOUR_MS)
_TOP_KEPT_MS = {MINUTE_MS: 10 * MINUTE_MS, HOUR_MS: HOUR_MS}  # each may hold all skus

SALES, FUNNEL = REPORT_SALES.name, REPORT_FUNNEL.name
FULFILMENT, TOP_SKUS = REPORT_FULFILMENT.name, REPORT_TOP_SKUS.name


class OrderPath(Record, frozen=True):
    """How far an order got, and when (epoch ms, 0: not yet). ``lines``: until it is paid."""

    order_no: str
    shop_id: int
    currency: str
    placed_ms: int
    created_ms: int
    paid_ms: int
    shipped_ms: int
    lines: tuple[SkuSales, ...]
    due_ms: int


class SalesFlow:
    """Folds ``order.events``; ``unknown`` counts facts of orders whose placement is not known."""

    name = "sales"
    sources: tuple[Topic, ...] = (ORDER_EVENTS,)
    entities: tuple[type[Record], ...] = (OrderPath, Window)

    def __init__(
        self, *, order_kept_ms: int = ORDER_KEPT_MS, ship_limit_ms: int = SHIP_LIMIT_MS
    ) -> None:
        self.unknown = 0
        self.windows = Windows(
            (
                Report(REPORT_SALES, _KEPT_MS, close_sales),
                Report(REPORT_FUNNEL, _COHORT_KEPT_MS, close_funnel),
                Report(REPORT_FULFILMENT, _COHORT_KEPT_MS, close_fulfilment(ship_limit_ms)),
                Report(REPORT_TOP_SKUS, _TOP_KEPT_MS, close_top_skus),
            )
        )
        self._order_kept_ms = order_kept_ms
        self._ship_limit_ms = ship_limit_ms
        self._counts: dict[type[Record], Callable[[State, Fact], None]] = {
            order.OrderPlaced: self._placed,
            order.OrderCreated: self._created,
            order.OrderRejected: self._rejected,
            order.OrderAmended: self._amended,
            order.OrderPaid: self._paid,
            order.OrderShipped: self._shipped,
            order.OrderCompleted: self._completed,
            order.OrderCancelled: self._cancelled,
            order.OrderExpired: self._expired,
            order.OrderPartlyRefunded: self._partly_refunded,
            order.OrderRefunded: self._refunded,
        }
        self.kinds = frozenset(self._counts)

    def take(self, state: State, facts: Sequence[Fact]) -> None:
        """Count a batch of facts."""
        counts = self._counts
        for fact in facts:
            counts[type(fact.record)](state, fact)

    def wake(self, state: State, record: Any, time: FlowTime) -> None:
        """Complete or forget a window; forget an order."""
        if isinstance(record, Window):
            self.windows.wake(state, record, time)
        else:
            state.delete(OrderPath, record.order_no)

    def rows(self, state: State, time: FlowTime) -> list[Output]:
        """Return the rows of the windows that changed."""
        return self.windows.rows(state, time)

    def passed_over(self) -> Mapping[str, int]:
        """Return the facts of forgotten windows, and of orders that are not known."""
        return {"too_late": self.windows.too_late, "unknown_order": self.unknown}

    # --- facts -----------------------------------------------------------------------------------

    def _placed(self, state: State, fact: Fact) -> None:
        placed, event_ms = fact.record, fact.event_ms
        lines = _lines(placed.lines)
        due_ms = event_ms + self._order_kept_ms
        path = OrderPath(
            placed.order_no, placed.shop_id, placed.currency, event_ms, 0, 0, 0, lines, due_ms
        )
        state.put(placed.order_no, path)
        self._sales(path, fact).add(fact, placed=1, placed_fen=placed.total_fen)
        self._funnel(path).add(fact, placed=1)

    def _created(self, state: State, fact: Fact) -> None:
        path = self._path(state, fact)
        self._sales(path, fact).add(fact, created=1)
        if path.placed_ms and not path.created_ms:
            funnel = self._funnel(path)
            funnel.add(fact, created=1)
            funnel.add_time(TO_CREATED, fact.event_ms - path.placed_ms)
            _put(state, path, created_ms=fact.event_ms)

    def _rejected(self, state: State, fact: Fact) -> None:
        path = self._path(state, fact)
        self._sales(path, fact).add(fact, rejected=1)
        if path.placed_ms:
            self._funnel(path).add(fact, rejected=1)
            state.delete(OrderPath, path.order_no)

    def _amended(self, state: State, fact: Fact) -> None:
        path = self._path(state, fact)
        if path.placed_ms:
            _put(state, path, lines=_lines(fact.record.lines))

    def _paid(self, state: State, fact: Fact) -> None:
        path, paid = self._path(state, fact), fact.record
        self._sales(path, fact).add(fact, paid=1, gmv_fen=paid.total_fen)
        if not path.placed_ms or path.paid_ms:
            return
        funnel = self._funnel(path)
        funnel.add(fact, paid=1, paid_fen=paid.total_fen)
        funnel.add_time(TO_PAID, fact.event_ms - path.created_ms)
        self._fulfilment(path.shop_id, fact.event_ms).add(fact, paid=1)
        top = self.windows.tally(TOP_SKUS, MINUTE_MS, path.shop_id, path.currency, fact.event_ms)
        top.count(fact)
        for sku_id, units, paid_fen in map(_astuple, path.lines):
            sku_sums(top, sku_id, units, paid_fen)
        _put(state, path, paid_ms=fact.event_ms, lines=())

    def _shipped(self, state: State, fact: Fact) -> None:
        path = self._path(state, fact)
        self._sales(path, fact).add(fact, shipped=1)
        if not path.paid_ms or path.shipped_ms:
            return
        took_ms = fact.event_ms - path.paid_ms
        is_late = took_ms > self._ship_limit_ms
        for tally in (self._funnel(path), self._fulfilment(path.shop_id, path.paid_ms)):
            tally.add(fact, shipped=1, late=is_late, in_time=not is_late)
            tally.add_time(TO_SHIPPED, took_ms)
        _put(state, path, shipped_ms=fact.event_ms)

    def _completed(self, state: State, fact: Fact) -> None:
        path = self._path(state, fact)
        self._sales(path, fact).add(fact, completed=1)
        if not path.paid_ms:
            return
        self._funnel(path).add(fact, completed=1)
        fulfilment = self._fulfilment(path.shop_id, path.paid_ms)
        fulfilment.add(fact, completed=1)
        if path.shipped_ms:
            fulfilment.add_time(TO_COMPLETED, fact.event_ms - path.shipped_ms)

    def _cancelled(self, state: State, fact: Fact) -> None:
        path = self._path(state, fact)
        self._sales(path, fact).add(fact, cancelled=1)
        self._ended_unpaid(state, path, fact)

    def _expired(self, state: State, fact: Fact) -> None:
        path = self._path(state, fact)
        self._sales(path, fact).add(fact, expired=1)
        self._ended_unpaid(state, path, fact)

    def _ended_unpaid(self, state: State, path: OrderPath, fact: Fact) -> None:
        if path.placed_ms and not path.paid_ms:
            self._funnel(path).add(fact, unpaid=1)
            state.delete(OrderPath, path.order_no)

    def _partly_refunded(self, state: State, fact: Fact) -> None:
        path, amount_fen = self._path(state, fact), fact.record.amount_fen
        self._sales(path, fact).add(fact, refunds=1, refunded_fen=amount_fen)
        if path.paid_ms:
            self._funnel(path).add(fact, refunded_fen=amount_fen)

    def _refunded(self, state: State, fact: Fact) -> None:
        path, amount_fen = self._path(state, fact), fact.record.amount_fen
        self._sales(path, fact).add(fact, refunds=1, refunded_fen=amount_fen)
        if not path.paid_ms:
            return
        funnel = self._funnel(path)
        funnel.add(fact, refunded=1, refunded_fen=amount_fen)
        funnel.add_time(TO_REFUNDED, fact.event_ms - path.paid_ms)
        if not path.shipped_ms:
            self._fulfilment(path.shop_id, path.paid_ms).add(fact, refunded_unshipped=1)
        state.delete(OrderPath, path.order_no)

    # --- where things are counted ----------------------------------------------------------------

    def _path(self, state: State, fact: Fact) -> OrderPath:
        """Return the order's path; of an unknown order one that never began."""
        told = fact.record
        path = state.get(OrderPath, told.order_no)
        if path is None:
            self.unknown += 1
            currency = getattr(told, "currency", NO_CURRENCY)
            path = OrderPath(told.order_no, told.shop_id, currency, 0, 0, 0, 0, (), 0)
        return path

    def _sales(self, path: OrderPath, fact: Fact) -> Tally:
        return self.windows.tally(SALES, SECOND_MS, path.shop_id, path.currency, fact.event_ms)

    def _funnel(self, path: OrderPath) -> Tally:
        return self.windows.tally(FUNNEL, MINUTE_MS, path.shop_id, path.currency, path.placed_ms)

    def _fulfilment(self, shop_id: int, paid_ms: int) -> Tally:
        return self.windows.tally(FULFILMENT, MINUTE_MS, shop_id, "", paid_ms)


_astuple = msgspec.structs.astuple


def _put(state: State, path: OrderPath, **changes: Any) -> None:
    state.put(path.order_no, msgspec.structs.replace(path, **changes))


def _lines(lines: Sequence[order.PricedLine]) -> tuple[SkuSales, ...]:
    return tuple(SkuSales(line.sku_id, line.qty, line.payable_fen) for line in lines)
