"""Takes the history of one order out of a recorded log, as the steps of a capsule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from schemas.codec import Codec
from schemas.errors import InvalidMessage
from schemas.record import Record
from streams.engine import cause
from streams.engine.changelog import START
from streams.engine.fold import PartitionFold, cause_of
from streams.engine.records import Headers, StoredRecord
from streams.engine.store import Table
from streams.kernel.stage import Stage
from topologies.reading import Place
from topologies.replay.capsule import PASSES, Change, Player, Sent, Step, concerns
from topologies.replay.log import RecordedLog, records, spared
from topologies.replay.verifying import outputs_of

_At = tuple[str, int, int]
"""A stage, an inbox partition, an offset."""


class NoSuchOrder(Exception):
    """Nothing in the log is about the order."""


def capture(log: RecordedLog, codec: Codec, stages: Sequence[Stage], order_no: str) -> list[Step]:
    """Return the order's history: what each stage was told that concerns it, and put out.

    In the order of the log's time, each stage partition in its own order. The outputs are those
    that the log holds; the state that others left comes from a replay by the given stages. Raises
    NoSuchOrder, and CannotReplay when the log's beginning is gone.
    """
    with spared():
        told, recorded = _mentions(log, codec, stages, order_no)
        if not told:
            raise NoSuchOrder(f"no inbox record is about order {order_no}")
        skus = {str(sku) for m in told.values() if (sku := getattr(m, "sku_id", None))}
        places = {at[:2] for at in (*told, *recorded)}
        player = Player(stages, order_no)
        steps = [
            step
            for stage in stages
            for name, partition in sorted(places)
            if name == stage.name
            for step in _Watch(log, codec, stage, partition, order_no, skus).steps(recorded, player)
        ]
    return sorted(steps, key=lambda step: step.at_ms)


def _mentions(
    log: RecordedLog, codec: Codec, stages: Sequence[Stage], order_no: str
) -> tuple[dict[_At, Record], dict[_At, list[Sent]]]:
    """Return the inbox messages about the order, and the outputs about it by what caused them."""
    inboxes = {stage.inbox.name: stage.name for stage in stages}
    names = {log.incarnations(inboxes)[inbox]: stage for inbox, stage in inboxes.items()}
    told: dict[_At, Record] = {}
    outputs: defaultdict[_At, dict[int, Sent]] = defaultdict(dict)
    for (topic, partition), record, message in _about(log, codec, outputs_of(stages), order_no):
        if topic in inboxes:
            told[inboxes[topic], partition, record.offset] = message
        stamp = cause_of(record.headers)
        source = cause.parse(stamp) if stamp is not None else None
        if source is not None and source.incarnation in names:
            at = (names[source.incarnation], source.partition, source.offset)
            sent = Sent(topic, (record.key or b"").decode(), message)
            # What was sent again after a crash is the same output once more.
            outputs[at].setdefault(source.output, sent)
    return told, {at: [found[n] for n in sorted(found)] for at, found in outputs.items()}


def _about(
    log: RecordedLog, codec: Codec, topics: Sequence[str], order_no: str
) -> Iterator[tuple[Place, StoredRecord, Record]]:
    """Yield every record of ``topics`` that is about the order, with where it stands, decoded."""
    needle = order_no.encode()
    for batch in records(log, topics):
        for place, found in batch.items():
            for record in found:
                if needle in (record.value or b""):  # decoding costs a hundred times as much
                    message = _decoded(codec, record)
                    if message is not None and concerns(message, order_no):
                        yield place, record, message


def _decoded(codec: Codec, record: StoredRecord) -> Record | None:
    try:
        return codec.decode(record.value)
    except InvalidMessage:
        return None


class _WatchedTable(dict[str, Any]):
    """A table that keeps what each key held before the present inbox record touched it."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Any] = {}

    def __setitem__(self, key: str, record: Any) -> None:
        self.before.setdefault(key, self.get(key))
        super().__setitem__(key, record)

    def pop(self, key: str, default: Any = None) -> Any:
        self.before.setdefault(key, self.get(key))
        return super().pop(key, default)


class _WatchedStore:
    def __init__(self, kinds: Iterable[type[Record]]) -> None:
        self.tables = {kind: _WatchedTable() for kind in kinds}

    def table(self, kind: type[Record]) -> Table:
        return self.tables[kind]


