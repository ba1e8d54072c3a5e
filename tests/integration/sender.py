"""A process that sends while Kafka is away, until it is killed: prints each number when it is safe.

Arguments: Kafka's address, a topic, a key, a spool folder.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

import structlog

from api.sender import Sender
from api.spool import Outgoing, Spool


async def _send(kafka: str, topic: str, key: str, folder: str) -> None:
    async with Sender(kafka, Spool(Path(folder)), sys.exit, patience_s=0.2) as sender:
        for number in count():
            outcome = await sender.send([Outgoing(topic, key.encode(), b"%d" % number)])
            print(number, type(outcome).__name__, flush=True)


structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(_send(*sys.argv[1:]))
