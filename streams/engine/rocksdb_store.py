"""State larger than memory: each stage partition's records in a RocksDB database of its own.

The changelog in Kafka is the truth and the database a disposable copy of it: it is built anew at
every takeover, has no write-ahead log, and goes away with the partition.

What was touched last stays in memory as it is, so the records in the thick of it (the orders of
the last seconds, a hot sku) cost what they cost in a dict; only when they are many are they encoded
and written, all at once. What memory still holds of every record is its timer;
docs/adr/0005-rocksdb-store.md has the arithmetic.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

from rocksdict import (
    BlockBasedOptions,
    Cache,
    Options,
    Rdict,
    ReadOptions,
    WriteBufferManager,
    WriteOptions,
)

from schemas.codec import Codec
from schemas.record import Record

RECENT_RECORDS = 4_000
"""Records of a kind that a partition keeps in memory: more than change between two checkpoints,
which read them again. An order is about 1 KB, so 4 MB a kind; 4 partitions of the orders, inventory
and payments stages, with 8 kinds between them, 128 MB at most."""

_MIB: Final = 1024 * 1024
_CACHE_BYTES = 64 * _MIB  # for blocks read, shared by all partitions of the process
_WRITE_BUFFERS_BYTES = 64 * _MIB  # for what is not yet in files, shared likewise
_WRITE_BUFFER_BYTES = 8 * _MIB  # of one partition at most: 128 of them never fill at once
_BLOOM_BITS_PER_KEY = 10  # 1 % of the look-ups of an absent key read a block: 1.25 bytes a record
_BACKGROUND_JOBS = 2
_FOLDER_PREFIX = "worker-"

_ABSENT: Final = None
_UNREAD: Final = object()


class RocksDBStores:
    """Makes the stores of one process, in a folder of its own within ``folder``.

    Folders that processes left behind which were killed are removed. Raises OSError when the folder
    cannot be used.
    """

    def __init__(self, folder: Path, codec: Codec, recent_records: int = RECENT_RECORDS) -> None:
        self._folder = _OwnFolder(folder)
        self._codec = codec
        self._recent_records = recent_records
        self._options = _options()

    def __call__(self, kinds: Sequence[type[Record]]) -> RocksDBStore:
        """Return an empty store of ``kinds``."""
        database = _Database(self._folder, self._options)
        return RocksDBStore(database, kinds, self._codec, self._recent_records)


class RocksDBStore:
    """A store whose records are on disk, less those touched last.

    A record's key is the rank of its kind (one byte) and its own. The files go when nothing refers
    to the store or to one of its tables any more.
    """

    def __init__(
        self, database: _Database, kinds: Sequence[type[Record]], codec: Codec, recent_records: int
    ) -> None:
        self._tables = {
            kind: RocksDBTable(database, rank, codec, recent_records)
            for rank, kind in enumerate(kinds)
        }

    def table(self, kind: type[Record]) -> RocksDBTable:
        """Return the map of ``kind``."""
        return self._tables[kind]


class RocksDBTable:
    """One kind's records by key.

    ``_recent`` holds records as they are now, and None for one that was removed; ``_unwritten`` are
    the keys of those that the database does not have like that.
    """

    def __init__(self, database: _Database, rank: int, codec: Codec, recent_records: int) -> None:
        self._database = database
        self._records = database.records
        self._prefix = bytes([rank])
        self._end = bytes([rank + 1])
        self._encode = codec.encode
        self._decode = codec.decode
        self._recent_records = recent_records
        self._recent: dict[str, Record | None] = {}
        self._unwritten: set[str] = set()
        self._length = 0

    def get(self, key: str) -> Record | None:
        """Return the record under ``key``, or None."""
        recent: Any = self._recent.get(key, _UNREAD)
        if recent is not _UNREAD:
            return recent  # type: ignore[no-any-return]  # the sentinel is why it is Any
        value = self._records.get(self._prefix + key.encode())
        if value is None:
            return None
        record = self._decode(value)
        self._keep(key, record)
        return record

    def __setitem__(self, key: str, record: Record) -> None:
        known: Any = self._recent.get(key, _UNREAD)
        if known is _ABSENT or (
            known is _UNREAD and self._prefix + key.encode() not in self._records
        ):
            self._length += 1
        self._keep(key, record)
        self._unwritten.add(key)

    def pop(self, key: str, default: None) -> Record | None:
        """Remove ``key``; absent is fine."""
        record = self.get(key)
        if record is None:
            return default
        self._length -= 1
        self._keep(key, _ABSENT)
        self._unwritten.add(key)
        return record

    def items(self) -> Iterator[tuple[str, Record]]:
        """Yield all records by key, as they are when the first one is asked for."""
        self._write_recent()
        bounds = ReadOptions()
        bounds.set_iterate_upper_bound(self._end)
        for key, value in self._records.items(from_key=self._prefix, read_opt=bounds):
            yield cast(bytes, key)[1:].decode(), self._decode(value)

    def __len__(self) -> int:
        return self._length

    def _keep(self, key: str, record: Record | None) -> None:
        if len(self._recent) >= self._recent_records:
            self._write_recent()
        self._recent[key] = record

    def _write_recent(self) -> None:
        records, prefix, encode = self._records, self._prefix, self._encode
        for key in self._unwritten:
            record = self._recent[key]
            if record is None:
                del records[prefix + key.encode()]
            else:
                records[prefix + key.encode()] = encode(record)
        self._unwritten.clear()
        self._recent.clear()


class _Database:
    """An open database; closed and removed when nothing refers to it any more."""

    def __init__(self, parent: _OwnFolder, options: Options) -> None:
        self._parent = parent  # which must not go before
        folder = tempfile.mkdtemp(dir=parent.path)
        self.records: Rdict = Rdict(folder, options)
        write = WriteOptions()
        write.disable_wal = True  # type: ignore[method-assign, assignment]  # rocksdict's stub errs
        self.records.set_write_options(write)
        weakref.finalize(self, _discard, self.records, folder)


def _discard(records: Rdict, folder: str) -> None:
    records.close()
    shutil.rmtree(folder, ignore_errors=True)


def _options() -> Options:
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(_CACHE_BYTES))
    blocks.set_bloom_filter(_BLOOM_BITS_PER_KEY, block_based=False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_write_buffer_manager(WriteBufferManager(_WRITE_BUFFERS_BYTES, allow_stall=False))
    options.set_max_background_jobs(_BACKGROUND_JOBS)
    options.set_keep_log_file_num(1)
    return options


class _OwnFolder:
    """A new folder in ``parent``, at ``path``, that nobody removes while this process uses it.

    Its owner holds a lock on it, which the system releases however the process ends; so one that is
    not locked is left over and is removed. ``parent`` itself is locked meanwhile, or a folder that
    is just being made would look left over to another process.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with _locked(parent):
            for old in parent.glob(f"{_FOLDER_PREFIX}*"):
                _remove_unlocked(old)
            self.path = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=parent))
            lock = os.open(self.path, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
        weakref.finalize(self, _give_up, self.path, lock)


def _give_up(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


def _remove_unlocked(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # its owner lives
    finally:
        os.close(lock)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
