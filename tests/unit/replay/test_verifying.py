"""A replay is compared with the log output by output: what is the same, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from schemas import order, topics
from schemas.record import Record
from streams.engine import cause
from streams.engine.fold import cause_of
from streams.engine.memory import MemoryLog
from streams.engine.records import StoredRecord
from streams.kernel.stage import Output, Stage, View
from streams.orders import OrderLimits
from tests.unit.replay.shop import LIMITS, Shop, every_outcome
from topologies.pipeline import stages
from topologies.reading import Span
from topologies.replay import comparing, reporting, verifying
from topologies.replay.comparing import Kind
from topologies.replay.log import CannotReplay
from topologies.replay.verifying import Verdict, Verification


class Changed:
    """A stage whose decisions are changed after the fact."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.name, self.inbox, self.entities = stage.name, stage.inbox, stage.entities
        self.wake, self.evolve = stage.wake, stage.evolve

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        return self._stage.decide(state, message, now_ms)

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        return self._stage.react(state, fact)


class RoundsDown(Changed):
    """Creates orders one fen cheaper."""

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        facts = super().decide(state, message, now_ms)
        return [
            msgspec.structs.replace(fact, total_fen=fact.total_fen - 1)
            if isinstance(fact, order.OrderCreated)
            else fact
            for fact in facts
        ]


class Silent(Changed):
    """Asks for no stock."""

    def react(self, state: View, fact: Record) -> Sequence[Output]:
        outputs = super().react(state, fact)
        return [o for o in outputs if o.topic != topics.INVENTORY_COMMANDS.name]


class Broken(Changed):
    """Cannot take a cancellation."""

    def decide(self, state: View, message: Record, now_ms: int) -> Sequence[Record]:
        if isinstance(message, order.CancelOrder):
            raise ZeroDivisionError("no such rule")
        return super().decide(state, message, now_ms)


def verify(shop: Shop, with_stages: Sequence[Stage] | None = None) -> list[Verdict]:
    verification = Verification(shop.log, with_stages or stages(LIMITS), shop.codec)
    verification.round()
    return verification.verdicts()


def orders_of(change: type[Changed]) -> list[Stage]:
    return [change(stages(LIMITS)[0])]


def records_of(log: MemoryLog, topic: str, partition: int) -> list[StoredRecord]:
    return log._topics[topic][partition]


def find(shop: Shop, kind: type[Record]) -> tuple[str, int, StoredRecord]:
    """Where the first fact of a kind stands."""
    for partition in range(shop.host.log.partitions):
        for record in shop.host.log.read(topics.ORDER_EVENTS.name, partition):
            if isinstance(shop.codec.decode(record.value), kind):
                return topics.ORDER_EVENTS.name, partition, record
    raise LookupError(kind)


def put(shop: Shop, at: tuple[str, int, StoredRecord], **fields: Any) -> None:
    topic, partition, record = at
    records_of(shop.host.log, topic, partition)[record.offset] = record._replace(**fields)


def first(verdicts: list[Verdict]) -> Any:
    (found,) = [verdict.first for verdict in verdicts if verdict.first is not None]
    return found


@pytest.fixture
def shop() -> Shop:
    return every_outcome()


def test_the_same_stages_decide_the_same(shop: Shop) -> None:
    verdicts = verify(shop)

    assert [(v.stage, v.partition, v.ok) for v in verdicts] == [
        (stage, partition, True)
        for stage in ("orders", "inventory", "payments", "promotions")
        for partition in (0, 1)
    ]
    for verdict in verdicts:
        inbox = next(s.inbox.name for s in stages(LIMITS) if s.name == verdict.stage)
        assert verdict.records == len(shop.host.log.read(inbox, verdict.partition))
    outputs = [
        record
        for topic in topics.PUBLIC
        for record in shop.host.log.records(topic.name)
        if cause_of(record.headers) is not None
    ]
    assert sum(verdict.outputs for verdict in verdicts) == len(outputs) > 100


def test_what_a_crashed_owner_sent_again_is_compared_and_then_dropped() -> None:
    shop = Shop()
    shop.host.checkpoint()
    shop.place("ONE")
    shop.host.crash()
    shop.host.run()

    verdicts = verify(shop)

    assert all(verdict.ok for verdict in verdicts)
    assert sum(verdict.resent for verdict in verdicts) > 10
    assert sum(verdict.resent_unchecked for verdict in verdicts) == 0


def test_a_resend_that_differs_from_the_first_is_found() -> None:
    shop = Shop()
    shop.host.checkpoint()
    shop.place("ONE")
    shop.host.crash()
    shop.host.run()
    topic, partition, original = find(shop, order.OrderCreated)
    again = next(
        record
        for record in shop.host.log.read(topic, partition, original.offset + 1)
        if cause_of(record.headers) == cause_of(original.headers)
    )
    put(shop, (topic, partition, again), value=(again.value or b"") + b"x")

    found = first(verify(shop))

    assert (found.kind, found.recorded.at) == (Kind.RESENT_DIFFERS, (partition, again.offset))


@pytest.mark.parametrize(
    ("field", "value"),
    [("value", b"another"), ("key", b"another"), ("headers", "another trace")],
)
def test_every_byte_of_an_output_counts(shop: Shop, field: str, value: Any) -> None:
    at = find(shop, order.OrderPaid)
    if field == "headers":
        value = [(n, b"00" if n == "traceparent" else v) for n, v in at[2].headers]
    put(shop, at, **{field: value})

    found = first(verify(shop))

    stamp = cause.parse(cause_of(at[2].headers) or b"")
    assert (found.kind, found.offset, found.output) == (Kind.DIFFERS, stamp.offset, stamp.output)
    assert found.recorded.at == (at[1], at[2].offset)
    assert found.replayed.value == (at[2].value)


