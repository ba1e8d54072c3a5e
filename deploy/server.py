"""What every embedded server is, so that one supervisor can run them all."""

from pathlib import Path
from typing import Protocol

import msgspec

from deploy.artifacts import Artifact, Cache
from deploy.service import Service


class Launch(msgspec.Struct, frozen=True):
    """A server ready to be started: the process, and the address at which it will answer."""

    service: Service
    endpoint: str


class Server(Protocol):
    """One kind of real server that runs as a child process on 127.0.0.1.

    Starting with a bounded wait, restarting and stopping (SIGTERM, then SIGKILL) are the
    same for all and belong to the supervisor; a server says what is its own.
    """

    name: str

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return the pinned files that have to be in the cache; none when a wheel brings it."""

    def launch(self, cache: Cache, data_dir: Path) -> Launch:
        """Choose free ports, write the configuration below `data_dir`, and say what to run.

        Raises `MissingError` or `FetchError` when something is not on this machine.
        """

    def answers(self, endpoint: str, timeout_s: float) -> None:
        """Return when the server at `endpoint` answers its own protocol.

        Raises `NotReadyError` when it does not within about `timeout_s` seconds.
        """
