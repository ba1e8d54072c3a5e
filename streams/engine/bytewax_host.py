"""The Bytewax host: a flow as a dataflow on Kafka, input -> fold -> output.

Bytewax runs the dataflow; its connectors and its recovery are not used. Its KafkaSource never
commits, so that nobody sees a lag; its KafkaSink goes on after a failed delivery; its recovery
keeps pickles in local files, whole states of keys at a time. Here

* the input reads assigned partitions from the flow's own positions;
* the fold (``FlowFold``) takes each fact once and emits rows, and now and then a `_Barrier`, which
  carries what changed in the state since the last one;
* the output appends rows by one idempotent, gapless producer. At a barrier it
  1. waits until all rows before it are acknowledged;
  2. writes the changes and the positions to the flow's changelog in one transaction, whose id
     fences an older process of the same flow;
  3. commits the positions to the flow's consumer group, for the lag to be seen.

The barrier follows the rows through the dataflow, so what it stands for is complete whatever
Bytewax does in which order. After a crash state and positions come from the changelog; facts after
them are taken again, and rows written again are the same upserts.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, cast

import bytewax.operators as op
import msgspec
import structlog
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import Codec
from schemas.errors import Retryable
from streams.engine.changelog import START, Change
from streams.engine.checkpoints import CheckpointLog
from streams.engine.flow_fold import PREFIX, FlowFold, Place, changelog_of, entities
from streams.engine.flow_metrics import FlowMetrics
from streams.engine.producer import GaplessProducer
from streams.engine.records import StoredRecord
from streams.engine.store import MemoryStore
from streams.kernel.errors import StageDefect
from streams.kernel.flow import Flow
from streams.kernel.stage import Output, Stage

log = structlog.get_logger()

_POLL_S = 0.02
_GATHER_S = 0.003  # a batch of one costs as much as a batch of ten
_BATCH_RECORDS = 2_000
_DRAIN_S = 30.0  # longer than a broker's restart
_RETRY_S = 0.5
_SHARE = "all"  # one process reads all partitions: one part, as Bytewax calls it


@dataclass(frozen=True)
class FlowSettings:
    """What a flow's host needs to know; times in milliseconds."""

    kafka: str
    lateness_ms: int = 2_000
    """How much later than others a partition's facts may come before windows count as complete."""
    idle_ms: int = 5_000
    """A partition without facts is at most this far behind the clock."""
    emit_ms: int = 250
    """Rows that changed are written this often; 0: after each batch."""
    checkpoint_ms: int = 1_000
    prefix: str = PREFIX


class _Batch(NamedTuple):
    """Records by partition, and partitions that were read to their end."""

    records: Mapping[Place, list[StoredRecord]]
    ends: list[Place]
    is_last: bool


class _Barrier(NamedTuple):
    """All rows before this belong to a state that ``changes`` lead to."""

    changes: list[Change]
    positions: dict[Place, int]


