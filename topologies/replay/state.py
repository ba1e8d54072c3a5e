"""As-of: what a stage knew of one key at a past instant, folded from the inbox again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from schemas.codec import Codec
from schemas.record import Record
from streams.engine.changelog import START
from streams.engine.fold import PartitionFold
from streams.engine.records import Headers, StoredRecord
from streams.engine.store import MemoryStore
from streams.kernel.stage import Stage
from topologies.reading import Place
from topologies.replay.log import RecordedLog, records, spared

Progress = Callable[[int, int], None]
"""Told (inbox records folded, inbox records at most)."""

_FIRST_INSTANT_MS = 10**12  # September 2001: a smaller number is an offset
_NAMES = ("order_no", "owner", "sku_id", "resource_id")
"""Fields by which a state record says whom it belongs to, when its key does not."""


@dataclass(frozen=True)
class Moment:
    """A point of the log: after the inbox record at ``offset``, or at an instant (epoch ms).

    Both None: the newest state.
    """

    offset: int | None = None
    at_ms: int | None = None

    def is_before(self, record: StoredRecord) -> bool:
        """Tell whether this moment comes before ``record``."""
        if self.offset is not None:
            return record.offset > self.offset
        return self.at_ms is not None and record.timestamp > self.at_ms


@dataclass(frozen=True)
class Snapshot:
    """The state of ``key`` in a stage after the inbox record at ``offset`` (-1: before any)."""

    stage: str
    partition: int
    key: str
    offset: int
    at_ms: int
    records: tuple[tuple[str, Record], ...]
    """State records with their keys, in the stage's order of kinds, then by key."""
    told: tuple[tuple[str, str], ...]
    """(topic, key) to which the stage sent something about ``key``, in the order of the first."""


def moment(text: str | None) -> Moment:
    """Read an inbox offset, epoch milliseconds or ISO 8601 (UTC unless it says otherwise).

    Raises ValueError when it is none of them.
    """
    if text is None:
        return Moment()
    if re.fullmatch(r"\d+", text):
        number = int(text)
        return Moment(at_ms=number) if number >= _FIRST_INSTANT_MS else Moment(offset=number)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text} is neither an inbox offset nor epoch milliseconds nor ISO 8601 "
            "(2026-11-24T23:35:30.250)"
        ) from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Moment(at_ms=round(at.timestamp() * 1000))


def snapshot(
    log: RecordedLog,
    codec: Codec,
    stage: Stage,
    key: str,
    until: Moment,
    progress: Progress | None = None,
) -> Snapshot:
    """Fold the inbox partition of ``key`` up to a moment; return what the stage knew of ``key``.

    Only records of this key's partition are read. Raises CannotReplay when its beginning is gone.
    """
    inbox = stage.inbox.name
    place: Place = (inbox, log.partition_of(inbox, key.encode()))
    store = MemoryStore(stage.entities)
    incarnation = log.incarnations([inbox])[inbox]
    told = _Told(key)
    fold = PartitionFold(stage, codec, incarnation, place[1], store, START, told)
    end = log.spans([inbox])[place].end
    at_ms = 0
    with spared():
        for batch in records(log, [place]):
            found = batch.get(place, [])
            wanted = [record for record in found if not until.is_before(record)]
            fold.apply(wanted)
            at_ms = max([at_ms, *(record.timestamp for record in wanted)])
            if progress is not None:
                progress(fold.offset + 1, end)
            if len(wanted) < len(found):
                break
    concerned = tuple(
        (name, record)
        for kind in stage.entities
        for name, record in sorted(store.table(kind).items())
        if belongs(name, record, key)
    )
    return Snapshot(stage.name, place[1], key, fold.offset, at_ms, concerned, tuple(told.places))


def of_order(
    log: RecordedLog,
    codec: Codec,
    stages: Sequence[Stage],
    order_no: str,
    until: Moment,
    progress: Progress | None = None,
) -> list[Snapshot]:
    """Return an order as every stage knew it: itself, its payments, and its skus.

    An offset in ``until`` is one of the orders stage's inbox; the others are shown at its time. Of
    a sku's holds only the order's own are shown.
    """
    by_name = {stage.name: stage for stage in stages}
    first = snapshot(log, codec, by_name["orders"], order_no, until, progress)
    then = Moment(at_ms=first.at_ms) if until.offset is not None else until
    found = [first, snapshot(log, codec, by_name["payments"], order_no, then, progress)]
    inventory = by_name["inventory"]
    for sku in (key for topic, key in first.told if topic == inventory.inbox.name):
        stock = snapshot(log, codec, inventory, sku, then, progress)
        own = (one for one in stock.records if getattr(one[1], "owner", order_no) == order_no)
        found.append(replace(stock, records=tuple(own)))
    return found


def belongs(name: str, record: Record, key: str) -> bool:
    """Tell whether the state record under ``name`` is about ``key``: an order or a sku."""
    is_part = name == key or name.startswith(f"{key}/")
    return is_part or any(str(getattr(record, field, "")) == key for field in _NAMES)


class _Told:
    """An outbox that notes to whom something about ``key`` was sent."""

    def __init__(self, key: str) -> None:
        self.places: dict[tuple[str, str], None] = {}
        self._needle = key.encode()

    def __call__(
        self, topic: str, key: str | bytes | None, value: bytes | None, headers: Headers
    ) -> None:
        """Take an output."""
        if self._needle in (value or b""):
            self.places[topic, key.decode() if isinstance(key, bytes) else key or ""] = None
