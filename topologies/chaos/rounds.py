"""Rounds of chaos: load, strikes, and the judges' verdict, on fresh servers every few rounds.

The judges read the whole log, so on one set of servers each round costs more than the one before
it. New servers every ``ROUNDS_PER_STACK`` rounds keep that in bounds; within these rounds the later
verdict covers the earlier round once more.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from deploy.stack import Endpoints
from topologies.chaos import traffic
from topologies.chaos.proof import Bite
from topologies.chaos.report import Outcome
from topologies.chaos.schedule import Round, Strike
from topologies.chaos.strikes import strike
from topologies.chaos.system import ChaosError, System, own_servers, running
from topologies.processes import Process

ROUNDS_PER_STACK = 2  # 300,000 facts to judge at most: about half a minute
SERVERS = ("kafka", "registry")
_HOLD_SHARE = 0.35  # of a round: how long a fault lasts that has no length by itself
_WARM_UP_ORDERS = 50
_SKUS, _UNITS = 500, 5_000  # the most popular skus sell out
_PAYERS = "pay=90,late=2,never=2,twice=2,cancel=2,decline=2"
_REPEATED = 50  # every so many intents one comes twice
_LOAD_LIMIT_S = 240.0
_JUDGE_LIMIT_S = 300.0
_SETTLE_LIMIT_S = 90.0
_QUIET_S = 3.0  # above the second between two checkpoints, which the replay goes up to


@dataclass(frozen=True)
class Plan:
    """What to do. ``rate`` orders a second for ``seconds`` in each round; ``keep`` the folders."""

    rounds: Sequence[Round]
    rate: int
    seconds: int
    workers: int
    seed: int
    keep: bool = False

    @property
    def orders(self) -> int:
        """Orders of one round."""
        return self.rate * self.seconds


def run_rounds(plan: Plan, say: Callable[[str], None], done: Callable[[Outcome], None]) -> None:
    """Run all rounds; ``say`` is told what happens, ``done`` what came of each.

    Raises `ChaosError` when the experiment cannot go on, `deploy.errors.DeployError` when servers
    cannot be had.
    """
    left = iter(plan.rounds)
    while some := tuple(islice(left, ROUNDS_PER_STACK)):
        folder = Path(tempfile.mkdtemp(prefix="orderstream-chaos-"))
        try:
            say(f"starting {', '.join(SERVERS)} and {plan.workers} workers in {folder}")
            with own_servers(folder, SERVERS) as endpoints:
                asyncio.run(_run(plan, some, endpoints, folder, say, done))
        finally:
            if not plan.keep:
                shutil.rmtree(folder, ignore_errors=True)


async def _run(
    plan: Plan,
    rounds: Sequence[Round],
    endpoints: Endpoints,
    folder: Path,
    say: Callable[[str], None],
    done: Callable[[Outcome], None],
) -> None:
    async with running(endpoints, folder, plan.workers) as system:
        experiment = _Experiment(plan, system, say)
        await experiment.open_shop()
        for one in rounds:
            done(await experiment.round(one))


class _Experiment:
    """Rounds on one system."""

    def __init__(self, plan: Plan, system: System, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._system = system
        self._say = say
        self._orders = 0

    async def open_shop(self) -> None:
        """List the skus, bring the goods, and see a few orders through: the chain works."""
        load = self._load("opening", _WARM_UP_ORDERS, _UNITS)
        with load:
            await self._ended(load, _LOAD_LIMIT_S)
        if load.exit_code != 0:
            raise ChaosError(f"the shop could not be opened: {load.output()[-2000:]}")

    async def round(self, one: Round) -> Outcome:
        """Run one round and let the judges have their say."""
        plan, system, started = self._plan, self._system, time.monotonic()
        what = " + ".join(f"{s.fault} at {s.at_s:g} s" for s in one.strikes)
        self._say(f"round {one.number}: {plan.orders:,} orders, {what}")
        exits, intents = system.exits.copy(), await asyncio.to_thread(traffic.intents, system.where)
        load = self._load(f"load.{one.number}", plan.orders, 0)
        with load:
            await self._flowing(load, intents)
            counted = await self._strike_all(one.strikes)
            await self._ended(load, _LOAD_LIMIT_S)
        await system.until_whole()
        bites = [Bite(s.fault, c()) for s, c in zip(one.strikes, counted, strict=True)]
        self._say(f"round {one.number}: {', '.join(map(str, bites))}; the judges read")
        report = _last_json(load)
        audit, verify = await self._judge(one.number)
        return Outcome(
            number=one.number,
            strikes=one.strikes,
            bites=tuple(bites),
            orders=report.get("orders", 0),
            missing=report.get("missing_count", plan.orders),
            doubled=len(report.get("doubled", ())),
            worst_create_ms=report.get("create", {}).get("max_ms", 0.0),
            p99_create_ms=report.get("create", {}).get("p99_ms", 0.0),
            exits=dict(system.exits - exits),
            audit=audit,
            verify=verify,
            seconds=round(time.monotonic() - started, 1),
        )

    def _load(self, name: str, orders: int, units: int) -> Process:
        plan = self._plan
        self._orders += orders
        options: dict[str, object] = {
            "orders": orders,
            "rate": plan.rate,
            "payers": _PAYERS,
            "skus": _SKUS,
            "stock": units,
            "seed": plan.seed,
            "repeat": _REPEATED,
        }
        words = (word for key, value in options.items() for word in (f"--{key}", str(value)))
        return self._system.run(name, "load", *words, "--json")

    async def _flowing(self, load: Process, before: int) -> None:
        """Wait for the round's first order."""
        while await asyncio.to_thread(traffic.intents, self._system.where) <= before:
            if load.exit_code is not None:
                raise ChaosError(f"the load did not begin: {load.output()[-2000:]}")

    async def _strike_all(self, strikes: Sequence[Strike]) -> list[Callable[[], Counter[str]]]:
        async def at_its_time(one: Strike) -> Callable[[], Counter[str]]:
            await asyncio.sleep(one.at_s)
            self._say(f"{one.fault} strikes")
            return await strike(self._system, one, _HOLD_SHARE * self._plan.seconds)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(at_its_time(one)) for one in strikes]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _judge(self, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run the auditor and the replay side by side, once no fact is added any more."""
        await self._quiet()
        run, expected = self._system.run, str(self._orders)
        with (
            run(f"audit.{number}", "audit", "--final", "--expect", expected, "--json") as audit,
            run(f"verify.{number}", "replay", "verify", "--json") as verify,
        ):
            await self._ended(audit, _JUDGE_LIMIT_S)
            await self._ended(verify, _JUDGE_LIMIT_S)
        return _verdict(audit), _verdict(verify)

    async def _quiet(self) -> None:
        """Wait until late money has gone back and all of it is checkpointed."""
        before, deadline = -1, time.monotonic() + _SETTLE_LIMIT_S
        while (now := await asyncio.to_thread(traffic.facts, self._system.where)) != before:
            if time.monotonic() > deadline:
                raise ChaosError(f"facts are still being added after {_SETTLE_LIMIT_S:g} s")
            before = now
            await asyncio.sleep(_QUIET_S)

    async def _ended(self, process: Process, limit_s: float) -> None:
        await self._system.until(
            f"{process.log.name} ends", lambda: process.exit_code is not None, limit_s
        )


def _verdict(judge: Process) -> dict[str, Any]:
    """Return what a judge printed as JSON, and its exit code; the end of its log without JSON."""
    found = _last_json(judge)
    return {"exit_code": judge.exit_code, **(found or {"log": judge.output()[-2000:]})}


def _last_json(process: Process) -> dict[str, Any]:
    for line in reversed(process.output().splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    return {}
