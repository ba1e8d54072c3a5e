"""One partition of the promotions stage on the engine's own state, and the messages it is told."""

from __future__ import annotations

from collections.abc import Sequence

from schemas import resource
from schemas.record import Record
from schemas.resource import AfterRefund
from streams.engine.store import MemoryStore, PartitionState
from streams.kernel.errors import StageDefect
from streams.kernel.stage import Output
from streams.promotions.stage import promotions_stage
from streams.promotions.state import Allowance

START_MS = 1_790_000_000_000
SHOP, USER = 7, 1_001
TRACE = "5" * 32
TTL_MS = 60_000
BUDGET, COUPON = "budget:7/festival/full", "coupon:7/SPRING"
WELCOME = "lot:7/WELCOME"


class Desk:
    """Given ``tell``, when ``tell``, then what ``tell`` returns; ``now_ms`` is stream time."""

    def __init__(self) -> None:
        self.stage = promotions_stage()
        self.state = PartitionState(MemoryStore(self.stage.entities), self.stage.entities)
        self.now_ms = START_MS
        self.facts: list[Record] = []
        self.outputs: list[Output] = []

    def tell(self, *messages: Record) -> list[Record]:
        """Apply messages; return the facts of the last one."""
        facts: list[Record] = []
        for message in messages:
            self.outputs = []
            facts = self._take(self.stage.decide(self.state, message, self.now_ms))
        return facts

    def wait(self, ms: int) -> list[Record]:
        """Let time pass and fire the timers that come due."""
        until_ms, facts = self.now_ms + ms, list[Record]()
        while self.state.timers and self.state.timers[0][0] <= until_ms:
            self.now_ms = max(self.now_ms, self.state.timers[0][0])
            due = self.state.next_due(self.now_ms)
            if due is None:
                continue
            key, record = due
            facts += self._take(self.stage.wake(self.state, record, self.now_ms))
            after = self.state.get(type(record), key)
            if after is not None and after.due_ms == record.due_ms:
                raise StageDefect(f"{key} is due again and again")
        self.now_ms = until_ms
        return facts

    def _take(self, facts: Sequence[Record]) -> list[Record]:
        for fact in facts:
            self.stage.evolve(self.state, fact, self.now_ms)
            self.outputs += self.stage.react(self.state, fact)
        self.facts += facts
        return list(facts)

    def amounts(self, resource_id: str) -> tuple[int, int]:
        """Return (on hand, held) of a resource; StageDefect when it is not there."""
        found = self.state.get(Allowance, resource_id)
        if found is None:
            raise StageDefect(resource_id)
        return found.on_hand, found.held


def hold_id(order_no: str, resource_id: str) -> str:
    return f"{order_no}/{resource_id}"


def try_(
    order_no: str,
    resource_id: str = COUPON,
    amount: int = 1,
    *,
    capacity: int = 0,
    user_id: int = USER,
    shop_id: int = SHOP,
) -> resource.TryPromotion:
    name = hold_id(order_no, resource_id)
    return resource.TryPromotion(
        name, order_no, shop_id, user_id, resource_id, amount, capacity, TTL_MS, TRACE
    )


def confirm(order_no: str, resource_id: str = COUPON) -> resource.ConfirmPromotion:
    name = hold_id(order_no, resource_id)
    return resource.ConfirmPromotion(name, order_no, SHOP, resource_id, TRACE)


def cancel(order_no: str, resource_id: str = COUPON) -> resource.CancelPromotion:
    name = hold_id(order_no, resource_id)
    return resource.CancelPromotion(name, order_no, SHOP, resource_id, "REJECTED", TRACE)


def return_(order_no: str, resource_id: str = COUPON, amount: int = 1) -> resource.ReturnPromotion:
    name = hold_id(order_no, resource_id)
    return resource.ReturnPromotion(name, order_no, SHOP, resource_id, amount, "REFUNDED", TRACE)


def grant(
    resource_id: str = COUPON,
    delta: int = 1,
    *,
    ref: str = "doc-1",
    user_id: int = 0,
    expires_at_ms: int = 0,
    after_refund: AfterRefund = AfterRefund.RETURNED,
    shop_id: int = SHOP,
) -> resource.GrantCapacity:
    return resource.GrantCapacity(
        ref, shop_id, resource_id, delta, "li", user_id, expires_at_ms, after_refund, TRACE
    )


def issue(qty: int = 10, per_user: int = 1, *, ref: str = "doc-1") -> resource.IssueCoupons:
    expires_at_ms = START_MS + 3_600_000
    return resource.IssueCoupons(
        ref, SHOP, "WELCOME", qty, per_user, "li", expires_at_ms, AfterRefund.RETURNED, TRACE
    )


def claim(key: str = "k", user_id: int = USER) -> resource.ClaimCoupon:
    return resource.ClaimCoupon(key, SHOP, user_id, "WELCOME", TRACE)


def held(
    order_no: str,
    resource_id: str = COUPON,
    amount: int = 1,
    *,
    version: int = 2,
    on_hand: int = 1,
    held: int = 1,
    user_id: int = USER,
) -> resource.PromotionHeld:
    """The fact that ``try_`` leads to; ``on_hand`` and ``held`` are those after it."""
    return resource.PromotionHeld(
        resource_id=resource_id,
        version=version,
        shop_id=SHOP,
        hold_id=hold_id(order_no, resource_id),
        order_no=order_no,
        user_id=user_id,
        amount=amount,
        expires_at_ms=START_MS + TTL_MS,
        on_hand=on_hand,
        held=held,
        delta_on_hand=0,
        delta_held=amount,
        trace_id=TRACE,
    )
