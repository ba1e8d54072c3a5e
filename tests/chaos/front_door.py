"""The front door under chaos: what clients were told is what happened, whatever is away meanwhile.

    python -m tests.chaos.front_door --orders-per-s 100 --outage-s 30
    python -m tests.chaos.front_door --orders-per-s 200 --orders 10000 --strikes none

A stack of its own: servers, two workers, a gateway that reports by HTTP, the sink to Redis, and two
API processes at one port. Buyers place and pay over real HTTP and follow their orders by WebSocket.
Under this load Kafka is away, then Redis, then an API process is killed, and at last one is killed
while Kafka is away. Afterwards `verdict` compares what clients were told with the facts, the rows
in Redis and the messages, and the auditor judges the facts. Without strikes it is the proof that
one trace id goes all the way. Exit code 0: every promise held, and every strike bit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import uvloop

from api.auth import Scope
from api.issuer import DevelopmentIssuer
from deploy import stack
from deploy.process import ProcessId, free_ports
from deploy.service import Service
from deploy.settings import DeploySettings
from deploy.stack import Endpoints
from deploy.supervisor import log_file
from tests.chaos.buyers import Buyer, Goods, Purchase
from tests.chaos.verdict import Findings, judge, read_orders, read_rows, until_rows
from topologies import services
from topologies.audit import reader
from topologies.chaos.system import PAYMENT_WINDOW_MS, ChaosError, System
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import run_name
from topologies.load.stocking import bring_stock, list_skus
from topologies.processes import Process, entries

SERVERS: Final = ("kafka", "registry", "redis")
WORKERS, API_PROCESSES = 2, 2
SHOP = 1
_SKUS, _FIRST_SKU_ID, _PRICE_FEN = 100, 580_001, 1_990
_UNITS = 1_000_000
_BUYER_ORDERS_PER_S = 2  # 120 requests a minute to a route: less than half of what one user may
_EVERY_REPEATED = 10  # every so many orders are asked for twice at once, and again at the end
_EVERY_UNPAID = 10
_CALM_S = 3.0  # before, between and after the strikes
_END_LIMIT_S = 180.0
_QUIET_S = PAYMENT_WINDOW_MS / 1000 + 3  # an unpaid order waits for so long, and expires then
_SOCKETS_LIMIT_S = 60.0

Strike = Callable[["FrontDoor", float], Any]


class FrontDoor(System):
    """Workers and a gateway, beside servers, API and sink that a supervisor keeps running."""

    def __init__(self, endpoints: Endpoints, folder: Path, url: str) -> None:
        self.url = url
        super().__init__(endpoints, folder, WORKERS)

    def environment(self) -> dict[str, str]:
        """Return the environment of every process, with the keys that gateway and API share."""
        return super().environment() | services.keys(self.folder)

    def start_gateway(self, *options: str) -> Process:
        """Start the gateway; it reports by HTTP."""
        callback = f"{self.url}/api/v2/payments/callbacks/sim"
        return super().start_gateway(*options, "--callback", callback)

    def api_events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event, of all API processes."""
        log = log_file(self.folder, "api")
        return [entry for entry in entries(log) if entry.get("event") == name]

    def api_processes(self) -> list[ProcessId]:
        """Return the API processes that share the port."""
        parent = self.server("api")
        if parent is None:
            return []
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        return [child for child in map(ProcessId.of, map(int, children)) if child is not None]

    async def kill_api(self) -> int:
        """Kill one API process; return the number of processes that ended by that."""
        victim = self.api_processes()[0]
        victim.signal(signal.SIGKILL)
        await self.until("the API process is gone", lambda: not victim.alive())
        return 1


async def kafka_away(door: FrontDoor, outage_s: float) -> Counter[str]:
    """Keep Kafka down, and wait until what was spooled is in Kafka."""
    return await _kafka_away(door, outage_s)


