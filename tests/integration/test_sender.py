"""The way to Kafka while it comes and goes: nothing promised is lost, and each key keeps its order.

The broker is this test's own, because it is paused: other tests could not go on meanwhile.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.sender import Outcome, Sender, Sent, Spooled, Undeliverable
from api.spool import Outgoing, Spool
from deploy import stack
from deploy.process import ProcessId
from deploy.settings import DeploySettings
from schemas.topics import Kind, Topic
from tests.kafka import read
from topologies.topics import create

PATIENCE_S = 0.3
AWAY_S = 2.0
LIMIT_S = 30.0
CLIENTS = 20


@dataclass
class Broker:
    """A broker that can be paused: its connections stay, and nothing answers."""

    address: str
    process: ProcessId

    def topic(self) -> str:
        name = f"sender-{uuid.uuid4().hex[:8]}.commands"
        create(self.address, (Topic(name, Kind.COMMANDS, "key", ()),), partitions=3, replication=1)
        return name

    def pause(self) -> None:
        assert self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process.signal(signal.SIGCONT)

    def by_key(self, topic: str) -> dict[bytes, list[int]]:
        """Return the numbers that a topic has of each key, each where it stands first."""
        found: dict[bytes, dict[int, None]] = {}
        for message in read(self.address, topic):
            record = outgoing(message)
            found.setdefault(record.key, {}).setdefault(int(record.value))
        return {key: list(numbers) for key, numbers in found.items()}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("broker")
    options = stack.Options(
        servers=("kafka",), data_dir=folder, settings=DeploySettings(kafka=None)
    )
    with stack.running(options) as endpoints:
        process = next(one.process for one in stack.status(folder) if one.name == "kafka")
        assert process is not None
        yield Broker(endpoints.kafka, process)


def outgoing(message: Any) -> Outgoing:
    return Outgoing(message.topic(), message.key(), message.value(), tuple(message.headers() or ()))


async def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.02)


def test_what_kafka_acknowledges_stands_where_the_answer_says(
    broker: Broker, tmp_path: Path
) -> None:
    topic = broker.topic()
    records = [Outgoing(topic, b"k%d" % n, b"%d" % n, (("h", b"x"),)) for n in range(10)]

    async def sending() -> Outcome:
        async with Sender(broker.address, Spool(tmp_path), pytest.fail, LIMIT_S) as sender:
            return await sender.send(records)

    outcome = asyncio.run(sending())
    assert isinstance(outcome, Sent)
    stored = {
        (topic, message.partition(), message.offset()): outgoing(message)
        for message in read(broker.address, topic)
    }
    assert [stored[position] for position in outcome.positions] == records


def test_while_kafka_is_away_clients_go_on_and_nothing_is_lost_or_overtaken(
    broker: Broker, tmp_path: Path
) -> None:
    topic = broker.topic()
    outcomes: dict[bytes, list[Outcome]] = {b"client %d" % n: [] for n in range(CLIENTS)}
    is_over = False

    async def client(sender: Sender, key: bytes) -> None:
        answers = outcomes[key]
        while not is_over:
            answers.append(await sender.send([Outgoing(topic, key, b"%d" % len(answers))]))
            await asyncio.sleep(0.01)

    async def sending() -> None:
        nonlocal is_over
        async with Sender(broker.address, Spool(tmp_path), pytest.fail, PATIENCE_S) as sender:
            clients = [asyncio.create_task(client(sender, key)) for key in outcomes]
            await until(lambda: sum(map(len, outcomes.values())) > 10 * CLIENTS)
            broker.pause()
            try:
                await until(lambda: not sender.is_well())
                await asyncio.sleep(AWAY_S)
                assert sender.standing().spooled_records > CLIENTS
            finally:
                broker.resume()
            # Also while clients go on, the spool is emptied, and they are sent directly again.
            await until(lambda: all(isinstance(one[-1], Sent) for one in outcomes.values()))
            is_over = True
            await asyncio.gather(*clients)
            await until(lambda: not sender.standing().spooled_records)

    asyncio.run(sending())
    kinds = {type(one) for answers in outcomes.values() for one in answers}
    assert kinds == {Sent, Spooled}
    assert broker.by_key(topic) == {
        key: list(range(len(answers))) for key, answers in outcomes.items()
    }


def test_a_process_killed_while_kafka_is_away_loses_nothing_that_it_promised(
    broker: Broker, tmp_path: Path
) -> None:
    topic = broker.topic()
    command = [sys.executable, "-m", "tests.integration.sender"]
    arguments = [broker.address, topic, "k", str(tmp_path)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        broker.pause()
        try:
            while lines[-1].split()[1] != b"Spooled":
                lines.append(process.stdout.readline())
            lines += [process.stdout.readline() for _ in range(50)]
            process.send_signal(signal.SIGKILL)
            lines += [line for line in process.stdout if line.endswith(b"\n")]
        finally:
            broker.resume()
    promised = [int(line.split()[0]) for line in lines]

    async def replaying() -> None:
        async with Sender(broker.address, Spool(tmp_path), pytest.fail, LIMIT_S) as sender:
            await until(lambda: not sender.standing().spooled_records)

    asyncio.run(replaying())
    found = broker.by_key(topic)[b"k"]
    assert found[: len(promised)] == promised
    assert found == list(range(len(found)))


def test_what_kafka_refuses_for_good_is_not_promised(broker: Broker, tmp_path: Path) -> None:
    async def sending() -> None:
        async with Sender(broker.address, Spool(tmp_path), pytest.fail, LIMIT_S) as sender:
            with pytest.raises(Undeliverable):
                await sender.send([Outgoing(broker.topic(), b"k", b"." * 2_000_000)])
            assert sender.standing().spooled_records == 0

    asyncio.run(sending())
