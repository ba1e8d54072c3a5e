"""What the contract suite needs of a host, and the memory host behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from schemas.codec import local_codec
from schemas.record import Record
from streams.engine.memory import MemoryHost
from streams.engine.records import Headers
from streams.engine.store import NewStore
from tests.contracts.toy import IDLE_MS, RECORDS, BellStage, PurseStage

_WAIT_ROUNDS = 20


class HostUnderTest(Protocol):
    """A running host of the toy stages, and the log it works on."""

    def send(self, topic: str, key: str, message: Record) -> None:
        """Append a message as a producer outside would."""

    def send_bytes(self, topic: str, key: str, value: bytes) -> None:
        """Append raw bytes."""

    def facts(self, topic: str) -> Sequence[Record]:
        """Return what a reader who drops re-sent records sees."""

    def raw_count(self, topic: str) -> int:
        """Return how many records the topic holds, re-sent ones included."""

    def dead_letters(self, topic: str) -> Sequence[Headers]:
        """Return the headers of the records in a dead-letter topic."""

    def wait(self, done: Callable[[], bool]) -> None:
        """Let the host work until ``done``; fail when it takes too long."""

    def checkpoint(self) -> None:
        """Return when everything applied so far is in a checkpoint."""

    def kill(self) -> None:
        """End the host without warning."""

    def stop(self) -> None:
        """End the host gracefully."""

    def restart(self) -> None:
        """Start the host again after ``kill`` or ``stop``."""


class MemoryHostUnderTest:
    """The memory host; time passes only while the test waits."""

    def __init__(self, stores: NewStore) -> None:
        self._codec = local_codec(RECORDS)
        self._host = MemoryHost([PurseStage(), BellStage()], self._codec, new_store=stores)
        self._running = True

    def send(self, topic: str, key: str, message: Record) -> None:
        self._host.send(topic, key, message)

    def send_bytes(self, topic: str, key: str, value: bytes) -> None:
        self._host.log.append(topic, key, value)

    def facts(self, topic: str) -> Sequence[Record]:
        return self._host.facts(topic)

    def raw_count(self, topic: str) -> int:
        return len(self._host.log.records(topic))

    def dead_letters(self, topic: str) -> Sequence[Headers]:
        return [record.headers for record in self._host.log.records(topic)]

    def wait(self, done: Callable[[], bool]) -> None:
        assert self._running, "the host was killed"
        for _ in range(_WAIT_ROUNDS):
            self._host.run(batch=7)
            if done():
                return
            self._host.advance(IDLE_MS // 4)
        raise AssertionError("the host does not get there")

    def checkpoint(self) -> None:
        self._host.checkpoint()

    def kill(self) -> None:
        self._host.crash()
        self._running = False

    def stop(self) -> None:
        self._host.checkpoint()
        self.kill()

    def restart(self) -> None:
        self._running = True