async def redis_away(door: FrontDoor, outage_s: float) -> Counter[str]:
    """Keep Redis down, and wait until the limits are shared again."""
    local = len(door.api_events("limits_kept_locally"))
    shared = len(door.api_events("limits_shared_again"))
    until_s = time.monotonic() + outage_s
    away_s = await door.hold_down("redis", signal.SIGKILL, lambda: time.monotonic() > until_s)
    await door.until(
        "limits are shared again", lambda: len(door.api_events("limits_shared_again")) > shared
    )
    return Counter(
        away_ms=round(away_s * 1000),
        kept_locally=len(door.api_events("limits_kept_locally")) - local,
        shared_again=len(door.api_events("limits_shared_again")) - shared,
    )


async def api_killed(door: FrontDoor, _: float) -> Counter[str]:
    """Kill one API process; its sibling goes on, and another takes its place."""
    serving = len(door.api_events("serving"))
    killed = await door.kill_api()
    return Counter(killed=killed, restarted=await _restarted(door, serving))


async def api_killed_while_kafka_away(door: FrontDoor, outage_s: float) -> Counter[str]:
    """Kill one API process when it has spooled: another one has to send what it promised."""
    serving = len(door.api_events("serving"))

    async def kill() -> int:
        await asyncio.sleep(outage_s / 2)
        return await door.kill_api()

    kill_soon = asyncio.create_task(kill())
    counts = await _kafka_away(door, outage_s)
    return counts + Counter(killed=await kill_soon, restarted=await _restarted(door, serving))


async def _kafka_away(door: FrontDoor, outage_s: float) -> Counter[str]:
    spooling, replayed = len(door.api_events("spooling")), len(door.api_events("spool_replayed"))
    until_s = time.monotonic() + outage_s
    away_s = await door.hold_down("kafka", signal.SIGKILL, lambda: time.monotonic() > until_s)
    await door.until(
        "what was spooled is in Kafka",
        lambda: any(not one["left"] for one in door.api_events("spool_replayed")[replayed:]),
    )
    return Counter(
        away_ms=round(away_s * 1000),
        spooling=len(door.api_events("spooling")) - spooling,
        replayed=sum(one["records"] for one in door.api_events("spool_replayed")[replayed:]),
    )


async def _restarted(door: FrontDoor, serving: int) -> int:
    await door.until(
        "the API process was started again", lambda: len(door.api_events("serving")) > serving
    )
    return len(door.api_events("serving")) - serving


STRIKES: Final[dict[str, tuple[Strike, tuple[str, ...], tuple[str, ...]]]] = {
    "kafka": (kafka_away, ("away_ms", "spooling", "replayed"), ("place 202",)),
    "redis": (redis_away, ("away_ms", "kept_locally", "shared_again"), ("place 201",)),
    "api": (api_killed, ("killed", "restarted"), ("sockets_broken",)),
    "kafka+api": (
        api_killed_while_kafka_away,
        ("away_ms", "replayed", "killed", "restarted"),
        ("place 202", "sockets_broken"),
    ),
}
"""Each strike, what it must count by itself, and what its clients must have met meanwhile."""


@dataclass(frozen=True)
class Plan:
    """``strikes`` in turn under ``orders_per_s``; without any it ends after ``orders`` orders."""

    orders_per_s: float
    outage_s: float
    strikes: Sequence[str]
    orders: int = 0