class _Watch:
    """Replays one stage partition and notices what concerns the order and its skus."""

    def __init__(
        self,
        log: RecordedLog,
        codec: Codec,
        stage: Stage,
        partition: int,
        order_no: str,
        skus: set[str],
    ) -> None:
        self._log = log
        self._codec = codec
        self._stage = stage
        self._place: Place = (stage.inbox.name, partition)
        self._order_no = order_no
        self._skus = skus
        self._store = _WatchedStore(stage.entities)
        self._shared: set[tuple[type[Record], str]] = set()
        self._has_output = False
        incarnation = log.incarnations([stage.inbox.name])[stage.inbox.name]
        self._fold = PartitionFold(
            stage, codec, incarnation, partition, self._store, START, self._outbox
        )

    def steps(self, recorded: dict[_At, list[Sent]], player: Player) -> list[Step]:
        """Return the steps of this partition; ``player`` plays them, to know what it lacks."""
        found: list[Step] = []
        stream_ms = 0
        applied = self._log.applied([self._place])[self._place]
        for batch in records(self._log, [self._place]):
            for record in batch.get(self._place, []):
                if record.offset >= applied:
                    return found  # its outputs may not be in the log yet
                before_ms = stream_ms
                self._has_output = False
                if not self._fold.apply([record]):
                    continue  # sent again by an upstream stage: dropped
                stream_ms = max(stream_ms, record.timestamp)
                at = (self._stage.name, self._place[1], record.offset)
                message = _decoded(self._codec, record)
                is_own = message is not None and concerns(message, self._order_no)
                if is_own or self._has_output or at in recorded or self._touched():
                    then = recorded.get(at, [])
                    when = message if is_own or self._is_shared(message) else PASSES
                    given = self._lacking(player)
                    step = Step(*at, before_ms, record.timestamp, given, when or PASSES, then)
                    player.play(step)
                    found.append(step)
                self._note()
        return found

    def _outbox(
        self, topic: str, key: str | bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        if self._order_no.encode() in (value or b""):
            self._has_output |= concerns(self._codec.decode(value), self._order_no)

    def _touched(self) -> bool:
        """Tell whether the present record changed anything of the order's own."""
        return any(
            record is not None and concerns(record, self._order_no)
            for table in self._store.tables.values()
            for key, old in table.before.items()
            for record in (old, table.get(key))
        )

    def _is_shared(self, record: Record | None, key: str = "") -> bool:
        """Tell whether a message, or a state record under ``key``, is about one of the skus."""
        named = (str(getattr(record, name, "")) for name in ("sku_id", "resource_id"))
        return not self._skus.isdisjoint((*named, key.partition("/")[0]))

    def _note(self) -> None:
        """Remember which state records are about the skus, and begin anew."""
        for kind, table in self._store.tables.items():
            for key, old in table.before.items():
                if (kind, key) not in self._shared:
                    for record in (old, table.get(key)):
                        if self._is_shared(record, key) and not self._is_others(record):
                            self._shared.add((kind, key))
            table.before.clear()

    def _is_others(self, record: Record | None) -> bool:
        """Tell whether a state record belongs to another order alone."""
        return getattr(record, "owner", self._order_no) != self._order_no

    def _lacking(self, player: Player) -> list[Change]:
        """Return what ``player`` has to be given before the present record.

        That is what others have left of the skus, and whatever the record changed on them.
        """
        own = player.store(self._stage.name, self._place[1])
        wanted = set(self._shared)
        for kind, table in self._store.tables.items():
            wanted |= {
                (kind, key)
                for key, old in table.before.items()
                if self._is_shared(old, key) or self._is_shared(table.get(key))
            }
        changes: list[Change] = []
        for kind, key in sorted(wanted, key=lambda one: (one[0].__name__, one[1])):
            table = self._store.tables[kind]
            before = table.before[key] if key in table.before else table.get(key)
            if own.table(kind).get(key) != before:
                changes.append((kind, key, before))
        # What was given is kept up to date from now on, or its timers would fire at wrong times.
        self._shared |= {(kind, key) for kind, key, _ in changes}
        return changes
