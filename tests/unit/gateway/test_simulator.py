"""The simulated gateway: who pays, what goes wrong, and that it goes wrong the same way again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

import pytest

from schemas.payment import (
    GatewayReport,
    GatewayStatus,
    PaymentQueried,
    PaymentRequested,
    RefundQueried,
    RefundRequested,
)
from schemas.topics import PAYMENT_COMMANDS
from streams.kernel.stage import Output
from topologies.gateway import Faults, SimulatedGateway

CLOSED, FAILED, PENDING = GatewayStatus.CLOSED, GatewayStatus.FAILED, GatewayStatus.PENDING
SUCCEEDED, UNKNOWN = GatewayStatus.SUCCEEDED, GatewayStatus.UNKNOWN
START_MS = 1_790_000_000_000
FEN, TRACE = 12_500, "0af7651916cd43dd8448eb211c80319c"


NO_FAULTS = Faults()
Fact = PaymentRequested | RefundRequested | PaymentQueried | RefundQueried


class InstantLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer when nothing else is left to do."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready and scheduled:
            self.now_s = max(self.now_s, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


class World:
    """A gateway with a clock that costs no time; ``heard`` is (ms since the start, report)."""

    def __init__(self, faults: Faults = NO_FAULTS, seed: int = 0) -> None:
        self.loop = InstantLoop()
        self.faults, self.seed = faults, seed
        self.heard: list[tuple[int, GatewayReport]] = []
        self.restart()

    def restart(self) -> None:
        """Kill the gateway and start it again: its memory is gone."""
        self.gateway = SimulatedGateway(self.faults, random.Random(self.seed), self._now_ms)

    def call(self, *facts: Fact) -> list[tuple[int, str, str]]:
        """Make calls at once and wait for them; return (ms, status, gateway's number) heard."""
        before = len(self.heard)
        self.loop.run_until_complete(self._call(facts))
        return [
            (ms, report.status.value, report.gateway_txn_no) for ms, report in self.heard[before:]
        ]

    def pass_time(self, ms: int) -> None:
        """Let time pass."""
        self.loop.now_s += ms / 1000

    async def _call(self, facts: tuple[Fact, ...]) -> None:
        calls = self.gateway.calls()
        waiting: list[Awaitable[Any] | None] = [calls[type(f)](f, self._send) for f in facts]
        await asyncio.gather(*(one for one in waiting if one is not None))

    def _send(self, output: Output) -> None:
        assert isinstance(output.message, GatewayReport)
        assert (output.topic, output.key) == (PAYMENT_COMMANDS.name, output.message.order_no)
        self.heard.append((self._now_ms() - START_MS, output.message))

    def _now_ms(self) -> int:
        return START_MS + round(self.loop.time() * 1000)


def pay(channel: str = "sim", pay_no: str = "O1-1", amount_fen: int = FEN) -> PaymentRequested:
    return PaymentRequested("O1", 1, 7, 42, pay_no, channel, amount_fen, "CNY", TRACE)


def refund(
    refund_no: str = "O1-1-R1", amount_fen: int = FEN, channel: str = "sim"
) -> RefundRequested:
    return RefundRequested(
        "O1", 3, 7, refund_no, "O1-1", channel, amount_fen, "CNY", "BUYER", TRACE, "sim", "SIM-O1-1"
    )


def query(channel: str = "sim", pay_no: str = "O1-1", *, is_closed: bool = False) -> PaymentQueried:
    return PaymentQueried("O1", 4, 7, pay_no, channel, FEN, "CNY", 1, is_closed, TRACE)


def query_refund(refund_no: str = "O1-1-R1", channel: str = "sim") -> RefundQueried:
    return RefundQueried(
        "O1", 4, 7, refund_no, "O1-1", channel, "sim", "SIM-O1-1", FEN, "CNY", 2, TRACE
    )


def statuses(heard: list[tuple[int, str, str]]) -> list[str]:
    return [status for _, status, _ in heard]


# --- channels ------------------------------------------------------------------------------------


def test_sim_pays_at_once_and_names_everything() -> None:
    world = World()
    world.call(pay())
    assert world.heard == [
        (
            0,
            GatewayReport(
                order_no="O1",
                pay_no="O1-1",
                refund_no="",
                gateway="sim",
                gateway_txn_no="SIM-O1-1",
                status=SUCCEEDED,
                amount_fen=FEN,
                currency="CNY",
                occurred_at_ms=START_MS,
                trace_id=TRACE,
            ),
        )
    ]


def test_a_call_that_is_done_at_once_leaves_nothing_to_wait_for() -> None:
    sent: list[Output] = []
    assert World().gateway.pay(pay(), sent.append) is None
    assert len(sent) == 1


def test_sim_late_pays_late_and_is_pending_until_then() -> None:
    world = World(Faults(late_ms=9_000))
    assert world.call(pay("sim-late")) == [(0, PENDING, ""), (9_000, SUCCEEDED, "SIM-O1-1")]
    assert world.heard[-1][1].occurred_at_ms == START_MS + 9_000


def test_sim_never_is_never_heard_of() -> None:
    assert World().call(pay("sim-never")) == []


def test_sim_twice_charges_twice() -> None:
    heard = World().call(pay("sim-twice"))
    assert heard == [(0, SUCCEEDED, "SIM-O1-1"), (0, SUCCEEDED, "SIM-O1-1-2")]


def test_sim_decline_fails() -> None:
    assert World().call(pay("sim-decline")) == [(0, FAILED, "")]


@pytest.mark.parametrize("channel", ["bench", "wechat", "simple", ""])
def test_other_channels_are_left_to_others(channel: str) -> None:
    assert World().call(pay(channel), refund(channel=channel)) == []


# --- the same call again -------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["sim", "sim-late", "sim-twice", "sim-decline"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_repeated_call_is_the_same_transaction_also_after_a_restart(
    channel: str, restarted: bool
) -> None:
    world = World(Faults(declined=0.5))
    first = {end for end in world.call(pay(channel)) if end[1] != PENDING}
    if restarted:
        world.restart()
    again = {end for end in world.call(pay(channel)) if end[1] != PENDING}
    assert {end[1:] for end in again} == {end[1:] for end in first}


