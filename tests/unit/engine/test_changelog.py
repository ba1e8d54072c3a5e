"""Checkpoints come back whole or not at all."""

from __future__ import annotations

import pytest

from schemas.codec import local_codec
from schemas.stream import Progress, SeenChannel
from streams.engine import changelog
from streams.engine.store import MemoryStore, PartitionState
from streams.kernel.errors import StageDefect
from tests.contracts.toy import RECORDS, Purse, PurseStage

CODEC = local_codec(RECORDS)
SEEN = (SeenChannel(b"c" * 12, b"p" * 12),)


def entries(number: int, *purses: tuple[str, int | None]) -> list[changelog.Entry]:
    changes = [
        (Purse, key, None if total is None else Purse(key, total, 1, 0, 0)) for key, total in purses
    ]
    return changelog.encode(CODEC, changes, Progress(number * 10, number, SEEN, 0, 0, number))


def load(log: list[changelog.Entry]) -> tuple[dict[str, int], Progress]:
    store = MemoryStore(PurseStage.entities)
    loader = changelog.Loader(PurseStage(), CODEC, store)
    for key, value in log:
        loader.take(key, value)
    return {key: purse.total for key, purse in store.table(Purse).items()}, loader.done()


def compacted(log: list[changelog.Entry]) -> list[changelog.Entry]:
    last = {key: at for at, (key, _) in enumerate(log)}
    return [entry for at, entry in enumerate(log) if last[entry[0]] == at]


def test_an_empty_changelog_is_the_start() -> None:
    assert load([]) == ({}, changelog.START)


def test_the_last_value_of_each_key_stands_and_tombstones_remove() -> None:
    log = entries(1, ("a", 1), ("b", 2)) + entries(2, ("a", 5), ("b", None))
    state, progress = load(log)
    assert state == {"a": 5}
    assert (progress.offset, progress.checkpoint, progress.seen) == (20, 2, SEEN)
    assert progress.entries == 2


def test_a_compacted_changelog_loads_the_same() -> None:
    log = entries(1, ("a", 1), ("b", 2), ("c", 3)) + entries(2, ("b", 7)) + entries(3, ("a", None))
    assert load(compacted(log)) == load(log)


def test_half_a_checkpoint_is_noticed() -> None:
    log = entries(1, ("a", 1)) + entries(2, ("a", 5), ("b", 6))[:-1]
    with pytest.raises(StageDefect, match="torn"):
        load(log)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_record_of_the_newest_checkpoint_is_noticed(lost: int) -> None:
    log = entries(2, ("a", 5), ("b", 6))
    with pytest.raises(StageDefect, match="torn"):
        load(log[:lost] + log[lost + 1 :])


def test_a_changed_record_of_the_newest_checkpoint_is_noticed() -> None:
    log = entries(2, ("a", 5), ("b", 6))
    with pytest.raises(StageDefect, match="torn"):
        load([log[0], entries(9, ("a", 4))[1], *log[2:]])


def test_changes_are_taken_once_and_timers_come_back_in_the_same_order() -> None:
    store = MemoryStore((Purse,))
    state = PartitionState(store, (Purse,))
    for key, due in (("b", 30), ("a", 30), ("c", 10), ("d", 0)):
        state.put(key, Purse(key, 1, 1, 0, due))
    state.put("c", Purse("c", 2, 2, 0, 40))
    state.delete(Purse, "d")
    changes = state.take_changes()
    assert {(key, record is None) for _, key, record in changes} == {
        ("a", False), ("b", False), ("c", False), ("d", True),
    }  # fmt: skip
    assert not state.has_changes()
    reloaded = PartitionState(store, (Purse,))
    for view in (state, reloaded):
        fired = []
        while (due_record := view.next_due(100)) is not None:
            fired.append(due_record[0])
        assert fired == ["a", "b", "c"]
