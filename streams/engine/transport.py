"""A Faust transport that delivers whole fetched batches.

Faust spends about 100 microseconds on every event it delivers. This transport, a subclass of its
aiokafka driver, hands over one Faust message for each topic of a fetch, whose value is the list of
its partitions' batches of raw records. Faust keeps group membership, assignment, flow control and
back-pressure; it commits nothing, because the only committable offset is the engine's own
checkpoint frontier.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import faust
from aiokafka.consumer import fetcher
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

Batch = tuple[TP, list[Any]]
"""A partition and its records of one fetch, in order."""

_FETCH_WAIT_MS = 10

# A delivery costs Faust and aiokafka about as much as applying five records: those may gather for
# this long between two fetches. Under load a cycle takes longer by itself, and nobody waits.
_CYCLE_S = 0.015


class _RawPartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # Any, see pyproject
    """Hands on aiokafka's own records as they were parsed.

    They have all that the engine reads; wrapping each in a ``ConsumerRecord`` costs as much as
    parsing it (docs/adr/0004).
    """

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record


fetcher.PartitionRecords = _RawPartitionRecords


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with an assignor by topic and short long polls."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # aiokafka has one fetch in flight per broker, for the partitions it holds no records of.
        # While they are idle that request waits, and the busy ones wait with it: 1.5 s in Faust.
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        # Each topic is shared out by itself: one worker with all of the busiest inbox would be the
        # limit of all. Faust offers round robin only; that one, and the sticky one, share out the
        # sum of the topics.
        consumer._partition_assignment_strategy = (RangePartitionAssignor,)
        return consumer

    async def commit_frontier(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets; False when the group is rebalancing (the checkpoint is the truth)."""
        return bool(await self.call_thread(self._commit_frontier, offsets))

    async def _commit_frontier(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        frontier = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if TopicPartition(tp.topic, tp.partition) in assigned
        }
        try:
            await consumer.commit(frontier)
        except KafkaError:
            # Faust would crash here. Nothing is lost: a takeover skips what the checkpoint covers.
            return False
        return True


class BatchConsumer(driver.Consumer):
    """Yields one message for each topic of a fetch; never commits by itself."""

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Fetch; yield, for each topic, one of its partitions and a message with all batches."""
        records, active = await self._wait_next_records(timeout)
        began_s = self.loop.time()
        generation = self.app.consumer_generation_id
        if self.should_stop or not records:
            return
        if not self.flow_active:
            await self.perform_seek()
            return
        topics: dict[str, list[Batch]] = {}
        for aiokafka_tp, batch in records.items():
            # getmany speaks of aiokafka's TopicPartition; Faust's look-ups need its own TP.
            tp = TP(aiokafka_tp.topic, aiokafka_tp.partition)
            if active is None or tp in active or tp in self._buffered_partitions:
                topics.setdefault(tp.topic, []).append((tp, batch))
        for batches in topics.values():
            if not self._flows(generation):
                break
            yield batches[0][0], _message(batches, generation)
        rest_s = began_s + _CYCLE_S - self.loop.time()
        if rest_s > 0:
            await asyncio.sleep(rest_s)

    def _flows(self, generation: int) -> bool:
        return self.flow_active and self.app.consumer_generation_id == generation

    async def commit_frontier(self, offsets: Mapping[TP, int]) -> bool:
        """Commit the engine's frontier; False when the group is rebalancing."""
        thread = cast(BatchConsumerThread, self._thread)
        return await thread.commit_frontier(offsets)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: offsets jump by whole batches, the fold itself checks for gaps."""

    def _new_offset(self, tp: TP) -> None:
        """Offer no offset: Faust must not commit what the checkpoint does not cover."""
        self._acked[tp].clear()
        self._acked_index[tp].clear()


def _message(batches: list[Batch], generation: int) -> ConsumerMessage:
    """Return the Faust message of one topic's batches; it goes by the first one's partition."""
    tp, records = batches[0]
    last = records[-1]
    return ConsumerMessage(
        topic=tp.topic,
        partition=tp.partition,
        offset=last.offset,
        timestamp=last.timestamp / 1000.0,
        timestamp_type=last.timestamp_type,
        headers=[],
        key=None,
        value=cast(Any, batches),  # Faust passes it through untouched
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        tp=tp,
        # Without it the stream drops the message and says nothing.
        generation_id=generation,
    )


class BatchTransport(driver.Transport):
    """The aiokafka transport with batch delivery."""

    Consumer = BatchConsumer


class BatchSchema(faust.Schema[Any, Any]):
    """Passes the batches through; Faust's own schema would try to decode them."""

    def loads_key(
        self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None
    ) -> None:
        """Return no key: the records have their own."""

    def loads_value(
        self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None
    ) -> Any:
        """Return the batches as they are."""
        return message.value