def test_a_repeated_call_waits_only_for_what_is_left() -> None:
    world = World(Faults(late_ms=9_000))
    heard = world.call(pay("sim-late"), pay("sim-late"))
    assert [ms for ms, status, _ in heard if status == SUCCEEDED] == [9_000, 9_000]
    world.pass_time(1_000)
    assert world.call(pay("sim-late")) == [(10_000, SUCCEEDED, "SIM-O1-1")]
    assert world.heard[-1][1].occurred_at_ms == START_MS + 9_000


def test_a_refund_is_made_once() -> None:
    world = World()
    world.call(pay())
    assert world.call(refund()) == [(0, SUCCEEDED, "SIM-O1-1-R1")]
    assert world.call(refund()) == [(0, SUCCEEDED, "SIM-O1-1-R1")]
    assert world.call(refund("O1-1-R2", 1)) == [(0, FAILED, "")]


def test_no_more_goes_back_than_came() -> None:
    world = World()
    world.call(pay("sim-twice"))
    heard = world.call(refund(), refund("O1-1-S1"), refund("O1-1-R3", 1))
    assert statuses(heard) == [SUCCEEDED, SUCCEEDED, FAILED]


def test_a_refund_of_a_payment_from_before_a_restart_is_made() -> None:
    world = World()
    world.call(pay())
    world.restart()
    assert world.call(refund()) == [(0, SUCCEEDED, "SIM-O1-1-R1")]


def test_a_failed_refund_may_be_asked_for_again_and_then_throws_the_dice_anew() -> None:
    world = World(Faults(refund_failed=0.5), seed=3)
    world.call(pay())
    tries = [statuses(world.call(refund()))[0] for _ in range(30)]
    first = tries.index(SUCCEEDED)
    assert first > 0, "choose a seed under which the first try fails"
    assert set(tries[first:]) == {SUCCEEDED}


def test_the_next_try_of_a_refund_does_not_depend_on_the_one_before() -> None:
    world = World(Faults(refund_failed=0.5))
    numbers = [f"O{n}-1-R1" for n in range(1_000)]
    first = statuses(world.call(*(refund(number, 0) for number in numbers)))
    failed = [number for number, one in zip(numbers, first, strict=True) if one == FAILED]
    again = statuses(world.call(*(refund(number, 0) for number in failed))).count(FAILED)
    assert 430 < len(failed) < 570  # 500 expected, a deviation of 16: more than four of them
    assert 0.4 < again / len(failed) < 0.6


# --- questions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["sim", "sim-twice", "sim-decline"])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_query_is_answered_by_the_end_also_after_a_restart(channel: str, restarted: bool) -> None:
    world = World(Faults(declined=0.5))
    ends = world.call(pay(channel))
    if restarted:
        world.restart()
    assert world.call(query(channel)) == ends
    assert world.call(query(channel)) == ends


def test_a_query_before_the_end_is_answered_by_pending() -> None:
    world = World(Faults(late_ms=9_000, silent=1.0))
    assert world.call(pay("sim-late"), query("sim-late")) == [(0, PENDING, ""), (0, PENDING, "")]
    world.pass_time(9_000)
    assert world.call(query("sim-late")) == [(9_000, SUCCEEDED, "SIM-O1-1")]


