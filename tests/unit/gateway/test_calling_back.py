"""The simulator's reports by HTTP: signed, posted until they are taken, and the call waits."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import aiohttp.web

from api.gateways.sim import SimGateway
from schemas.payment import GatewayReport, GatewayStatus, PaymentRequested
from streams.kernel.stage import Output
from tests.integration.callers import SECRET, now_ms
from topologies.calling_back import callback_client, over_http
from topologies.gateway import Faults, SimulatedGateway

ASKED = PaymentRequested("O1", 1, 7, 42, "O1-1", "sim-twice", 100, "CNY", "t" * 32)


def never(_: Output) -> None:
    raise AssertionError("a report went into the inbox")


async def called(statuses: list[int]) -> list[GatewayReport]:
    """Make a call; the receiver answers ``statuses`` in turn, then 204. Return what it got."""
    got: list[GatewayReport] = []
    gateway = SimGateway(SECRET)

    async def take(request: aiohttp.web.Request) -> aiohttp.web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        report = gateway.verify(headers, await request.read(), now_ms())
        assert isinstance(report, GatewayReport), report
        got.append(report)
        return aiohttp.web.Response(status=statuses.pop(0) if statuses else 204)

    app = aiohttp.web.Application()
    app.router.add_post("/callbacks/sim", take)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        async with callback_client(f"http://{host}:{port}/callbacks/sim", SECRET) as deliver:
            simulated = SimulatedGateway(Faults(), random.Random(0), now_ms)
            waiting = over_http(simulated.calls(), deliver)[PaymentRequested](ASKED, never)
            assert waiting is not None
            await waiting
    finally:
        await runner.cleanup()
    return got


def test_a_call_is_done_when_every_report_was_taken() -> None:
    got = asyncio.run(called([]))
    assert {report.gateway_txn_no for report in got} == {"SIM-O1-1", "SIM-O1-1-2"}
    assert {report.status for report in got} == {GatewayStatus.SUCCEEDED}


def test_what_is_not_taken_is_posted_again_and_a_redirect_is_not_followed() -> None:
    got = asyncio.run(called([503, 302, 401]))
    counts = Counter(report.gateway_txn_no for report in got)
    assert counts.keys() == {"SIM-O1-1", "SIM-O1-1-2"}
    assert counts.total() == 5
