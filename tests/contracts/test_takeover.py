"""Who owns a partition after a rebalance, and what of it has to be read again. On a real broker."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import NoReturn

import pytest
from faust.types import TP

from deploy.stack import Endpoints
from schemas.codec import local_codec
from schemas.topics import changelog
from streams.engine.owned import Owned, Takeover
from streams.engine.producer import GaplessProducer
from streams.engine.store import MemoryStore
from tests.contracts.test_hosts import deposits, wait_for
from tests.contracts.toy import (
    BELL_EVENTS,
    PURSE_COMMANDS,
    PURSE_EVENTS,
    RECORDS,
    Deposited,
    PurseStage,
    Rang,
)
from topologies.topics import create, incarnations

pytestmark = pytest.mark.slow

PARTITIONS_OF_STAGES = 8  # two stages with four each


def test_what_stays_with_a_worker_is_not_read_again(stack: Endpoints, tmp_path: Path) -> None:
    from tests.contracts.faust_host import FaustHostUnderTest

    with FaustHostUnderTest(stack.kafka, "memory", tmp_path) as host:
        deposits(host, keys=20, each=5)
        wait_for(host, BELL_EVENTS.name, Rang, 100)
        assert len(host.events("took_over")) == PARTITIONS_OF_STAGES

        host.start_second()
        host.wait(lambda: len(host.events("assigned")) == 2)
        deposits(host, keys=20, each=5, start=5)
        wait_for(host, BELL_EVENTS.name, Rang, 200)
        assert len(host.events("kept")) == PARTITIONS_OF_STAGES / 2
        assert len(host.events("took_over")) == PARTITIONS_OF_STAGES

        host.kill_second()
        deposits(host, keys=20, each=5, start=10)
        wait_for(host, BELL_EVENTS.name, Rang, 300)
        assert len(host.events("kept")) == PARTITIONS_OF_STAGES
        assert len(host.events("took_over")) == PARTITIONS_OF_STAGES * 3 / 2
        amounts: dict[str, list[int]] = {}
        for fact in host.facts(PURSE_EVENTS.name):
            if isinstance(fact, Deposited):  # a purse may have closed meanwhile and begun anew
                amounts.setdefault(fact.key, []).append(fact.amount)
        assert amounts == {f"purse-{key}": list(range(1, 16)) for key in range(20)}


def test_a_partition_that_somebody_had_meanwhile_is_not_kept(stack: Endpoints) -> None:
    create(stack.kafka, [PURSE_COMMANDS], partitions=4, replication=1)
    stage = PurseStage()
    create(stack.kafka, [changelog(stage.name, stage.entities)], partitions=4, replication=1)
    tp = TP(PURSE_COMMANDS.name, 0)
    ours, theirs = (_takeover(stack.kafka, group) for group in [f"fence-{uuid.uuid4()}"] * 2)

    first = Owned(tp, stage, PURSE_COMMANDS)
    ours.load(first)
    again = Owned(tp, stage, PURSE_COMMANDS)
    assert ours.go_on(again, first)
    assert again.fold is first.fold

    theirs.load(Owned(tp, stage, PURSE_COMMANDS))
    late = Owned(tp, stage, PURSE_COMMANDS)
    assert not ours.go_on(late, again)
    assert late.fold is None


def _takeover(kafka: str, group: str) -> Takeover:
    def fail(why: str) -> NoReturn:
        raise AssertionError(why)

    producer = GaplessProducer(kafka, fail)
    incarnation = incarnations(kafka, [PURSE_COMMANDS.name])
    return Takeover(kafka, group, local_codec(RECORDS), incarnation, producer, MemoryStore)
