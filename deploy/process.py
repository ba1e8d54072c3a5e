"""Processes of this machine: naming them safely, tying their lives together, reaching them."""

import ctypes
import os
import random
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec

from deploy.errors import DeployError

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_PORTS_FROM = 15_000
_PORTS_TO = 32_000


class ProcessId(msgspec.Struct, frozen=True):
    """A process that cannot be mistaken for a later one with the same number.

    `started_ticks` is field 22 of ``/proc/<pid>/stat`` (clock ticks since boot) and `boot`
    the kernel's boot id: a number that was given out again differs in one of the two.
    """

    pid: int
    started_ticks: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """Name the process that has this number now; None when there is none (or a zombie)."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The command, in parentheses, may hold spaces and parentheses itself.
        fields = stat[stat.rindex(")") + 2 :].split()
        if fields[0] in "ZX":
            return None
        return cls(pid, int(fields[19]), boot)

    def alive(self) -> bool:
        """Say whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this very process; False when it is gone, whoever has its number."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # Checked after the handle is held: from here on it cannot come to mean another.
            if not self.alive():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until this process is gone; False when it still runs after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True


def dying_with(parent_pid: int) -> Callable[[], None]:
    """Return a `preexec_fn` by which a child is killed as soon as its parent dies.

    The kernel ties the child to the forking *thread*: fork from one that lives as long as
    the parent. Children of the child are not covered.
    """

    def tie() -> None:
        if sys.platform == "linux":
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent_pid:  # the parent died before the tie was made
                os._exit(1)

    return tie


def http_get(url: str, timeout_s: float) -> bytes:
    """Return the body at `url`, asked for directly: a proxy does not know this machine's servers.

    Raises `OSError` when there is no answer, or one with a status of 400 and above.
    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=timeout_s) as response:
        return bytes(response.read())


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports of 127.0.0.1 on which nothing listens.

    They lie below the range from which the kernel takes the ports of outgoing connections:
    a client that retries while a server restarts could otherwise be given that very port,
    and connect to itself.

    Raises `DeployError` when no port can be found.
    """
    held: list[socket.socket] = []
    try:
        for port in random.sample(range(_PORTS_FROM, _PORTS_TO), 2_000):
            candidate = socket.socket()
            held.append(candidate)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                held.pop().close()
            if len(held) == count:
                return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
    raise DeployError(f"no free TCP port on 127.0.0.1 between {_PORTS_FROM} and {_PORTS_TO}")
