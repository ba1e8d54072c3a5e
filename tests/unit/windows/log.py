"""Facts as logs hold them, and flows run over them: whole, in pieces, crashed and restarted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from schemas.codec import local_codec
from schemas.record import Record
from streams.engine import cause
from streams.engine.flow_fold import FlowFold, Place, entities
from streams.engine.records import StoredRecord
from streams.engine.store import MemoryStore
from streams.kernel.flow import Flow
from streams.kernel.stage import Output
from topologies.pipeline import all_records

START_MS = 1_789_999_200_000  # a full hour
CODEC = local_codec(all_records())
ID = b"8 bytes."

Logs = Mapping[Place, list[StoredRecord]]


class Log:
    """Topics of facts; each says when it happened and of which inbox record it is the output."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self._start_ms = start_ms
        self.places: defaultdict[Place, list[StoredRecord]] = defaultdict(list)

    def append(self, topic: str, partition: int, at_ms: int, fact: Record) -> None:
        """Append a fact that happened ``at_ms`` after the start."""
        log = self.places[topic, partition]
        stamp = cause.channel(b"upstream", partition) + cause.pack_position(len(log), 0)
        seconds, ms = divmod(self._start_ms + at_ms, 1000)
        at = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        headers = [(cause.HEADER, stamp), ("ce_time", f"{at}.{ms:03d}Z".encode())]
        log.append(StoredRecord(len(log), 0, None, CODEC.encode(fact), headers))

    def resend(self, topic: str, partition: int, offsets: Iterable[int]) -> None:
        """Append records again, with their causes, as a stage does after a crash."""
        log = self.places[topic, partition]
        for offset in offsets:
            log.append(log[offset]._replace(offset=len(log)))


class Run:
    """A flow over a log; ``rows`` has the newest version of each, as a reader who upserts has."""

    def __init__(
        self, make: Callable[[], Flow], places: Iterable[Place], *, lateness_ms: int = 0
    ) -> None:
        self.rows: dict[tuple[str, str], Record] = {}
        self.written: list[Output] = []
        self._make = make
        self._places = list(places)
        self._lateness_ms = lateness_ms
        self._kept: dict[tuple[type[Record], str], Record] = {}
        self.start()

    def start(self) -> None:
        """Start from the last checkpoint."""
        self.flow = self._make()
        store = MemoryStore(entities(self.flow))
        for (kind, key), record in self._kept.items():
            store.table(kind)[key] = record
        self.fold = FlowFold(
            self.flow,
            CODEC,
            {topic: ID for topic, _ in self._places},
            self._places,
            store,
            lateness_ms=self._lateness_ms,
            idle_ms=0,
        )

    def take(self, place: Place, records: list[StoredRecord]) -> None:
        """Take records, less those that were taken."""
        self.fold.apply(place, records)

    def emit(self, now_ms: int = 0) -> None:
        """Write the rows that changed; ``now_ms`` is the clock's for partitions at their end."""
        for output in self.fold.rows(now_ms):
            self.written.append(output)
            key, row = (output.topic, output.key), output.message
            known = self.rows.get(key)
            if known is None or known.version <= row.version:  # type: ignore[attr-defined]
                self.rows[key] = row

    def checkpoint(self) -> None:
        """Keep the state as a changelog would: as bytes."""
        self.emit()
        for kind, key, record in self.fold.take_changes():
            if record is None:
                self._kept.pop((kind, key), None)
            else:
                self._kept[kind, key] = CODEC.decode(CODEC.encode(record))

    def counted(self) -> dict[tuple[str, str], Record]:
        """Return the rows without what tells when they were written."""
        return {
            key: msgspec.structs.replace(
                row, fresh_ms=0, watermark_ms=0, is_complete=False, version=0
            )
            for key, row in self.rows.items()
        }


def whole(make: Callable[[], Flow], logs: Logs) -> dict[tuple[str, str], Record]:
    """Return the rows of a batch recomputation: everything at once, partition after partition."""
    run = Run(make, logs)
    for place, records in logs.items():
        run.take(place, records)
    run.emit()
    return run.counted()
