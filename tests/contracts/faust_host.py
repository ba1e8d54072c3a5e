"""The Faust host behind the contract suite: a worker process on a real broker."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from schemas.codec import local_codec
from schemas.record import Record
from schemas.stream import Progress
from schemas.topics import Topic, changelog, dead_letters
from streams.engine.records import Headers
from tests.contracts.toy import RECORDS, TOPICS, BellStage, PurseStage
from tests.kafka import distinct, end_offsets, read
from topologies.topics import create

_PARTITIONS = 4
_WAIT_S = 60.0
_STAGES = (PurseStage(), BellStage())
_CHANGELOGS = {stage.inbox.name: changelog(stage.name, stage.entities) for stage in _STAGES}
_ALL: tuple[Topic, ...] = (
    *TOPICS,
    *_CHANGELOGS.values(),
    *(dead_letters(stage.inbox) for stage in _STAGES),
)


class FaustHostUnderTest:
    """One worker on topics of its own: made anew for every test, under the same names."""

    def __init__(self, kafka: str, store: str, folder: Path) -> None:
        self._kafka = kafka
        self._store = store
        self._folder = folder
        self._codec = local_codec(RECORDS)
        self._group = f"toy-{time.monotonic_ns():x}"
        self._producer = Producer(
            {
                "bootstrap.servers": kafka,
                "enable.idempotence": True,  # or a retry right after a topic was made reorders
                "partitioner": "murmur2_random",
                "linger.ms": 2,
            }
        )
        self._log = Path(tempfile.mkdtemp(prefix="toy-worker-"), "worker.log")
        self._worker: subprocess.Popen[bytes] | None = None
        self._second: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> FaustHostUnderTest:
        self._remake_topics()
        self.restart()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self.kill_second()
        if kind is not None:
            print(self._log.read_text()[-8000:])

    def send(self, topic: str, key: str, message: Record) -> None:
        self.send_bytes(topic, key, self._codec.encode(message))

    def send_bytes(self, topic: str, key: str, value: bytes) -> None:
        self._producer.produce(topic, value, key)

    def facts(self, topic: str) -> Sequence[Record]:
        return [self._codec.decode(m.value()) for m in distinct(read(self._kafka, topic))]

    def raw_count(self, topic: str) -> int:
        return sum(1 for _ in read(self._kafka, topic))

    def dead_letters(self, topic: str) -> Sequence[Headers]:
        return [cast(Headers, message.headers()) for message in read(self._kafka, topic)]

    def wait(self, done: Callable[[], bool]) -> None:
        self._producer.flush(10)
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            assert self._worker is None or self._worker.poll() is None, "the worker ended"
            if done():
                return
            time.sleep(0.2)
        raise AssertionError(f"not there after {_WAIT_S} s")

    def checkpoint(self) -> None:
        wanted = {topic: end_offsets(self._kafka, topic) for topic in _CHANGELOGS}

        def covered() -> bool:
            for inbox, topic in _CHANGELOGS.items():
                offsets = dict.fromkeys(range(_PARTITIONS), -1)
                for message in read(self._kafka, topic.name):
                    if message.key() == b"progress":
                        progress = self._codec.decode(message.value())
                        assert isinstance(progress, Progress)
                        offsets[cast(int, message.partition())] = progress.offset
                if any(offsets[p] + 1 < end for p, end in wanted[inbox].items()):
                    return False
            return True

        self.wait(covered)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        assert self._end(signal.SIGTERM) == 0

    def restart(self) -> None:
        self._worker = self._start(self._log)

    def start_second(self) -> None:
        self._second = self._start(self._log.with_name("second.log"))

    def kill_second(self) -> None:
        if self._second is not None:
            self._second.kill()
            self._second.wait()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what the first worker logged under ``name``."""
        lines = [line for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [entry for entry in map(json.loads, lines) if entry["event"] == name]

    def _start(self, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.contracts.toy_worker"),
                    *(self._kafka, self._group, self._store, str(self._folder)),
                ],
                stdout=output,
                stderr=output,
            )

    def _end(self, number: signal.Signals) -> int:
        if self._worker is None:
            return 0
        self._worker.send_signal(number)
        code = self._worker.wait(30)
        self._worker = None
        return code

    def _remake_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self._kafka})
        names = [topic.name for topic in _ALL]
        known = admin.list_topics(timeout=10).topics
        if old := [name for name in names if name in known]:
            for future in admin.delete_topics(old).values():
                future.result()
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(KafkaException):
                create(self._kafka, _ALL, partitions=_PARTITIONS, replication=1)
                if not set(names) - set(admin.list_topics(timeout=10).topics):
                    return
            time.sleep(0.2)
        raise AssertionError("the topics could not be made again")
