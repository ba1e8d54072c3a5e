"""The files of RocksDB stores: there while they are used, gone afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from schemas.codec import local_codec
from streams.engine.rocksdb_store import RocksDBStores
from tests.contracts.toy import RECORDS, Bell

CODEC = local_codec(RECORDS)
_KILLED = """
import os, sys
from pathlib import Path
from tests.unit.engine.test_rocksdb_store import filled
kept = filled(Path(sys.argv[1]))
os._exit(9)
"""


def filled(folder: Path) -> tuple[RocksDBStores, object]:
    stores = RocksDBStores(folder, CODEC, recent_records=2)
    table = stores([Bell]).table(Bell)
    for n in range(10):
        table[f"{n}"] = Bell(n)
    return stores, table


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_files_go_with_the_last_table(tmp_path: Path) -> None:
    stores, table = filled(tmp_path)
    assert "CURRENT" in files(tmp_path)
    del table
    assert files(tmp_path) == []
    del stores
    assert list(tmp_path.iterdir()) == []


def test_a_table_outlives_the_maker_of_its_store(tmp_path: Path) -> None:
    stores, table = filled(tmp_path)
    del stores
    assert isinstance(table, object)
    assert "CURRENT" in files(tmp_path)
    del table
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_behind_is_removed_and_nothing_else(tmp_path: Path) -> None:
    living = filled(tmp_path)
    (own,) = tmp_path.iterdir()
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert done.returncode == 9
    assert len(list(tmp_path.iterdir())) == 2
    another = RocksDBStores(tmp_path, CODEC)
    assert own in set(tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 2
    del living, another
    assert list(tmp_path.iterdir()) == []