class Shop:
    """Buyers and the load that they make."""

    def __init__(self, plan: Plan, door: FrontDoor, session: aiohttp.ClientSession) -> None:
        self.counts: Counter[str] = Counter()
        self._plan = plan
        issuer = DevelopmentIssuer(door.folder)
        buyers = max(4, round(plan.orders_per_s / _BUYER_ORDERS_PER_S))
        self.buyers = [
            Buyer(
                session, door.url, issuer.token(SHOP, user, [Scope.CUSTOMER], hours=3), self.counts
            )
            for user in range(1, buyers + 1)
        ]

    def met(self) -> Counter[str]:
        """Count what clients met so far."""
        met = Counter(self.counts)
        for name, count in self.counts.items():
            if name.endswith("unanswered"):
                met["unanswered"] += count
        watchers = [buyer.watcher for buyer in self.buyers]
        met["sockets_broken"] = sum(watcher.breaks.total() for watcher in watchers)
        met["messages_replayed"] = sum(watcher.replayed for watcher in watchers)
        met["messages"] = sum(len(seen) for w in watchers for seen in w.seen.values())
        return met

    async def run(self, over: asyncio.Event) -> None:
        """Begin orders at the plan's pace until it is ``over``, and see all through."""
        due_s, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as stories:
            while not over.is_set() and (not self._plan.orders or number < self._plan.orders):
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                stories.create_task(self._story(number))
                number += 1
                due_s += 1 / self._plan.orders_per_s

    async def ask_again(self) -> None:
        """Repeat the requests of some orders that are long done."""
        for buyer in self.buyers:
            for purchase in buyer.purchases:
                if not purchase.number % _EVERY_REPEATED:
                    purchase.placed.append(await buyer.place(purchase, _goods(purchase.number)))

    async def _story(self, number: int) -> None:
        buyer = self.buyers[number % len(self.buyers)]
        purchase = Purchase(number, secrets.token_hex(16), secrets.token_hex(16))
        await buyer.buy(
            purchase,
            _goods(number),
            at_once=1 if number % _EVERY_REPEATED else 2,
            pays=number % _EVERY_UNPAID != 1,
        )


def _goods(number: int) -> Goods:
    return Goods(_FIRST_SKU_ID + number % _SKUS, _PRICE_FEN)