class BytewaxHost:
    """Runs one flow on Kafka until SIGTERM.

    ``tend`` is called about once a second between batches: to follow settings that may change.
    """

    def __init__(
        self,
        settings: FlowSettings,
        flow: Flow,
        codec: Codec,
        incarnations: Mapping[str, bytes],
        partitions: Mapping[str, int],
        metrics: FlowMetrics | None = None,
        tend: Callable[[], None] = lambda: None,
    ) -> None:
        self.metrics = metrics or FlowMetrics()
        self._settings = settings
        self._flow = flow
        self._codec = codec
        self._tend = tend
        self._incarnations = incarnations
        self._places = [(t.name, p) for t in flow.sources for p in range(partitions[t.name])]
        self._stopping = False
        self._failure: Exception | None = None
        self._emit_at_s = self._checkpoint_at_s = 0.0
        self._checkpoints = 0

    def run(self) -> None:
        """Run until SIGTERM or SIGINT; then write what is known, and return.

        Raises Fenced when another process runs the same flow, StageDefect and KafkaException when
        it cannot go on; nothing is written then that is not whole.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._open()
        log.info("assigned", flow=self._flow.name, partitions=len(self._places))
        try:
            cli_main(self._dataflow())  # type: ignore[no-untyped-call]  # it says nothing of types
        except Exception as error:
            # Bytewax tells that a step failed; why is what the step itself raised.
            raise (self._failure or error) from error
        finally:
            self._consumer.close()
        log.info("stopped", flow=self._flow.name)

    def _dataflow(self) -> Dataflow:
        dataflow = Dataflow(self._flow.name)
        batches = op.input("facts", dataflow, _Source(self))
        outputs = op.flat_map_batch("fold", batches, self._fold_batches)
        op.output("rows", outputs, _Sink(self))
        return dataflow

    def _open(self) -> None:
        """Fence, load the state, and go to its positions."""
        name = f"{self._settings.prefix}-{self._flow.name}"
        # It asks the stage for nothing but its name and its entities.
        kept = cast(Stage, _Kept(self._flow.name, entities(self._flow)))
        changelog = changelog_of(self._flow, self._settings.prefix).name
        self._log = CheckpointLog(self._settings.kafka, self._settings.prefix, kept, changelog, 0)
        store = MemoryStore(kept.entities)
        started_s = time.monotonic()
        self._checkpoints = self._log.load(self._codec, store).checkpoint
        self._fold = FlowFold(
            self._flow,
            self._codec,
            self._incarnations,
            self._places,
            store,
            lateness_ms=self._settings.lateness_ms,
            idle_ms=self._settings.idle_ms,
        )
        log.info(
            "took_over",
            flow=self._flow.name,
            checkpoint=self._checkpoints,
            records=len(self._fold.state),
            seconds=round(time.monotonic() - started_s, 3),
        )
        self._producer = GaplessProducer(self._settings.kafka, self._undelivered)
        self._consumer = Consumer(
            {
                "bootstrap.servers": self._settings.kafka,
                "group.id": name,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 20,
                "queued.max.messages.kbytes": 32_768,
                "log_level": 3,
            }
        )
        starts = self._fold.positions()
        self._consumer.assign([TopicPartition(*place, at) for place, at in starts.items()])

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _undelivered(self, why: str) -> NoReturn:
        raise StageDefect(why)

    # --- input -----------------------------------------------------------------------------------

    def _read(self) -> _Batch:
        """Return what is there; wait a little for a first record."""
        if self._stopping:
            return _Batch({}, [], True)
        found: dict[Place, list[StoredRecord]] = {}
        ends: list[Place] = []
        first = self._consumer.poll(_POLL_S)
        if first is not None:
            time.sleep(_GATHER_S)
            for message in (first, *self._consumer.consume(_BATCH_RECORDS - 1, 0)):
                place = cast(Place, (message.topic(), message.partition()))
                error = message.error()
                if error is None:
                    found.setdefault(place, []).append(stored(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ends.append(place)
                elif error.fatal() or not error.retriable():
                    raise KafkaException(error)
        return _Batch(found, ends, False)

    # --- fold ------------------------------------------------------------------------------------

    def _fold_batches(self, batches: list[_Batch]) -> list[Output | _Barrier]:
        """Take batches in; return rows and barriers that are due."""
        outputs: list[Output | _Barrier] = []
        with self._noted():
            for batch in batches:
                for place, records in batch.records.items():
                    self._apply(place, records)
                for place in batch.ends:
                    self._fold.reached_end(place)
                outputs += self._due(batch.is_last)
        return outputs

    def _apply(self, place: Place, records: list[StoredRecord]) -> None:
        while True:
            try:
                self._fold.apply(place, records)
            except Retryable as error:
                log.warning("facts_unreadable_yet", flow=self._flow.name, why=str(error))
                time.sleep(_RETRY_S)
            else:
                return

    def _due(self, is_last: bool) -> list[Output | _Barrier]:
        now_s = time.monotonic()
        is_barrier = is_last or now_s >= self._checkpoint_at_s
        if not is_barrier and now_s < self._emit_at_s:
            return []
        now_ms = time.time_ns() // 1_000_000
        outputs: list[Output | _Barrier] = list(self._fold.rows(now_ms))
        self._emit_at_s = now_s + self._settings.emit_ms / 1000
        if is_barrier:
            self._tend()
            outputs.append(_Barrier(self._fold.take_changes(), self._fold.positions()))
            self._checkpoint_at_s = now_s + self._settings.checkpoint_ms / 1000
            self.metrics.observe(self._flow.name, self._fold, now_ms)
        return outputs

    # --- output ----------------------------------------------------------------------------------

    def _write(self, outputs: Iterable[Output | _Barrier]) -> None:
        with self._noted():
            for output in outputs:
                if isinstance(output, _Barrier):
                    self._checkpoint(output)
                else:
                    topic, key, row = output
                    self._producer(topic, key, self._codec.encode(row), [])
                    self.metrics.rows.labels(self._flow.name).inc()
            self._producer.poll()

    def _checkpoint(self, barrier: _Barrier) -> None:
        started_s = time.monotonic()
        if left := self._producer.drain(_DRAIN_S):
            raise StageDefect(f"{left} rows were not acknowledged in {_DRAIN_S:g} s")
        self._checkpoints += 1
        progress = msgspec.structs.replace(START, checkpoint=self._checkpoints)
        self._log.write(self._codec, barrier.changes, progress)
        offsets = [TopicPartition(*place, at) for place, at in barrier.positions.items()]
        self._consumer.commit(offsets=offsets, asynchronous=True)
        self.metrics.checkpoint.labels(self._flow.name).observe(time.monotonic() - started_s)

    def _noted(self) -> _Noted:
        return _Noted(self)


class _Noted:
    """Keeps what a step raises, for Bytewax raises something else instead."""

    def __init__(self, host: BytewaxHost) -> None:
        self._host = host

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            self._host._failure = self._host._failure or error


class _Kept(NamedTuple):
    """What the changelog wants to know of whoever keeps state in it."""

    name: str
    entities: tuple[type[Any], ...]


class _Source(FixedPartitionedSource[_Batch, None]):
    def __init__(self, host: BytewaxHost) -> None:
        self._host = host

    def list_parts(self) -> list[str]:
        return [_SHARE]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _SourcePart:
        return _SourcePart(self._host)


class _SourcePart(StatefulSourcePartition[_Batch, None]):
    def __init__(self, host: BytewaxHost) -> None:
        self._host = host
        self._is_over = False

    def next_batch(self) -> list[_Batch]:
        if self._is_over:
            raise StopIteration
        with self._host._noted():
            batch = self._host._read()
        self._is_over = batch.is_last
        return [batch]

    def snapshot(self) -> None:
        return None


class _Sink(DynamicSink[Any]):
    def __init__(self, host: BytewaxHost) -> None:
        self._host = host

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _SinkPart:
        return _SinkPart(self._host)


class _SinkPart(StatelessSinkPartition[Any]):
    def __init__(self, host: BytewaxHost) -> None:
        self._host = host

    def write_batch(self, items: list[Any]) -> None:
        self._host._write(items)


def stored(message: Message) -> StoredRecord:
    """Return a consumer's record as a fold takes it."""
    return StoredRecord(
        cast(int, message.offset()),
        message.timestamp()[1],
        message.key(),
        message.value(),
        cast("Any", message.headers()) or (),
    )
