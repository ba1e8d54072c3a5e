"""The spool and its sender without Kafka: what is promised, shared, bounded and refused."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from pathlib import Path

import pytest

from api.sender import Sender, Spooled
from api.spool import Outgoing, Spool, SpoolFull

NOWHERE = "127.0.0.1:1"
PATIENCE_S = 0.2


def record(number: int, size: int = 20) -> Outgoing:
    return Outgoing("a.commands", b"key", b"%d" % number + b"." * size, (("traceparent", b"00"),))


async def contents(spool: Spool) -> list[Outgoing]:
    await spool.seal()
    found = []
    while segment := await spool.oldest():
        found += await spool.read(segment)
        await spool.remove(segment)
    return found


def test_those_who_append_at_once_share_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs, sync = [], os.fdatasync

    def counted(file: int) -> None:
        syncs.append(file)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", counted)

    async def appending() -> None:
        spool = Spool(tmp_path)
        await asyncio.gather(*(spool.append([record(number)]) for number in range(100)))
        assert len(syncs) <= 2  # the first one's, and one for all that came meanwhile
        assert await contents(spool) == [record(number) for number in range(100)]
        await spool.close()

    asyncio.run(appending())


def test_the_records_of_one_call_lie_together_in_order(tmp_path: Path) -> None:
    async def appending() -> None:
        spool = Spool(tmp_path)
        groups = [[record(10 * group + one) for one in range(3)] for group in range(5)]
        await asyncio.gather(*(spool.append(group) for group in groups))
        assert await contents(spool) == [one for group in groups for one in group]
        await spool.close()

    asyncio.run(appending())


def test_the_bound_holds_also_for_those_who_come_at_once(tmp_path: Path) -> None:
    async def appending() -> None:
        spool = Spool(tmp_path, max_bytes=2_000)
        answers = await asyncio.gather(
            *(spool.append([record(number, size=100)]) for number in range(50)),
            return_exceptions=True,
        )
        kept = [number for number, answer in enumerate(answers) if answer is None]
        assert all(answer is None or isinstance(answer, SpoolFull) for answer in answers)
        assert spool.size <= 2_000 + 16  # a segment has a header
        assert spool.records == len(kept) > 5
        assert await contents(spool) == [record(number, size=100) for number in kept]
        await spool.append([record(0)])  # what was removed gives its room back
        await spool.close()

    asyncio.run(appending())


def test_a_disk_that_refuses_is_a_full_spool_until_it_has_room(tmp_path: Path) -> None:
    async def appending() -> None:
        spool = Spool(tmp_path)
        await spool.append([record(1)])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (spool.size + 10, limits[1]))
        try:
            with pytest.raises(SpoolFull, match="disk refuses"):
                await spool.append([record(2)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await spool.append([record(3)])
        assert await contents(spool) == [record(1), record(3)]
        await spool.close()

    asyncio.run(appending())


def test_who_stops_waiting_takes_nobody_else_along(tmp_path: Path) -> None:
    async def appending() -> None:
        spool = Spool(tmp_path)
        gone = asyncio.create_task(spool.append([record(1)]))
        stays = asyncio.create_task(spool.append([record(2)]))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        assert record(2) in await contents(spool)
        await spool.close()

    asyncio.run(appending())


def test_without_kafka_records_are_safe_on_disk_and_the_next_process_has_them(
    tmp_path: Path,
) -> None:
    async def sending() -> None:
        async with Sender(NOWHERE, Spool(tmp_path), pytest.fail, PATIENCE_S) as sender:
            assert await sender.send([record(1)]) == Spooled()
            assert not sender.is_well()
            later = await asyncio.gather(*(sender.send([record(n)]) for n in range(2, 50)))
            assert later == [Spooled()] * 48
            standing = sender.standing()
            assert (standing.kafka_well, standing.spooled_records) == (False, 49)
            # The first one, and its copy that the replay tries: nobody else waited for Kafka.
            assert standing.unacknowledged <= 2
        spool = Spool(tmp_path)
        assert await contents(spool) == [record(number) for number in range(1, 50)]
        await spool.close()

    asyncio.run(sending())


def test_without_kafka_a_full_spool_refuses_and_keeps_what_it_promised(tmp_path: Path) -> None:
    async def sending() -> None:
        spool = Spool(tmp_path, max_bytes=1_000)
        async with Sender(NOWHERE, spool, pytest.fail, PATIENCE_S) as sender:
            with contextlib.suppress(SpoolFull):
                for kept in range(100):
                    await sender.send([record(kept)])
            assert 5 < kept < 50
        again = Spool(tmp_path)
        assert await contents(again) == [record(number) for number in range(kept)]
        await again.close()

    asyncio.run(sending())
