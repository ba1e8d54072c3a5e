"""One partition of a relay: forwards or dead-letters each record, with a cause, and keeps no state.

After a crash the records since the last committed offset are forwarded again; the inbox drops
them by their cause. A cause that the record itself brings is ignored: anybody may write to the
source.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.codec import Codec
from schemas.errors import InvalidMessage
from streams.engine import cause
from streams.engine.outputs import Outputs
from streams.engine.records import InboxRecord, Outbox
from streams.kernel.relay import Relay


class PartitionRelay:
    """Forwards the records of one partition in order; ``offset`` is the last one done."""

    def __init__(
        self, relay: Relay, codec: Codec, incarnation: bytes, partition: int, outbox: Outbox
    ) -> None:
        self.relay = relay
        self.partition = partition
        self.offset = -1
        self.now_ms = 0
        self.applied = self.skipped = self.dropped = self.invalid = 0
        self._decode = codec.decode
        channel = cause.channel(incarnation, partition)
        self._outputs = Outputs(relay.name, channel, codec, outbox)

    def apply(self, records: Iterable[InboxRecord]) -> int:
        """Forward a batch; return how many records were done. Raises Retryable like a fold."""
        applied_before = self.applied
        for record in records:
            if record.offset <= self.offset:
                self.skipped += 1
                continue
            try:
                output = self.relay.forward(self._decode(record.value), record.timestamp)
            except InvalidMessage as error:
                self.invalid += 1
                self._outputs.dead_letter(self.relay.source, self.partition, record, error, 0)
            else:
                self._outputs.send(output, record.offset, 0, record.timestamp, is_fact=False)
            self.offset = record.offset
            self.now_ms = record.timestamp
            self.applied += 1
        return self.applied - applied_before
