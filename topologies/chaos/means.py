"""What some faults need of the machine: a full disk, a clock that is off, a slow network."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from deploy.process import dying_with, free_ports, http_get
from topologies.chaos.schedule import Fault

TOXIPROXY_VARIABLE = "ORDERSTREAM_TOXIPROXY"
_SKEWED_CLOCK = Path(__file__).with_name("skew.c")
_DELAY_MS, _JITTER_MS = 40, 20
_ANSWER_S = 10.0
# The folder is a mount of the worker's own, which is gone when the worker is.
_FILL = (
    'mount -t tmpfs -o size=64k none "$TMPDIR" && head -c 1000000 /dev/zero > "$TMPDIR/full"; '
    'exec "$@"'
)
_NAMESPACES = (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount"))


def lacking(fault: Fault) -> str | None:
    """Say why a fault cannot strike on this machine; None when it can."""
    match fault:
        case Fault.REDIS:
            return "nothing in the chain uses Redis yet, so the fault could not bite"
        case Fault.DISK if mount_namespace() is None:
            return "this user may not mount a tmpfs, not even in a namespace of its own"
        case Fault.SKEW if shutil.which("cc") is None:
            return "a C compiler (cc) has to build the clock that is off"
        case Fault.SLOW if toxiproxy() is None:
            return f"toxiproxy-server is not on PATH, and {TOXIPROXY_VARIABLE} does not name it"
        case _:
            return None


@cache
def mount_namespace() -> tuple[str, ...] | None:
    """Return the command that runs another where it may mount; None when there is none."""
    for command in _NAMESPACES:
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
        if done.returncode == 0:
            return command
    return None


def toxiproxy() -> str | None:
    """Return the path of toxiproxy's server; None when it is not on this machine."""
    return shutil.which(os.environ.get(TOXIPROXY_VARIABLE) or "toxiproxy-server")


class Surroundings(NamedTuple):
    """What a worker is started in: a command before its own, and more environment."""

    env: Mapping[str, str]
    before: tuple[str, ...] = ()


def on_full_disk(folder: Path) -> Surroundings:
    """Return surroundings in which the folder for temporary files is a full disk."""
    folder.mkdir(exist_ok=True)
    before = (*(mount_namespace() or ()), "sh", "-c", _FILL, "sh")
    return Surroundings({"TMPDIR": str(folder), "LC_ALL": "C"}, before)


def at_another_time(folder: Path, skew_s: int) -> Surroundings:
    """Return surroundings whose wall clock is ``skew_s`` ahead (negative: back).

    ``folder`` keeps what is built for it. Raises CalledProcessError when that fails.
    """
    clock = folder / "skew.so"
    build = ("cc", "-shared", "-fPIC", "-o", str(clock), str(_SKEWED_CLOCK), "-ldl")
    subprocess.run(build, check=True)
    return Surroundings({"LD_PRELOAD": str(clock), "SKEW_S": str(skew_s)})


class SlowWay(NamedTuple):
    """A slow way to Kafka: its address, and how much longer a request takes on it."""

    address: str
    slower_ms: int


@asynccontextmanager
async def slow_way(kafka: str, log: Path) -> AsyncIterator[SlowWay]:
    """Run toxiproxy before Kafka's second listener, which advertises the proxy's address.

    Raises OSError when the proxy does not answer.
    """
    (port,) = free_ports(1)
    behind, address = await asyncio.to_thread(_second_listener, kafka)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [toxiproxy() or "toxiproxy-server", "-host", "127.0.0.1", "-port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=dying_with(os.getpid()),
            start_new_session=True,
        )
    try:
        await asyncio.to_thread(_delay, f"http://127.0.0.1:{port}", behind, address)
        usual_ms = await asyncio.to_thread(_request_ms, kafka)
        slow_ms = await asyncio.to_thread(_request_ms, address)
        yield SlowWay(address, round(slow_ms - usual_ms))
    finally:
        process.terminate()
        process.wait()


def _second_listener(kafka: str) -> tuple[str, str]:
    """Return (where Kafka's listener PROXIED listens, the address that it advertises)."""
    client = AdminClient({"bootstrap.servers": kafka, "log_level": 2})
    broker = ConfigResource(ResourceType.BROKER, "1")
    (future,) = client.describe_configs([broker], request_timeout=_ANSWER_S).values()
    config = future.result()
    listens, advertised = (
        dict(one.split("://") for one in config[name].value.split(","))["PROXIED"]
        for name in ("listeners", "advertised.listeners")
    )
    return listens, advertised


def _delay(api: str, upstream: str, listen: str) -> None:
    """Tell toxiproxy what to stand before, and to delay both ways."""
    deadline = time.monotonic() + _ANSWER_S
    while True:
        try:
            http_get(f"{api}/version", 1.0)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    _post(f"{api}/proxies", {"name": "kafka", "listen": listen, "upstream": upstream})
    for stream in ("upstream", "downstream"):
        attributes = {"latency": _DELAY_MS, "jitter": _JITTER_MS}
        toxic = {"type": "latency", "stream": stream, "attributes": attributes}
        _post(f"{api}/proxies/kafka/toxics", toxic)


def _post(url: str, body: object) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    direct.open(request, timeout=_ANSWER_S).close()


def _request_ms(kafka: str) -> float:
    started = time.monotonic()
    AdminClient({"bootstrap.servers": kafka, "log_level": 2}).list_topics(timeout=_ANSWER_S)
    return (time.monotonic() - started) * 1000
