"""State records and progress as changelog records, and back.

A changelog key is ``<record type>/<id>``; a deleted record is a tombstone (no value). A
checkpoint is a begin mark, its changes, and one ``Progress`` that counts them and carries their
CRC-32. Kafka's transaction makes it atomic; the checksum makes a torn one visible, since Jepsen
has reproduced torn transactions. Compaction thins out older checkpoints but never the newest,
whose records are the last of their keys, so the newest must always add up.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import msgspec

from schemas.codec import Codec
from schemas.record import Record
from schemas.stream import Progress
from streams.engine.store import Store
from streams.kernel.errors import StageDefect
from streams.kernel.stage import Stage

BEGIN_KEY = b"begin"
PROGRESS_KEY = b"progress"
START = Progress(offset=-1, stream_time_ms=0, seen=(), entries=0, checksum=0, checkpoint=0)

Change = tuple[type[Record], str, Record | None]
Entry = tuple[bytes, bytes | None]


def encode(codec: Codec, changes: Iterable[Change], progress: Progress) -> list[Entry]:
    """Return the records of one checkpoint in the order in which they must be written."""
    entries: list[Entry] = [(BEGIN_KEY, b"")]
    checksum = 0
    for kind, key, record in changes:
        entry_key = f"{kind.__name__}/{key}".encode()
        value = None if record is None else codec.encode(record)
        checksum = _extend(checksum, entry_key, value)
        entries.append((entry_key, value))
    done = msgspec.structs.replace(progress, entries=len(entries) - 1, checksum=checksum)
    entries.append((PROGRESS_KEY, codec.encode(done)))
    return entries


class Loader:
    """Folds a changelog, read from its beginning, into ``store``."""

    def __init__(self, stage: Stage, codec: Codec, store: Store) -> None:
        self._name = stage.name
        self._decode = codec.decode
        self._tables = {k.__name__.encode(): store.table(k) for k in stage.entities}
        self._progress = START
        self._entries = self._checksum = 0
        self._adds_up = True

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take in the next changelog record."""
        if key == BEGIN_KEY:
            self._entries = self._checksum = 0
        elif key == PROGRESS_KEY:
            progress = self._decode(value)
            if not isinstance(progress, Progress):
                raise StageDefect(f"{self._name}: the changelog's progress is no Progress")
            self._progress = progress
            self._adds_up = (self._entries, self._checksum) == (progress.entries, progress.checksum)
        else:
            self._entries += 1
            self._checksum = _extend(self._checksum, key, value)
            self._adds_up = False  # until its progress has been read
            name, _, entity = key.partition(b"/")
            if value is None:
                self._tables[name].pop(entity.decode(), None)
            else:
                self._tables[name][entity.decode()] = self._decode(value)

    def done(self) -> Progress:
        """Return the progress; StageDefect when the newest checkpoint does not add up."""
        if not self._adds_up:
            raise StageDefect(
                f"{self._name}: the newest checkpoint in the changelog is torn "
                f"({self._entries} records read, {self._progress.entries} counted)"
            )
        return self._progress


def _extend(checksum: int, key: bytes, value: bytes | None) -> int:
    return zlib.crc32(value or b"", zlib.crc32(key, checksum))
