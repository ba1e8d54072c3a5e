"""A flow takes each fact once, and knows how far it is."""

from __future__ import annotations

import pytest

from schemas.errors import Retryable
from schemas.record import Record
from streams.engine.flow_fold import FlowFold, entities, event_time_ms
from streams.engine.records import StoredRecord
from streams.engine.store import MemoryStore
from streams.kernel.errors import StageDefect
from streams.windows.sales import SalesFlow
from tests.unit.windows.log import CODEC, ID, START_MS, Log
from tests.unit.windows.orders import TOPIC, created, placed

PLACES = [(TOPIC, 0), (TOPIC, 1)]


def fold(store: MemoryStore | None = None, topic_id: bytes = ID) -> FlowFold:
    flow = SalesFlow()
    return FlowFold(
        flow,
        CODEC,
        {TOPIC: topic_id},
        PLACES,
        store or MemoryStore(entities(flow)),
        lateness_ms=2_000,
        idle_ms=5_000,
    )


def orders(*times_ms: int, partition: int = 0) -> list[StoredRecord]:
    log = Log()
    for n, at_ms in enumerate(times_ms):
        log.append(TOPIC, partition, at_ms, placed(f"N{partition}{n}", (101, 1, 500)))
    return log.places[TOPIC, partition]


def kept(changed: FlowFold) -> MemoryStore:
    store = MemoryStore(entities(changed.flow))
    changed.rows(0)
    for kind, key, record in changed.take_changes():
        assert record is not None
        store.table(kind)[key] = record
    return store


def test_what_was_taken_before_a_crash_is_passed_over() -> None:
    first = fold()
    first.apply(PLACES[0], orders(0, 10, 20))
    second = fold(kept(first))
    second.apply(PLACES[0], orders(0, 10, 20, 30))
    assert (second.skipped, second.taken) == (3, 1)
    assert second.positions() == {PLACES[0]: 4, PLACES[1]: 0}


def test_a_resend_is_dropped_also_by_a_flow_that_crashed_meanwhile() -> None:
    first = fold()
    records = orders(0, 10, 20)
    first.apply(PLACES[0], records)
    second = fold(kept(first))
    again = [record._replace(offset=record.offset + 3) for record in records]
    second.apply(PLACES[0], again)
    assert (second.dropped, second.taken) == (3, 0)


def test_a_topic_that_was_made_again_is_read_from_its_beginning() -> None:
    first = fold()
    first.apply(PLACES[0], orders(0, 10, 20))
    assert fold(kept(first), topic_id=b"another.").positions()[PLACES[0]] == 0


def test_the_watermark_waits_for_the_partition_that_is_behind() -> None:
    flow = fold()
    flow.apply(PLACES[0], orders(90_000))
    flow.apply(PLACES[1], orders(10_000, partition=1))
    assert flow.time(START_MS + 91_000) == (START_MS + 8_000, START_MS + 90_000)


def test_a_partition_at_its_end_holds_nothing_up_for_longer_than_it_may() -> None:
    flow = fold()
    flow.apply(PLACES[0], orders(90_000))
    flow.reached_end(PLACES[1])
    assert flow.time(START_MS + 91_000) == (START_MS + 84_000, START_MS + 90_000)


def test_the_watermark_never_goes_back() -> None:
    flow = fold()
    flow.apply(PLACES[0], orders(90_000))
    flow.reached_end(PLACES[1])
    before = flow.time(START_MS + 91_000)
    flow.apply(PLACES[1], orders(10_000, partition=1))
    assert flow.time(START_MS + 91_000) == before


def test_the_time_of_a_fact_is_its_stages_and_else_the_brokers() -> None:
    ours = orders(1_234)[0]
    assert event_time_ms(ours) == START_MS + 1_234
    assert event_time_ms(ours._replace(headers=(), timestamp=77)) == 77
    assert event_time_ms(ours._replace(headers=[("ce_time", b"noon")], timestamp=77)) == 77


class _Away:
    """A codec whose registry is away for the second record it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def decode(self, value: bytes | None) -> Record:
        self.asked += 1
        if self.asked == 2:
            raise Retryable("the registry is away")
        return CODEC.decode(value)


def test_a_fact_that_cannot_be_read_yet_is_taken_later_and_once() -> None:
    flow = fold()
    flow._codec = _Away()  # type: ignore[assignment]
    records = orders(0, 10, 20)
    with pytest.raises(Retryable):
        flow.apply(PLACES[0], records)
    assert (flow.taken, flow.positions()[PLACES[0]]) == (1, 1)
    flow.apply(PLACES[0], records)
    assert (flow.taken, flow.dropped, flow.positions()[PLACES[0]]) == (3, 0, 3)


def test_what_nobody_understands_is_counted_and_a_flood_of_it_stops_the_flow() -> None:
    flow = fold()
    junk = [StoredRecord(n, START_MS, None, b"\x00junk", ()) for n in range(200)]
    flow.apply(PLACES[0], junk[:100])
    assert flow.invalid == 100
    with pytest.raises(StageDefect):
        flow.apply(PLACES[0], junk[100:])


def test_records_that_are_gone_are_counted_unless_the_flow_begins_after_them() -> None:
    flow = fold()
    log = orders(0, 10, 20, 30, 40, 50)
    flow.apply(PLACES[0], log[2:4])
    assert flow.missed == 0
    flow.apply(PLACES[0], log[5:])
    assert (flow.missed, flow.taken) == (1, 3)


def test_a_fact_without_a_cause_is_taken() -> None:
    flow = fold()
    bare = [StoredRecord(0, START_MS, None, CODEC.encode(created("A", 5)), ())]
    flow.apply(PLACES[0], bare)
    assert flow.taken == 1