def test_an_output_that_is_not_in_the_log_is_missing(shop: Shop) -> None:
    at = find(shop, order.OrderPaid)
    put(shop, at, headers=())

    (verdict,) = [verdict for verdict in verify(shop) if not verdict.ok]

    assert verdict.counts == {Kind.MISSING: 1}
    assert verdict.first is not None
    assert verdict.first.replayed is not None
    assert verdict.first.replayed.value == at[2].value


def test_an_output_that_the_replay_does_not_make_is_surplus(shop: Shop) -> None:
    verdicts = verify(shop, orders_of(Silent))

    for verdict in verdicts:
        # It asks by the second output of a placed order, which then is the last one.
        asked = [
            cause.parse(cause_of(record.headers) or b"")
            for record in shop.host.log.records(topics.INVENTORY_COMMANDS.name)
            if record.key and cause_of(record.headers)
        ]
        assert verdict.counts[Kind.SURPLUS] > 0
        assert verdict.first is not None
        assert (verdict.first.offset, verdict.first.output) in {(c.offset, c.output) for c in asked}


def test_an_output_on_a_partition_that_is_not_its_keys_is_found(shop: Shop) -> None:
    _, partition, record = find(shop, order.OrderPaid)
    put(shop, (topics.ORDER_EVENTS.name, partition, record), headers=())
    other = 1 - partition
    log = shop.host.log
    log.append(topics.ORDER_EVENTS.name, record.key, record.value, record.headers, other)

    found = first(verify(shop))

    assert (found.kind, found.why) == (Kind.MISPLACED, f"its key belongs on partition {partition}")


def test_a_changed_rule_is_found_and_the_first_output_shown_with_both_sides(shop: Shop) -> None:
    verdicts = verify(shop, orders_of(RoundsDown))

    for verdict in verdicts:
        recorded = [
            record
            for record in shop.host.log.read(topics.ORDER_EVENTS.name, verdict.partition)
            if isinstance(shop.codec.decode(record.value), order.OrderCreated)
        ]
        assert verdict.counts == {Kind.DIFFERS: len(recorded)}
        assert verdict.first is not None
        assert verdict.first.recorded is not None
        assert verdict.first.recorded.at == (verdict.partition, recorded[0].offset)
        text = "\n".join(reporting.lines(verdict, shop.codec))
        total_fen = shop.codec.decode(recorded[0].value).total_fen  # type: ignore[attr-defined]
        assert f"total_fen: recorded {total_fen}, replayed {total_fen - 1}" in text
        found = reporting.as_json(verdict, shop.codec)["first"]
        assert found["fields"] == {"total_fen": {"recorded": total_fen, "replayed": total_fen - 1}}


def test_another_limit_is_another_rule(shop: Shop) -> None:
    verdicts = verify(shop, stages(OrderLimits(payment_window_ms=2 * LIMITS.payment_window_ms)))

    assert {verdict.stage for verdict in verdicts if not verdict.ok} == {"orders"}


def test_a_replay_that_fails_is_a_difference_at_that_record(shop: Shop) -> None:
    found = first(verify(shop, orders_of(Broken)))

    partition = shop.host.partition_of("CANCELLED")
    record = shop.host.log.read(topics.ORDER_COMMANDS.name, partition)[found.offset]
    assert isinstance(shop.codec.decode(record.value), order.CancelOrder)
    assert (found.kind, found.why) == (Kind.FAILED, "ZeroDivisionError: no such rule")


def test_a_stage_gone_astray_is_not_followed_to_the_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MAX_DIFFERENCES", 1)

    for verdict in verify(shop, orders_of(RoundsDown)):
        inbox = shop.host.log.read(topics.ORDER_COMMANDS.name, verdict.partition)
        assert verdict.is_astray
        assert verdict.records < len(inbox)


def test_however_few_outputs_may_wait_the_verdict_is_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plenty = verify(shop), verify(shop, orders_of(Silent))
    monkeypatch.setattr(verifying, "_MAX_WAITING", 3)

    assert (verify(shop), verify(shop, orders_of(Silent))) == plenty


def test_a_later_round_compares_only_what_came_since() -> None:
    shop = Shop()
    verification = Verification(shop.log, stages(LIMITS), shop.codec)
    verification.round()
    before = sum(verdict.outputs for verdict in verification.verdicts())
    shop.place("LATER")

    verification.round()

    after = verification.verdicts()
    assert all(verdict.ok for verdict in after)
    assert sum(verdict.outputs for verdict in after) > before


def test_a_log_that_nobody_applied_cannot_be_judged() -> None:
    shop = Shop()
    shop.log.applied = lambda places: dict.fromkeys(places, 0)  # type: ignore[method-assign]

    with pytest.raises(CannotReplay, match="ORDERSTREAM_GROUP"):
        verify(shop)


def test_a_log_whose_beginning_is_gone_cannot_be_judged() -> None:
    shop = Shop()
    held = shop.log.spans
    shop.log.spans = lambda names: {  # type: ignore[method-assign]
        place: Span(1, span.end) for place, span in held(names).items()
    }

    with pytest.raises(CannotReplay, match=r"the first 1 records of order\.commands/0 are gone"):
        verify(shop)