async def experiment(
    plan: Plan, endpoints: Endpoints, folder: Path, url: str, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run a plan on a stack that is there; return the report."""
    door = FrontDoor(endpoints, folder, url)
    keeper = asyncio.create_task(door.keep())
    try:
        await door.until_whole()
        await asyncio.to_thread(_open_shop, door)
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            return await _measured(plan, door, Shop(plan, door, session), say)
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        await asyncio.to_thread(door.close)


async def _measured(
    plan: Plan, door: FrontDoor, shop: Shop, say: Callable[[str], None]
) -> dict[str, Any]:
    watching = [asyncio.create_task(buyer.watcher.watch()) for buyer in shop.buyers]
    try:
        async with asyncio.timeout(_SOCKETS_LIMIT_S):
            for buyer in shop.buyers:
                await buyer.watcher.opened.wait()
        over = asyncio.Event()
        load = asyncio.create_task(shop.run(over))
        bites = await _strike_all(plan, door, shop, load, say)
        if plan.strikes:
            over.set()
        async with asyncio.timeout(None if plan.orders else _END_LIMIT_S):
            await load
        say("every request has its answer; the judges read")
        await shop.ask_again()
        quiet = await asyncio.to_thread(
            reader.wait_quiet, door.endpoints.kafka, _QUIET_S, _END_LIMIT_S
        )
        findings, placed, traced = await _judged(door, shop)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    audit = await asyncio.to_thread(
        reader.audit, door.endpoints.kafka, door.endpoints.registry, True, placed
    )
    missing = [
        f"{name}: no {counter}"
        for name, counts in bites.items()
        for counter in (*STRIKES[name][1], *STRIKES[name][2])
        if counts[counter] <= 0
    ]
    return {
        "ok": quiet and audit.ok and not findings.by_promise and not missing,
        "orders": placed,
        "accepted_first": sum(p.is_accepted for b in shop.buyers for p in b.purchases),
        "traced_facts": traced,
        "met": dict(sorted(shop.met().items())),
        "bites": {name: dict(counts) for name, counts in bites.items()},
        "did_not_bite": missing,
        "findings": findings.shown(),
        "audit": {"ok": audit.ok, "broken": audit.broken, "orders": dict(audit.orders)},
        "exits": {str(code): count for code, count in door.exits.items()},
        "quiet": quiet,
    }


async def _strike_all(
    plan: Plan, door: FrontDoor, shop: Shop, load: asyncio.Task[None], say: Callable[[str], None]
) -> dict[str, Counter[str]]:
    """Strike in turn; return by strike what it counted and what clients met meanwhile."""
    bites = {}
    for name in plan.strikes:
        await asyncio.sleep(_CALM_S)
        if load.done():
            load.result()
        say(f"{name} strikes")
        before = shop.met()
        counts = await STRIKES[name][0](door, plan.outage_s)
        await asyncio.sleep(_CALM_S)  # clients notice
        bites[name] = counts + (shop.met() - before)
        say(f"{name}: {dict(bites[name])}")
    return bites


async def _judged(door: FrontDoor, shop: Shop) -> tuple[Findings, int, int]:
    """Return the findings, the number of orders, and how many facts were seen to have the trace."""
    told = await asyncio.to_thread(read_orders, door.endpoints)
    await until_rows(door.endpoints.redis, told, _SOCKETS_LIMIT_S)
    rows = await read_rows(door.endpoints.redis, list(told))
    findings = judge(shop.buyers, told, rows)
    return findings, len(told), sum(one.traces.total() for one in told.values())


def _open_shop(door: FrontDoor) -> None:
    skus = tuple(
        Sku(_FIRST_SKU_ID + number, _PRICE_FEN, _UNITS, ("east",)) for number in range(_SKUS)
    )
    catalogue = Catalogue(SHOP, skus)
    list_skus(door.where, catalogue)
    bring_stock(door.where, catalogue, run_name())


@contextmanager
def own_stack(folder: Path) -> Iterator[tuple[Endpoints, str]]:
    """Run fresh servers, the API and the sink; yield them and the URL of the API."""
    (port,) = free_ports(1)
    env = {**services.keys(folder), "ORDERSTREAM_HOME": str(folder)}
    options = stack.Options(
        servers=SERVERS,
        services=(*services.setup(), _api(port, env), *services.sinks(("redis",))),
        data_dir=folder,
        settings=DeploySettings(kafka=None, registry=None, redis=None),
    )
    with stack.running(options) as endpoints:
        yield endpoints, services.api_url(port)


def _api(port: int, env: dict[str, str]) -> Service:
    one = services.api(port, env)
    return msgspec.structs.replace(one, argv=(*one.argv, "--processes", str(API_PROCESSES)))


def run(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Run a plan on fresh servers; return the report. The folder stays when it is not ok."""
    folder = Path(tempfile.mkdtemp(prefix="orderstream-front-door-"))
    started_s = time.monotonic()
    say(f"starting {', '.join(SERVERS)}, {WORKERS} workers, {API_PROCESSES} API in {folder}")
    with own_stack(folder) as (endpoints, url):
        report = uvloop.run(experiment(plan, endpoints, folder, url, say))
    if report["ok"]:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        report["folder"] = str(folder)
    return {**report, "seconds": round(time.monotonic() - started_s, 1)}


def main() -> int:
    """Run the command line of this module; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders-per-s", type=float, default=100.0)
    parser.add_argument("--outage-s", type=float, default=30.0)
    parser.add_argument("--strikes", default=",".join(STRIKES), help="by commas; none: no strike")
    parser.add_argument("--orders", type=int, default=0, help="end after so many; without strikes")
    told = parser.parse_args()
    strikes = () if told.strikes == "none" else tuple(told.strikes.split(","))
    if unknown := set(strikes) - set(STRIKES):
        parser.error(f"no such strike: {', '.join(sorted(unknown))}")
    if bool(strikes) == bool(told.orders):
        parser.error("either strikes or --orders: orders of a plan with strikes end by themselves")
    plan = Plan(told.orders_per_s, told.outage_s, strikes, told.orders)
    try:
        report = run(plan, lambda text: print(text, file=sys.stderr, flush=True))
    except ChaosError as error:
        print(f"front door: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
