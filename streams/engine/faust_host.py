"""The Faust host: runs stages and relays on Kafka.

Faust supplies the application's life cycle, group membership, assignment and back-pressure; the
engine supplies everything about effect: folds, checkpoints, fencing and the offsets that are
committed.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn

import faust
import structlog
from faust.types import TP

from schemas.codec import Codec
from schemas.errors import Retryable
from schemas.stream import Tick
from schemas.topics import Topic
from streams.engine.checkpoints import Fenced
from streams.engine.fold import PartitionFold
from streams.engine.metrics import EngineMetrics
from streams.engine.owned import COUNTS, Owned, Takeover
from streams.engine.producer import GaplessProducer
from streams.engine.relaying import PartitionRelay
from streams.engine.store import MemoryStore, NewStore
from streams.engine.transport import BatchSchema, BatchTransport
from streams.kernel.relay import Relay
from streams.kernel.stage import Stage

EXIT_DEFECT = 70  # sysexits.h EX_SOFTWARE: a promise is broken, look before restarting
EXIT_FENCED = 75  # sysexits.h EX_TEMPFAIL: another worker owns the partition, restart me

_DRAIN_TIMEOUT_S = 60.0
_RETRY_FIRST_S, _RETRY_CAP_S = 0.2, 5.0
_SEEK_TIMEOUT_S = 30.0
_MINUTE_S = 60.0
_BUFFERED_BATCHES = 2

log = structlog.get_logger("engine")


@dataclass(frozen=True)
class HostSettings:
    """How a worker runs. Times in seconds."""

    kafka: str
    group: str = "orderstream"
    checkpoint_interval_s: float = 1.0
    idle_checkpoint_interval_s: float = 10.0
    tick_interval_s: float = 1.0
    stats_interval_s: float = 5.0
    session_timeout_s: float = 6.0  # how long a killed worker's partitions stand still
    heartbeat_interval_s: float = 2.0
    max_batch_records: int = 2000
    linger_ms: float = 10.0
    takeover_threads: int = 4  # loading is decoding: more of them fight for the lock
    checkpoint_threads: int = 16
    instance_id: str | None = None  # static membership: a quick restart causes no rebalance


class FaustHost:
    """Runs ``stages`` and ``relays``; ``incarnations`` maps each source topic to its 8 bytes."""

    def __init__(
        self,
        settings: HostSettings,
        stages: Sequence[Stage],
        relays: Sequence[Relay],
        codec: Codec,
        incarnations: dict[str, bytes],
        metrics: EngineMetrics | None = None,
        new_store: NewStore = MemoryStore,
    ) -> None:
        self.metrics = metrics or EngineMetrics()
        self._settings = settings
        self._codec = codec
        self._sources: dict[str, tuple[Stage | Relay, Topic]] = {
            **{stage.inbox.name: (stage, stage.inbox) for stage in stages},
            **{relay.source.name: (relay, relay.source) for relay in relays},
        }
        self._stages = {stage.name for stage in stages}
        self._owned: dict[TP, Owned] = {}
        self._kept: dict[TP, Owned] = {}  # during a rebalance: what was owned before it
        self._producer = GaplessProducer(
            settings.kafka, self._lost_output, linger_ms=settings.linger_ms
        )
        self._takeover = Takeover(
            settings.kafka, settings.group, codec, incarnations, self._producer, new_store
        )
        self._threads = ThreadPoolExecutor(settings.checkpoint_threads, "engine")
        # Apart, so that no checkpoint waits for a partition that is being loaded.
        self._loaders = ThreadPoolExecutor(settings.takeover_threads, "takeover")
        self._gate = asyncio.Event()
        self._checkpointing = asyncio.Lock()
        self._ticks = 0
        self._counts = dict.fromkeys(COUNTS, 0)
        self._last_checkpoint_s = time.monotonic()
        self.app = self._build_app()

    def run(self) -> NoReturn:
        """Run until SIGTERM or SIGINT; the last checkpoint is complete when this returns."""
        worker = faust.Worker(self.app, loglevel="WARN", quiet=True, redirect_stdouts=False)
        worker.spinner = None  # it writes escape codes into the log
        worker.execute_from_commandline()
        raise SystemExit(0)

    # --- Faust ------------------------------------------------------------------------------------

    def _build_app(self) -> Any:
        settings = self._settings
        app = faust.App(
            settings.group,
            broker=f"kafka://{settings.kafka}",
            store="memory://",
            datadir=tempfile.gettempdir(),  # Faust wants one, though it keeps nothing here
            autodiscover=False,
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_wait_empty=False,
            # While the folds are busy the next records wait in the log, and come as one batch.
            stream_buffer_maxsize=_BUFFERED_BATCHES,
            # Faust's own commits are switched off; this keeps its timer from waking for nothing.
            broker_commit_interval=3600,
            broker_session_timeout=settings.session_timeout_s,
            broker_heartbeat_interval=settings.heartbeat_interval_s,
            broker_max_poll_records=settings.max_batch_records,
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=settings.instance_id,
        )
        # With web_enabled=False alone Faust still listens on all interfaces.
        app.boot_strategy.enable_web = False
        app.transport = BatchTransport(app.conf.broker_consumer, app)
        app.producer_transport = BatchTransport(app.conf.broker_producer, app)
        for name, (source, _) in self._sources.items():
            topic = app.topic(name, schema=BatchSchema(), internal=False)
            app.agent(topic, name=f"{source.name}-{name}")(self._agent)
        app.task(self._checkpoint_forever)
        app.task(self._tick_forever)
        app.task(self._report_forever)
        app.on_partitions_assigned.connect(self._on_assigned, weak=False)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_before_shutdown.connect(self._on_shutdown, weak=False)
        return app

    async def _agent(self, stream: Any) -> None:
        async for event in stream.events():
            try:
                for tp, records in event.message.value:
                    await self._process(tp, records)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the fifth outcome: stop before committing
                self._die(EXIT_DEFECT, "a record could not be applied", error)

    async def _on_assigned(self, *args: Any, **_: Any) -> None:
        assigned: set[TP] = args[-1]
        self.metrics.rebalances.inc()
        log.info("assigned", partitions=len(assigned))
        for tp in sorted(assigned):
            if tp.topic in self._sources:
                owned = self._owned[tp] = Owned(tp, *self._sources[tp.topic])
                before = self._kept.get(tp)
                owned.ready = asyncio.ensure_future(self._take_over(owned, before))
        self._kept.clear()
        self._gate.set()

    async def _on_revoked(self, *args: Any, **_: Any) -> None:
        in_flight = sum(1 for owned in self._owned.values() if self._behind(owned))
        log.info("revoked", partitions=len(args[-1]), with_work_in_flight=in_flight)
        await self._let_go()

    async def _on_shutdown(self, *_args: Any, **_: Any) -> None:
        await self._let_go()
        log.info("stopped", **self._totals())

    async def _let_go(self) -> None:
        """Checkpoint everything, then own nothing. Every Faust rebalance revokes all partitions.

        Most of them come back at once: what is in memory is kept until that is known.
        """
        await self._checkpoint(reopen=False)
        for tp, owned in self._owned.items():
            self._count(owned)
            if owned.is_loaded():
                self._kept[tp] = owned
        self._owned.clear()

    # --- takeover ---------------------------------------------------------------------------------

    async def _take_over(self, owned: Owned, before: Owned | None) -> None:
        started_s = time.monotonic()
        try:
            loop = asyncio.get_running_loop()
            is_kept = before is not None and await loop.run_in_executor(
                self._threads, self._takeover.go_on, owned, before
            )
            del before  # its memory is needed for what is loaded
            if not is_kept:
                await loop.run_in_executor(self._loaders, self._takeover.load, owned)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - see _agent
            if self._owned.get(owned.tp) is owned:
                self._die(EXIT_DEFECT, f"taking over {owned.tp} failed", error)
            return
        took_s = time.monotonic() - started_s
        if not is_kept:
            self.metrics.takeover.labels(owned.name).observe(took_s)
        fold = owned.fold
        if isinstance(fold, PartitionFold):
            log.info(
                "kept" if is_kept else "took_over",
                stage=owned.name,
                partition=owned.tp.partition,
                offset=fold.offset,
                records=len(fold.state),
                seconds=round(took_s, 3),
            )

    # --- applying ---------------------------------------------------------------------------------

    async def _process(self, tp: TP, records: list[Any]) -> None:
        owned = self._owned.get(tp)
        if owned is None or owned.ready is None:
            return
        await asyncio.shield(owned.ready)
        retry_s = _RETRY_FIRST_S
        while True:
            await self._gate.wait()
            if self._owned.get(tp) is not owned or owned.fold is None:
                return  # revoked meanwhile: the next owner applies these records
            fold = owned.fold
            if isinstance(fold, PartitionFold) and await self._gap(owned, fold, records[0].offset):
                return
            self.metrics.batch.labels(owned.name).observe(len(records))
            try:
                fold.apply(records)
            except Retryable as reason:
                log.warning("retrying", stage=owned.name, partition=tp.partition, why=str(reason))
                records = [record for record in records if record.offset > fold.offset]
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, _RETRY_CAP_S)
            else:
                self._producer.poll()
                self._cap_dead_letters(owned, fold)
                return

    def _cap_dead_letters(self, owned: Owned, fold: PartitionFold | PartitionRelay) -> None:
        """Stop rather than dead-letter everything: then the fault is not in the data."""
        now_s = time.monotonic()
        if now_s - owned.letters_since_s > _MINUTE_S:
            owned.letters_since_s, owned.letters_before = now_s, fold.invalid
        letters, cap = (
            fold.invalid - owned.letters_before,
            owned.source_topic.dead_letter_cap_per_minute,
        )
        if letters > cap:
            self._die(
                EXIT_DEFECT,
                f"{letters} of the records of {owned.tp} within a minute could not be understood "
                f"(cap {cap}); see: orderstream dlq list {owned.tp.topic}",
            )

    async def _gap(self, owned: Owned, fold: PartitionFold, first: int) -> bool:
        """Tell whether ``first`` lies beyond the next offset; if so, seek back to the next one."""
        if first <= fold.offset + 1:
            owned.sought_at_s = None
            return False
        now_s = time.monotonic()
        if owned.sought_at_s is None:
            owned.sought_at_s = now_s
            log.warning("gap", stage=owned.name, partition=owned.tp.partition, offset=first)
            await self.app.consumer.seek(owned.tp, fold.offset + 1)
        elif now_s - owned.sought_at_s > _SEEK_TIMEOUT_S:
            self._die(
                EXIT_DEFECT,
                f"{owned.tp}: records {fold.offset + 1} to {first - 1} are gone from the inbox; "
                "its retention is too short or it was truncated",
            )
        return True

    # --- checkpoints ------------------------------------------------------------------------------

    async def _checkpoint_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.checkpoint_interval_s)
            if self._gate.is_set():
                await self._checkpoint()

    async def _checkpoint(self, *, reopen: bool = True) -> None:
        """Make everything applied so far durable.

        The order of the steps is what makes effects exact:

        1. Close the gate: no fold applies anything.
        2. Drain: every output so far is acknowledged by the broker.
        3. Take each partition's changes and progress; they are immutable. Open the gate.
        4. Write them, one Kafka transaction per partition. A fenced one means another worker owns
           the partition: when we still believe it is ours, the process ends.
        5. Commit the consumer offsets: only a hint where to start reading, the progress is the
           truth.
        """
        async with self._checkpointing:
            started_s = time.monotonic()
            self._gate.clear()
            try:
                await self._drain()
                paused_s = time.monotonic() - started_s
                work = [
                    (owned, *owned.fold.take_changes())
                    for owned in self._owned.values()
                    if isinstance(owned.fold, PartitionFold) and self._is_due(owned, started_s)
                ]
                frontier = {o.tp: o.fold.offset for o in self._owned.values() if o.fold}
            finally:
                if reopen:
                    self._gate.set()
            loop = asyncio.get_running_loop()
            results = await asyncio.gather(
                *(
                    loop.run_in_executor(
                        self._threads, owned.log.write, self._codec, changes, progress
                    )
                    for owned, changes, progress in work
                    if owned.log is not None
                ),
                return_exceptions=True,
            )
            for (owned, _, progress), result in zip(work, results, strict=True):
                self._written(owned, progress.offset, result)
            await self._commit(frontier)
            self._collect_young()
            ended_s = time.monotonic()
            self._last_checkpoint_s = ended_s
            self.metrics.pause.observe(paused_s)
            self.metrics.checkpoint.observe(ended_s - started_s)

    def _collect_young(self) -> None:
        """Collect what became garbage since the last checkpoint; never look at it again.

        Automatic collection is off: it walks the whole live state, which holds no cycles, and takes
        time in proportion (docs/adr/0004). Cycles come from the event loop and die young.
        """
        gc.collect(0)
        gc.freeze()

    def _is_due(self, owned: Owned, now_s: float) -> bool:
        """Ticks alone need no durable trace: skip them for a while, they are applied again."""
        fold = owned.fold
        if not isinstance(fold, PartitionFold) or fold.offset == owned.committed:
            return False
        idle_s = now_s - owned.written_at_s
        return fold.has_changes() or idle_s >= self._settings.idle_checkpoint_interval_s

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        left = await loop.run_in_executor(self._threads, self._producer.drain, _DRAIN_TIMEOUT_S)
        if left:
            self._die(EXIT_DEFECT, f"{left} outputs not acknowledged in {_DRAIN_TIMEOUT_S} s")

    def _written(self, owned: Owned, offset: int, result: int | BaseException) -> None:
        if isinstance(result, int):
            owned.committed = offset
            owned.written_at_s = time.monotonic()
            return
        ours = self._owned.get(owned.tp) is owned
        if isinstance(result, Fenced):
            self.metrics.fenced.inc()
            log.warning("fenced", stage=owned.name, partition=owned.tp.partition, ours=ours)
        if ours:
            code = EXIT_FENCED if isinstance(result, Fenced) else EXIT_DEFECT
            self._die(code, f"the checkpoint of {owned.tp} failed", result)

    async def _commit(self, frontier: dict[TP, int]) -> None:
        offsets = {
            tp: (self._owned[tp].committed if tp.topic in self._inboxes() else offset) + 1
            for tp, offset in frontier.items()
            if tp in self._owned
        }
        offsets = {tp: offset for tp, offset in offsets.items() if offset > 0}
        if offsets and not await self.app.consumer.commit_frontier(offsets):
            log.info("offsets_not_committed", why="the group is rebalancing")

    def _inboxes(self) -> set[str]:
        return {name for name, (one, _) in self._sources.items() if one.name in self._stages}

    # --- time and figures -------------------------------------------------------------------------

    async def _tick_forever(self) -> None:
        """Append a tick to every owned inbox partition, so that its timers fire without traffic."""
        while True:
            await asyncio.sleep(self._settings.tick_interval_s)
            self._ticks += 1
            value = self._codec.encode(Tick(self._ticks))
            for owned in list(self._owned.values()):
                if isinstance(owned.fold, PartitionFold):
                    self._producer.send_to(owned.tp.topic, owned.tp.partition, value)
            self._producer.poll()

    async def _report_forever(self) -> None:
        while True:
            await asyncio.sleep(self._settings.stats_interval_s)
            log.info("stats", **self._totals())

    def _totals(self) -> dict[str, Any]:
        """Bring the metrics up to date and return the totals of this process for the log."""
        lag: dict[str, int] = {}
        entities: dict[str, int] = {}
        for owned in self._owned.values():
            self._count(owned)
            lag[owned.name] = lag.get(owned.name, 0) + self._behind(owned)
            if isinstance(owned.fold, PartitionFold):
                entities[owned.name] = entities.get(owned.name, 0) + len(owned.fold.state)
        for name, value in lag.items():
            self.metrics.lag.labels(name).set(value)
        for name, value in entities.items():
            self.metrics.entities.labels(name).set(value)
        age_s = time.monotonic() - self._last_checkpoint_s
        self.metrics.checkpoint_age.set(age_s)
        return {
            **self._counts,
            "lag": lag,
            "state_records": entities,
            "checkpoint_age_s": round(age_s, 2),
        }

    def _count(self, owned: Owned) -> None:
        """Move what a fold counted since the last time into the metrics."""
        if owned.fold is None:
            return
        counts = tuple(getattr(owned.fold, name) for name in COUNTS)
        for name, now, before in zip(COUNTS, counts, owned.counted, strict=True):
            getattr(self.metrics, name).labels(owned.name).inc(now - before)
            self._counts[name] += now - before
        owned.counted = counts

    def _behind(self, owned: Owned) -> int:
        highwater = self.app.consumer.highwater(owned.tp)
        if owned.fold is None or highwater is None:
            return 0
        return max(0, int(highwater) - owned.fold.offset - 1)

    # --- the end ----------------------------------------------------------------------------------

    def _lost_output(self, why: str) -> NoReturn:
        self._die(EXIT_DEFECT, why)

    def _die(self, code: int, why: str, error: BaseException | None = None) -> NoReturn:
        """End the process at once: nothing after the last checkpoint may become durable."""
        log.error("died", code=code, why=why, error=repr(error) if error else None, exc_info=error)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
