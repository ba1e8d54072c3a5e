"""Laws that hold whatever is said, in whatever order, however late."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.inventory import ReleaseCause, StockReason
from schemas.order import (
    OperateOrder,
    OperatorAction,
    OrderAmended,
    OrderConfirmed,
    OrderPartlyRefunded,
    OrderPartlyShipped,
    OrderPlaced,
    OrderRefunded,
    OrderRefused,
    OrderRepeated,
    OrderShipped,
)
from schemas.payment import PaymentReason
from schemas.record import Record
from schemas.topics import INVENTORY_COMMANDS, ORDER_EVENTS, PAYMENT_COMMANDS
from streams.orders.commands import find
from streams.orders.limits import HOUR_MS, SECOND_MS
from streams.orders.state import OrderStatus, status_of
from tests.unit.orders.counterparts import HELD, Inventory, Payments, Queues
from tests.unit.orders.world import (
    LIMITS,
    NO,
    PAY_NO,
    TOTAL_FEN,
    World,
    amend,
    cancel,
    closed,
    complete,
    deducted,
    end_refused,
    failed,
    fenced,
    held,
    operate,
    pay,
    payment_refused,
    place,
    refund,
    refund_failed,
    refunded,
    released,
    ship,
    stock_refused,
    succeeded,
)

SKUS = st.sampled_from([1, 2, 3])
PAY_NOS = st.sampled_from([PAY_NO, f"{NO}-2", "stray-1"])
EXTRAS = st.sampled_from([f"{NO}/{sku}/{nth}" for sku in (1, 3) for nth in (1, 2)])
REFUND_NOS = st.sampled_from([f"{PAY_NO}-R1", f"{PAY_NO}-R2", f"{NO}-2-R1"])
MESSAGES: st.SearchStrategy[Record] = st.one_of(
    st.builds(place, st.just(1), st.just(2), channel=st.sampled_from([None, "wechat"])),
    st.builds(pay, st.sampled_from(["wechat", "alipay"])),
    st.builds(cancel),
    st.builds(complete),
    st.builds(refund),
    st.builds(refund, st.just((1, 1)), key=st.sampled_from(["r1", "r2", "r3"])),
    st.builds(ship),
    st.builds(ship, st.just((1, 1)), waybill_no=st.sampled_from(["SF1", "SF2", "SF3"])),
    st.builds(
        amend,
        st.sampled_from([(1, 1, 1_999), (1, 3, 5_997), (3, 1, 10)]),
        key=st.sampled_from(["a1", "a2", "a3"]),
    ),
    st.builds(closed, PAY_NOS),
    st.builds(held, SKUS, EXTRAS),
    st.builds(held, SKUS),
    st.builds(stock_refused, SKUS),
    st.builds(deducted, SKUS),
    st.builds(released, SKUS, st.sampled_from(ReleaseCause)),
    st.builds(fenced, SKUS),
    st.builds(
        end_refused,
        st.sampled_from(["ConfirmHold", "CancelHold", "ExtendHold"]),
        SKUS,
        st.sampled_from(StockReason),
    ),
    st.builds(succeeded, PAY_NOS, st.sampled_from([TOTAL_FEN, 5_997, 1_999, 10, 1])),
    st.builds(failed, PAY_NOS),
    st.builds(refunded, REFUND_NOS, PAY_NOS),
    st.builds(refund_failed, REFUND_NOS, PAY_NOS),
    st.builds(
        payment_refused,
        st.sampled_from(PaymentReason),
        st.one_of(st.just(""), REFUND_NOS),
        PAY_NOS,
    ),
)
OPERATIONS = st.builds(operate, st.sampled_from(OperatorAction))
WAITS = st.sampled_from(
    [1, LIMITS.step_timeout_ms, LIMITS.step_budget_ms, LIMITS.payment_window_ms, 25 * HOUR_MS]
)
RETRY, FORCE = OperatorAction.RETRY, OperatorAction.FORCE
PAUSE, RESUME = OperatorAction.PAUSE, OperatorAction.RESUME
GOING_ON = {
    OrderStatus.FULFILLING,
    OrderStatus.PARTLY_SHIPPED,
    OrderStatus.SHIPPED,
    OrderStatus.PARTLY_REFUNDED,
    OrderStatus.COMPLETED,
}
# A placement and its holds come often enough that most runs get past the beginning.
STEPS = st.lists(st.one_of(MESSAGES, st.builds(held, SKUS), OPERATIONS, WAITS), max_size=60)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_is_said_versions_have_no_gap_and_a_repeat_changes_nothing(
    steps: list[Record | int],
) -> None:
    world = World()
    world.tell(place(1, 2, channel="wechat"))
    version = 1
    for step in steps:
        if isinstance(step, int):
            world.wait(step)
            version = _check_versions(world, version)
            continue
        world.tell(step)
        version = _check_versions(world, version)
        if isinstance(step, OperateOrder):
            continue  # an operator who asks twice is heard twice
        world.tell(step)
        assert all(isinstance(fact, _ANSWERS) for fact in world.public())


_ANSWERS = (OrderRefused, OrderRepeated)
"""What answers a command and changes nothing."""


def _check_versions(world: World, version: int) -> int:
    """Check the public facts of the last call against ``version``; return the version after."""
    for fact in world.public():
        found: int = fact.version  # type: ignore[attr-defined]  # every public fact has one
        if isinstance(fact, _ANSWERS):
            assert found == version or (found == 0 and isinstance(fact, OrderRefused))
        elif isinstance(fact, OrderPlaced):
            assert found == 1  # the first, or after the one before was forgotten
            version = 1
        else:
            assert found == version + 1
            version = found
    order = find(world.state, NO)
    assert order is None or order.version == version
    return version


class Trade:
    """One order among counterparts that answer late, repeat nothing and contradict nobody."""

    def __init__(self, seed: int, stock: int, refund_failures: int) -> None:
        self.random = Random(seed)
        self.world = World()
        self.inventory = Inventory(stock)
        self.payments = Payments(self.random, refund_failures)
        self.queues = Queues()
        skus = self.random.sample([1, 2, 3], self.random.randint(1, 3))
        channel = self.random.choice([None, "wechat"])
        self.tell(place(*skus, channel=channel))

    def tell(self, message: Record) -> None:
        self.world.tell(message)
        self.queues.ask(self.world.outputs)

    def wait(self, ms: int) -> None:
        self.world.wait(ms)
        self.queues.ask(self.world.outputs)
        for fact in self.inventory.expire(self.world.now_ms):
            self._answer(INVENTORY_COMMANDS.name, fact)

    def deliver(self) -> None:
        """Let one counterpart take one question, or the order one answer."""
        queues = [q for q in self.queues.asked.items() if q[1]]
        answers = [q for q in self.queues.answered.values() if q]
        if queues and (not answers or self.random.random() < 0.5):
            (topic, _), queue = self.random.choice(queues)
            message = queue.popleft()
            if topic == PAYMENT_COMMANDS.name:
                facts = self.payments.answer(message)
            else:
                facts = self.inventory.answer(message, self.world.now_ms)
            for fact in facts:
                self._answer(topic, fact)
        elif answers:
            self.tell(self.random.choice(answers).popleft())

    def gateway(self) -> None:
        for fact in self.payments.gateway():
            self._answer(PAYMENT_COMMANDS.name, fact)

    def client(self) -> None:
        sku, nth = self.random.randint(1, 3), self.random.randint(1, 3)
        units = (sku, self.random.randint(1, 2))
        self.tell(
            self.random.choice(
                [
                    pay("wechat"),
                    pay("alipay"),
                    cancel(),
                    refund(),
                    refund(units, key=f"r{nth}"),
                    complete(),
                    ship(units, waybill_no=f"SF{nth}"),
                    amend((sku, nth, 2_000 * nth), key=f"a{nth}", fingerprint=f"{sku:016x}"),
                ]
            )
        )

    def operator(self) -> None:
        self.tell(operate(self.random.choice([RETRY, FORCE, PAUSE, RESUME])))

    def settle(self) -> None:
        """Let everybody catch up, and then the longest limit pass, until nothing moves."""
        self.tell(operate(RESUME))
        for _ in range(40):
            while self.queues.busy():
                self.deliver()
            self.gateway()
            self.wait(LIMITS.step_timeout_ms)
        for _ in range(12):
            self.wait(LIMITS.step_timeout_cap_ms * 2)
            while self.queues.busy():
                self.deliver()

    def _answer(self, topic: str, fact: Any) -> None:
        key = "" if topic == PAYMENT_COMMANDS.name else str(fact.sku_id)
        self.queues.answered[topic, key].append(fact)


@settings(max_examples=400, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    stock=st.sampled_from([0, 2, 2, 2, 5]),
    refund_failures=st.sampled_from([0, 0, 0, 2]),
    longest_wait_s=st.sampled_from([1, 5, 60, 1_800]),
)
def test_every_order_comes_to_rest_and_goods_and_money_agree_with_it(
    seed: int, stock: int, refund_failures: int, longest_wait_s: int
) -> None:
    trade = Trade(seed, stock, refund_failures)
    random = trade.random
    for _ in range(random.randint(0, 80)):
        dice = random.random()
        if dice < 0.6:
            trade.deliver()
        elif dice < 0.75:
            trade.wait(random.randint(1, longest_wait_s * SECOND_MS))
        elif dice < 0.85:
            trade.gateway()
        elif dice < 0.97:
            trade.client()
        else:
            trade.operator()
    trade.settle()

    order = find(trade.world.state, NO)
    assert order is not None
    status = status_of(order)
    kept_fen = sum(money.amount_fen for money in trade.payments.kept.values())
    story = Story(trade.world)
    assert not any(public.topic == ORDER_EVENTS.name for public in trade.world.outputs)
    assert story.shipped <= story.ordered
    assert HELD not in trade.inventory.holds.values()
    if status in GOING_ON:
        assert kept_fen == story.total_fen - story.refunded_fen
        assert trade.inventory.sold() == story.ordered
        return
    assert status in {
        OrderStatus.CANCELLED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.REFUNDED,
        *([OrderStatus.PARKED] if refund_failures else []),
    }
    if not refund_failures:
        assert kept_fen == 0
    if status is OrderStatus.REFUNDED:
        assert story.refunded_fen == story.total_fen
        assert trade.inventory.sold() == (story.ordered if story.is_confirmed else Counter())
    elif status is not OrderStatus.PARKED:
        assert not trade.inventory.sold()


class Story:
    """What the public facts of an order add up to."""

    def __init__(self, world: World) -> None:
        self.ordered: Counter[int] = Counter()
        self.shipped: Counter[int] = Counter()
        self.total_fen = self.refunded_fen = 0
        self.is_confirmed = any(isinstance(fact, OrderConfirmed) for fact in world.facts)
        for fact in world.facts:
            if isinstance(fact, OrderPlaced | OrderAmended):
                self.ordered = Counter({line.sku_id: line.qty for line in fact.lines})
                self.total_fen = fact.total_fen
            elif isinstance(fact, OrderPartlyShipped | OrderShipped):
                for part in fact.units:
                    self.shipped[part.sku_id] += part.qty
            elif isinstance(fact, OrderPartlyRefunded | OrderRefunded):
                self.refunded_fen += fact.amount_fen


def test_the_trades_above_reach_every_end() -> None:
    ends = set()
    for seed in range(400):
        trade = Trade(seed, stock=seed % 3 * 2, refund_failures=0)
        for _ in range(30):
            trade.random.choice([trade.deliver, trade.deliver, trade.gateway, trade.client])()
        trade.settle()
        order = find(trade.world.state, NO)
        assert order is not None
        ends.add(status_of(order))
    assert ends >= {
        OrderStatus.FULFILLING,
        OrderStatus.PARTLY_SHIPPED,
        OrderStatus.SHIPPED,
        OrderStatus.PARTLY_REFUNDED,
        OrderStatus.COMPLETED,
        OrderStatus.CANCELLED,
        OrderStatus.EXPIRED,
        OrderStatus.REJECTED,
        OrderStatus.REFUNDED,
    }
