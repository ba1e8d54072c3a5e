"""The fold: once per record, once per cause, in order, timers in stream time."""

from __future__ import annotations

import pytest

from schemas.codec import local_codec
from schemas.errors import Retryable
from schemas.stream import Progress, SeenChannel
from streams.engine import cause
from streams.engine.changelog import START
from streams.engine.fold import PartitionFold
from streams.engine.memory import MemoryLog
from streams.engine.records import Headers, StoredRecord
from streams.engine.store import MemoryStore
from streams.kernel.errors import StageDefect
from tests.contracts.toy import (
    BELL_COMMANDS,
    IDLE_MS,
    PURSE_EVENTS,
    RECORDS,
    TRACE,
    Closed,
    Deposit,
    Deposited,
    Purse,
    PurseStage,
)

CODEC = local_codec(RECORDS)
SOURCE = b"8 bytes."
UPSTREAM = cause.channel(b"upstream", 3)
NOW_MS = 1_000


class Bench:
    """A fold of the purse stage and the log that takes its outputs."""

    def __init__(self, progress: Progress = START) -> None:
        self.log = MemoryLog(1)
        store = MemoryStore(PurseStage.entities)
        self.fold = PartitionFold(PurseStage(), CODEC, SOURCE, 0, store, progress, self.log.append)

    def facts(self) -> list[object]:
        return [CODEC.decode(r.value) for r in self.log.read(PURSE_EVENTS.name, 0)]


def deposit(
    offset: int, amount: int = 1, key: str = "a", at_ms: int = NOW_MS, headers: Headers = ()
) -> StoredRecord:
    return StoredRecord(offset, at_ms, key.encode(), CODEC.encode(Deposit(key, amount)), headers)


def caused(offset: int, output: int = 0) -> Headers:
    return ((cause.HEADER, UPSTREAM + cause.pack_position(offset, output)),)


def test_records_at_or_below_the_progress_are_skipped() -> None:
    bench = Bench(Progress(4, 0, (), 0, 0, 7))
    bench.fold.apply([deposit(3), deposit(4), deposit(5, amount=9)])
    assert bench.facts() == [Deposited("a", 9, 9, 1, TRACE)]
    assert (bench.fold.skipped, bench.fold.applied, bench.fold.offset) == (2, 1, 5)


def test_a_gap_stops_the_worker() -> None:
    bench = Bench()
    bench.fold.apply([deposit(0)])
    with pytest.raises(StageDefect, match=r"gap in purse\.commands/0: after offset 0 came 2"):
        bench.fold.apply([deposit(2)])


def test_a_resend_is_dropped_by_its_cause_and_a_later_output_of_the_same_record_is_not() -> None:
    bench = Bench()
    bench.fold.apply(
        [
            deposit(0, 1, headers=caused(10, 0)),
            deposit(1, 2, headers=caused(10, 1)),
            deposit(2, 1, headers=caused(10, 0)),
            deposit(3, 2, headers=caused(10, 1)),
            deposit(4, 4, headers=caused(11, 0)),
        ]
    )
    assert [fact.amount for fact in bench.facts()] == [1, 2, 4]  # type: ignore[attr-defined]
    assert (bench.fold.dropped, bench.fold.offset) == (2, 4)


def test_what_was_seen_is_part_of_the_progress() -> None:
    first = Bench()
    first.fold.apply([deposit(0, headers=caused(10))])
    _, progress = first.fold.take_changes()
    assert progress.seen == (SeenChannel(UPSTREAM, cause.pack_position(10, 0)),)
    second = Bench(progress)
    second.fold.apply([deposit(1, headers=caused(10)), deposit(2, headers=caused(12))])
    assert (second.fold.dropped, len(second.facts())) == (1, 1)


def test_a_source_made_again_under_the_same_name_is_another_source() -> None:
    bench = Bench()
    other = cause.channel(b"upstrea2", 3) + cause.pack_position(0, 0)
    bench.fold.apply(
        [deposit(0, headers=caused(500)), deposit(1, headers=((cause.HEADER, other),))]
    )
    assert bench.fold.dropped == 0


def test_every_output_carries_its_own_cause() -> None:
    bench = Bench()
    bench.fold.apply([deposit(0), deposit(1)])
    stamps = [
        cause.parse(dict(record.headers)[cause.HEADER])
        for topic in (PURSE_EVENTS, BELL_COMMANDS)
        for record in bench.log.read(topic.name, 0)
    ]
    assert sorted(stamps) == [
        (SOURCE, 0, 0, 0),
        (SOURCE, 0, 0, 1),
        (SOURCE, 0, 1, 0),
        (SOURCE, 0, 1, 1),
    ]


