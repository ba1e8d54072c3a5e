"""The stores that the contract suites run on."""

from __future__ import annotations

from pathlib import Path

from schemas.codec import local_codec
from streams.engine.rocksdb_store import RocksDBStores
from streams.engine.store import MemoryStore, NewStore
from tests.contracts.toy import RECORDS

STORES = ("memory", "rocksdb")
_FEW = 3  # records kept in memory: nearly every look-up goes to the database


def new_store(name: str, folder: Path) -> NewStore:
    """Return what makes stores of the toy stages' records; ``folder`` is for those with files."""
    if name == "memory":
        return MemoryStore
    return RocksDBStores(folder, local_codec(RECORDS), recent_records=_FEW)
