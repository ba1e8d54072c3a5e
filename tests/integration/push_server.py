"""An API process of test_push: sockets over the facts of a real pipeline, without a read model.

Its window is as small as its arguments say, so that who comes back is answered from the facts.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from prometheus_client import CollectorRegistry

from api.auth import Principal
from api.follower import Follower, OrderFact
from api.problems import Code, Refused
from api.push.building import build_sockets
from api.push.protocol import server_options
from api.push.routes import state_socket
from api.settings import ApiSettings
from schemas.codec import Codec
from schemas.read_model import OrderView, view_after
from schemas.registry import connected_codec
from schemas.topics import ORDER_EVENTS
from tests.kafka import distinct, read


class FactsOnly:
    """What is known when Redis has lost everything: the facts."""

    def __init__(self, kafka: str, codec: Codec) -> None:
        self._kafka = kafka
        self._codec = codec

    async def order(self, order_no: str) -> OrderView | None:
        view = None
        for fact in await self.facts(order_no):
            view = view_after(view, fact.record, fact.timestamp_ms)
        return view

    async def facts(self, order_no: str) -> Sequence[OrderFact]:
        return await asyncio.to_thread(self._read, order_no)

    def _read(self, order_no: str) -> list[OrderFact]:
        return [
            OrderFact(
                self._codec,
                order_no,
                type(self._codec.decode(message.value())),
                cast(bytes, message.value()),
                message.timestamp()[1],
                b"",
            )
            for message in distinct(read(self._kafka, ORDER_EVENTS.name))
            if message.key() == order_no.encode()
        ]


async def _nobody(_: str) -> Principal:
    raise Refused(Code.UNAUTHENTICATED, "tickets only")


def main(port: int, kafka: str, registry: str, redis: str, window_facts: int) -> None:
    """Serve until killed."""
    codec = connected_codec(registry, ORDER_EVENTS.records)
    follower = Follower(kafka, codec, [ORDER_EVENTS], lookback_s=0, window_facts=window_facts)
    reads = FactsOnly(kafka, codec)

    @asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        app.state.services.sockets = build_sockets(
            ApiSettings(), kafka, follower, reads, redis, _nobody, CollectorRegistry()
        )
        follower.start()
        while not follower.is_reading:
            await asyncio.sleep(0.01)
        yield
        await follower.stop()

    app = Litestar(
        [state_socket],
        state=State({"services": SimpleNamespace()}, deep_copy=False),
        lifespan=[running],
        openapi_config=None,
    )
    uvicorn.run(app, port=port, log_level="warning", **server_options())


if __name__ == "__main__":
    _, port, kafka, registry, redis, window_facts = sys.argv
    main(int(port), kafka, registry, redis, int(window_facts))
