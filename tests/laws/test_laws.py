"""Any history, disturbed in any way, obeys the laws; and the laws can be broken."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.record import Record
from schemas.stream import Progress
from streams.engine import changelog, memory
from streams.engine.changelog import Change, Entry
from streams.engine.rocksdb_store import RocksDBStores
from streams.kernel.stage import Stage, View
from tests.laws.disturbed import CrashingWorld, UnrulyWorld
from tests.laws.history import from_dice, from_seed, parse
from tests.laws.laws import FACTS, broken, differences, verdict
from tests.laws.reproduce import command
from tests.laws.world import CODEC, STAGES, World

EXAMPLES = int(os.environ.get("ORDERSTREAM_LAWS_EXAMPLES", "15"))


@settings(max_examples=EXAMPLES, deadline=None, print_blob=False)
@given(dice=st.randoms(use_true_random=False))
def test_any_history_obeys_the_laws(dice: random.Random) -> None:
    history = from_dice(dice)
    note(f"to play it again: {command(history)}")
    assert broken(history) == []


@pytest.mark.slow
def test_two_hundred_histories_obey_the_laws() -> None:
    for seed in range(200):
        assert broken(from_seed(seed)) == [], f"python -m tests.laws --seed {seed}"


def test_a_history_is_the_same_after_it_was_printed_and_read() -> None:
    for seed in range(20):
        history = from_seed(seed)
        assert parse(history.text()) == history


def test_a_store_on_disk_changes_no_fact(tmp_path: Path) -> None:
    new_store = RocksDBStores(tmp_path, CODEC, recent_records=2)
    for seed in range(4):
        in_memory, on_disk = World(from_seed(seed)), World(from_seed(seed), new_store=new_store)
        in_memory.play(from_seed(seed))
        on_disk.play(from_seed(seed))
        assert list(differences(in_memory, on_disk)) == []


def test_histories_lead_to_every_end_of_an_order_and_every_kind_of_trouble() -> None:
    ends: Counter[str] = Counter()
    facts: Counter[str] = Counter()
    bites: Counter[str] = Counter()
    for seed in range(30):
        world = UnrulyWorld(from_seed(seed))
        world.play(from_seed(seed))
        judged = verdict(world)
        ends.update(judged.orders)
        bites.update(world.bites)
        bites["facts sent again"] += judged.counters["resent"]
        for topic in FACTS:
            facts.update(type(fact).__name__ for fact in world.host.facts(topic.name))
    assert ends.keys() >= {
        *("OrderCompleted", "OrderConfirmed", "OrderRejected", "OrderExpired"),
        *("OrderCancelled", "OrderRefunded"),
    }
    assert facts.keys() >= {
        *("OrderAmended", "OrderPartlyShipped", "OrderPartlyRefunded"),
        *("OrderOperated", "OrderRefused", "PaymentSurplus", "PaymentClosed", "RefundFailed"),
        *("PaymentQueried", "PaymentTicketOpened", "PaymentTicketClosed"),
        *("StockCounted", "StockRulesSet"),
    }
    for trouble in ("crashes", "turns cut short", "checkpoints", "standstills", "facts sent again"):
        assert bites[trouble] > 40, trouble


# --- the laws have teeth --------------------------------------------------------------------------


def found_by_some_history() -> str:
    """Return what the first seed that breaks a law says; fail when none does."""
    for seed in range(40):
        if lines := broken(from_seed(seed)):
            return lines[0]
    raise AssertionError("no history notices the defect")


def test_a_stage_that_takes_repeats_for_new_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    takeovers = iter(range(1 << 30))
    monkeypatch.setattr(memory, "incarnation", lambda _: next(takeovers).to_bytes(8, "big"))
    assert "crashes changed a fact" in found_by_some_history()


def test_a_checkpoint_that_forgets_a_change_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = changelog.encode

    def forgetful(codec: Codec, changes: list[Change], progress: Progress) -> list[Entry]:
        return whole(codec, changes[:-1], progress)

    monkeypatch.setattr(changelog, "encode", forgetful)
    assert found_by_some_history()


class Moody:
    """A stage that ignores every twentieth message it is told, repeats included."""

    def __init__(self, stage: Stage) -> None:
        self.name, self.inbox, self.entities = stage.name, stage.inbox, stage.entities
        self.wake, self.evolve, self.react = stage.wake, stage.evolve, stage.react
        self._stage = stage
        self._told = 0

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        self._told += 1
        return self._stage.decide(state, message, now_ms) if self._told % 20 else ()


def test_a_stage_that_depends_on_more_than_its_inbox_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(STAGES, "payments", Moody(STAGES["payments"]))
    assert found_by_some_history()


def test_an_output_that_is_lost_on_the_way_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CrashingWorld, "_die", lambda world, at: world.host.checkpoint(*at))
    assert found_by_some_history()