def test_facts_carry_trace_context_and_cloudevents_and_commands_carry_the_trace() -> None:
    bench = Bench()
    bench.fold.apply([deposit(0, at_ms=1_790_000_000_123)])
    fact = dict(bench.log.read(PURSE_EVENTS.name, 0)[0].headers)
    command = dict(bench.log.read(BELL_COMMANDS.name, 0)[0].headers)
    assert fact["ce_specversion"] == b"1.0"
    assert fact["ce_type"].endswith(b".Deposited")
    channel = fact["cause"][: cause.CHANNEL_BYTES].hex()
    assert fact["ce_source"].decode() == f"/orderstream/purse/{channel}"
    assert fact["ce_id"] == b"0.0"  # offset and output: with the source it is unique
    assert fact["ce_time"] == b"2026-09-21T14:13:20.123Z"
    assert set(command) == {"cause", "traceparent"}
    version, trace, span, flags = command["traceparent"].decode().split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert len(span) == 16
    assert command["traceparent"] == fact["traceparent"]  # applying one record is one span


def test_timers_fire_before_the_record_that_brings_their_time() -> None:
    bench = Bench()
    bench.fold.apply([deposit(0, 5), deposit(1, 7, at_ms=NOW_MS + IDLE_MS)])
    assert bench.facts() == [
        Deposited("a", 5, 5, 1, TRACE),
        Closed("a", 1, TRACE),
        Deposited("a", 7, 7, 1, TRACE),
    ]


def test_stream_time_never_goes_back() -> None:
    bench = Bench()
    bench.fold.apply([deposit(0, at_ms=NOW_MS + 50), deposit(1, at_ms=NOW_MS)])
    purse = bench.fold.state.get(Purse, "a")
    assert purse is not None
    assert purse.due_ms == NOW_MS + 50 + IDLE_MS


def test_an_invalid_record_is_dead_lettered_with_where_and_why_and_the_stream_goes_on() -> None:
    bench = Bench()
    garbage = StoredRecord(0, NOW_MS, b"a", b"\x00garbage", (("x", b"y"),))
    bench.fold.apply([garbage, deposit(1, amount=-3), deposit(2, amount=2)])
    letters = bench.log.read("purse.commands.dlq", 0)
    assert [letter.value for letter in letters] == [garbage.value, deposit(1, amount=-3).value]
    headers = dict(letters[0].headers)
    assert headers["x"] == b"y"
    assert headers["dlq_topic"] == b"purse.commands"
    assert (headers["dlq_partition"], headers["dlq_offset"]) == (b"0", b"0")
    assert headers["dlq_code"] == b"UNKNOWN_SCHEMA"
    assert dict(letters[1].headers)["dlq_code"] == b"BAD_DEPOSIT"
    assert len(bench.facts()) == 1
    assert bench.fold.invalid == 2


def test_a_retryable_record_leaves_the_fold_before_it_and_may_be_applied_again() -> None:
    bench = Bench()
    away = [True]

    def lookup(schema_id: int) -> None:
        if away[0]:
            raise Retryable("registry away")

    codec = local_codec(RECORDS)
    codec._lookup = lookup
    bench.fold._codec = codec
    unknown = StoredRecord(1, NOW_MS + IDLE_MS * 2, b"a", b"\x00\x00\x00\x03\xe7", caused(9))
    batch = [deposit(0), unknown, deposit(2)]
    with pytest.raises(Retryable):
        bench.fold.apply(batch)
    assert (bench.fold.offset, bench.fold.now_ms) == (0, NOW_MS)
    away[0] = False
    bench.fold.apply(batch[1:])
    assert (bench.fold.offset, bench.fold.invalid) == (2, 1)


def test_a_timer_that_does_not_move_is_a_defect_not_an_endless_loop() -> None:
    class Stuck(PurseStage):
        def wake(self, state: object, record: object, now_ms: int) -> tuple[()]:
            return ()

    bench = Bench()
    bench.fold.stage = Stuck()
    with pytest.raises(StageDefect, match="due again"):
        bench.fold.apply([deposit(0), deposit(1, at_ms=NOW_MS + IDLE_MS)])