def test_nobody_paid_over_sim_never_and_once_the_order_is_closed_nobody_will() -> None:
    world = World()
    assert world.call(query("sim-never")) == [(0, PENDING, "")]
    assert world.call(query("sim-never", is_closed=True)) == [(0, CLOSED, "")]


def test_a_query_of_a_refund_moves_no_money() -> None:
    world = World()
    world.call(pay())
    assert world.call(query_refund()) == [(0, FAILED, "")], "it was never asked for"
    assert world.call(refund()) == [(0, SUCCEEDED, "SIM-O1-1-R1")]
    assert world.call(query_refund()) == [(0, SUCCEEDED, "SIM-O1-1-R1")]
    assert world.call(refund("O1-1-R2", 1)) == [(0, FAILED, "")]


def test_a_query_of_a_slow_refund_is_answered_by_pending_until_its_end() -> None:
    world = World(Faults(slow_ms=(500, 500), silent=1.0))
    world.call(refund(), query_refund())
    assert [report.status for _, report in world.heard] == [PENDING, PENDING]
    world.pass_time(500)
    assert world.call(query_refund()) == [(500, SUCCEEDED, "SIM-O1-1-R1")]


def test_a_query_may_be_answered_by_unknown() -> None:
    world = World(Faults(unknown=1.0))
    assert world.call(query(), query_refund()) == [(0, UNKNOWN, ""), (0, UNKNOWN, "")]


@pytest.mark.parametrize("channel", ["bench", "wechat"])
def test_questions_about_other_channels_are_left_to_others(channel: str) -> None:
    assert World().call(query(channel), query_refund(channel=channel)) == []


# --- faults --------------------------------------------------------------------------------------


def test_slow_payments_take_their_time_and_are_pending() -> None:
    world = World(Faults(slow_ms=(100, 800)))
    heard = world.call(*(pay(pay_no=f"P{n}") for n in range(50)))
    waits = [ms for ms, status, _ in heard if status == SUCCEEDED]
    assert len(waits) == 50
    assert all(100 <= ms <= 800 for ms in waits)
    assert len(set(waits)) > 10
    assert statuses(heard).count(PENDING) == 50


def test_a_duplicate_is_the_same_message_twice() -> None:
    heard = World(Faults(duplicate=1.0)).call(pay())
    assert heard == [(0, SUCCEEDED, "SIM-O1-1")] * 2


def test_a_reordered_pending_comes_after_the_end() -> None:
    heard = World(Faults(reordered=1.0, slow_ms=(100, 100))).call(pay())
    assert heard == [(100, SUCCEEDED, "SIM-O1-1"), (100, PENDING, "")]


def test_a_lost_message_is_sent_later_by_itself() -> None:
    heard = World(Faults(lost=1.0, lost_resend_ms=3_000)).call(pay())
    assert heard == [(0, PENDING, ""), (3_000, SUCCEEDED, "SIM-O1-1")]


def test_a_lost_message_comes_at_once_when_the_gateway_is_asked_again() -> None:
    world = World(Faults(lost=1.0, lost_resend_ms=3_000))
    heard = world.call(pay(), pay())
    assert (0, SUCCEEDED, "SIM-O1-1") in heard


def test_a_silent_end_is_only_told_to_who_asks() -> None:
    world = World(Faults(silent=1.0))
    assert world.call(pay()) == [(0, PENDING, "")]
    assert world.call(query()) == [(0, SUCCEEDED, "SIM-O1-1")]


def test_an_unknown_payment_is_known_later() -> None:
    heard = World(Faults(unknown=1.0, lost_resend_ms=3_000)).call(pay())
    assert heard == [(0, UNKNOWN, ""), (3_000, SUCCEEDED, "SIM-O1-1")]


def test_faults_fall_on_about_their_share() -> None:
    payments = [pay(pay_no=f"P{n}") for n in range(2_000)]
    declined = statuses(World(Faults(declined=0.2)).call(*payments)).count(FAILED)
    duplicates = len(World(Faults(duplicate=0.2)).call(*payments)) - 2_000
    assert 320 < declined < 480  # 400 expected, a deviation of 18: more than four of them
    assert 320 < duplicates < 480


def test_the_same_seed_has_the_same_luck_and_another_seed_another() -> None:
    faults = Faults(slow_ms=(1, 500), duplicate=0.3, lost=0.2, declined=0.3)
    payments = [pay(pay_no=f"P{n}") for n in range(100)]
    assert World(faults, 1).call(*payments) == World(faults, 1).call(*payments)
    assert World(faults, 1).call(*payments) != World(faults, 2).call(*payments)


@pytest.mark.parametrize(
    "wrong",
    [{"lost": 1.1}, {"declined": -0.1}, {"late_ms": -1}, {"slow_ms": (5, 1)}, {"duplicate": 2}],
)
def test_faults_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)
