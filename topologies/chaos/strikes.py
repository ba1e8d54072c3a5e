"""What each fault does to the system, and what it counts of its own.

A strike returns its counters when the fault is over; what the workers' logs say since it began is
added by `strike` when the round is over, because a takeover's re-reading shows only then.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar, assert_never

from confluent_kafka import KafkaException

from topologies.chaos import means
from topologies.chaos.processes import Worker
from topologies.chaos.schedule import Fault, Strike
from topologies.chaos.system import SESSION_TIMEOUT_S, ChaosError, System
from topologies.chaos.traffic import gateway_lag, report_ends, reports_since
from topologies.load.clients import LoadError
from topologies.processes import Process

PAUSE_S = 2 * SESSION_TIMEOUT_S + 2  # the group gives a paused worker's partitions away after one
_RESTART_AFTER_S = 1.0
_SKEW_S = 7 * 60
_HALF = 0.5
_TRIES = 20

T = TypeVar("T")
_LEAST_HOLD_S = 6.0  # so that the worker reports at least once (stats come every 5 s)


async def kill(system: System, slot: int) -> Counter[str]:
    """SIGKILL a worker; start it again a second later."""
    with system.held(slot):
        worker = system.slots[slot]
        worker.kill()
        await asyncio.sleep(_RESTART_AFTER_S)
        system.start_worker(slot)
    return Counter(killed=int(worker.exit_code == -signal.SIGKILL))


async def pause(system: System, slot: int) -> Counter[str]:
    """SIGSTOP a worker until others have its partitions, wake it, and see it fenced."""
    with system.held(slot):
        worker = system.slots[slot]
        before = system.tally()["took_over"]
        worker.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(PAUSE_S)
            await system.until(
                "others take over from the paused worker",
                lambda: system.tally()["took_over"] > before,
            )
        finally:
            worker.signal(signal.SIGCONT)
        await system.until("the paused worker ends", lambda: worker.exit_code is not None)
        system.start_worker(slot)
    return Counter(fenced=len(worker.events("fenced")))


async def scale(system: System, hold_s: float) -> Counter[str]:
    """Let one more worker join, work, and leave by SIGTERM."""
    slot = max(system.slots) + 1
    with system.held(slot):
        worker = await _put_to_work(system, slot)
        await asyncio.sleep(hold_s)
        counts = await _leave(system, worker)
    del system.slots[slot]
    return counts


async def broker_restart(system: System, number: signal.Signals) -> Counter[str]:
    """End Kafka by a signal; the supervisor starts it again.

    What it acknowledged before SIGKILL is in the kernel's page cache, and survives.
    """
    return _away(await system.hold_down("kafka", number, lambda: True))


async def registry_away(system: System, slot: int) -> Counter[str]:
    """Keep the registry away until a worker could not start; the others work on meanwhile."""
    counts: Counter[str] = Counter()
    with system.held(slot):
        worker = system.slots[slot]
        before = system.tally()["applied"]
        worker.kill()
        hold_down = system.hold_down(
            "registry", signal.SIGKILL, lambda: counts["starts_refused"] > 0
        )
        away = asyncio.create_task(hold_down)
        while not counts["starts_refused"] and not away.done():
            worker = system.start_worker(slot)
            await _at_work(system, worker)
            counts["starts_refused"] += worker.exit_code is not None
        counts["applied_meanwhile"] = system.tally()["applied"] - before
        closed_s = await away
        if worker.exit_code is not None:
            system.start_worker(slot)
    return counts + _away(closed_s)


async def full_disk(system: System, slot: int, hold_s: float) -> Counter[str]:
    """Put a worker's folder for temporary files on a full disk."""
    folder = system.folder / "full"
    worker, counts = await _replaced(system, slot, hold_s, means.on_full_disk(folder))
    counts["disk_full"] = worker.output().count(os.strerror(errno.ENOSPC))
    counts["folder_refused"] = sum(
        event["temporary"] != str(folder) for event in worker.events("started")
    )
    return counts


async def skew(system: System, slot: int, hold_s: float, is_ahead: bool) -> Counter[str]:
    """Set a worker's clock minutes ahead or back."""
    surroundings = means.at_another_time(system.folder, _SKEW_S if is_ahead else -_SKEW_S)
    worker, counts = await _replaced(system, slot, hold_s, surroundings)
    counts["skew_min"] = abs(worker.skew_min())
    return counts


async def slow_network(system: System, slot: int, hold_s: float) -> Counter[str]:
    """Let a worker reach Kafka through a proxy that delays everything."""
    log = system.folder / "logs" / "toxiproxy.log"
    async with means.slow_way(system.endpoints.kafka, log) as way:
        surroundings = means.Surroundings({"ORDERSTREAM_KAFKA": way.address})
        _, counts = await _replaced(system, slot, hold_s, surroundings)
    counts["slower_ms"] = way.slower_ms
    return counts


async def gateway_kill(system: System) -> Counter[str]:
    """SIGKILL the gateway; start it again while facts wait for it."""
    with system.held_gateway() as gateway:
        gateway.kill()
        await asyncio.sleep(2 * _RESTART_AFTER_S)
        waiting = await _ask(gateway_lag, system.endpoints.kafka)
        system.start_gateway()
    return Counter(killed=int(gateway.exit_code == -signal.SIGKILL), waiting=waiting)


async def gateway_faults(system: System, hold_s: float) -> Counter[str]:
    """Let the gateway repeat, reorder, lose and delay its messages."""
    options = ("--duplicate", "0.2", "--reordered", "0.2", "--lost", "0.05", "--slow-ms", "50-800")
    since = await _ask(report_ends, system.where)
    await _restart_gateway(system, *options)
    await asyncio.sleep(hold_s)
    counts = await _ask(reports_since, system.where, since)
    await _restart_gateway(system)
    return counts


async def strike(system: System, plan: Strike, hold_s: float) -> Callable[[], Counter[str]]:
    """Do it now; return a function that says what came of it, when the round is over.

    A fault that has no length by itself lasts ``hold_s``, but long enough to be seen in a log.
    """
    before = system.tally()
    own = await _do(system, plan, max(hold_s, _LEAST_HOLD_S))

    def counted() -> Counter[str]:
        return Counter({**(system.tally() - before), **own})

    return counted


async def _do(system: System, plan: Strike, hold_s: float) -> Counter[str]:
    match plan.fault:
        case Fault.KILL:
            return await kill(system, plan.slot)
        case Fault.PAUSE:
            return await pause(system, plan.slot)
        case Fault.SCALE:
            return await scale(system, hold_s)
        case Fault.BROKER_STOP:
            return await broker_restart(system, signal.SIGTERM)
        case Fault.BROKER_KILL:
            return await broker_restart(system, signal.SIGKILL)
        case Fault.REGISTRY:
            return await registry_away(system, plan.slot)
        case Fault.DISK:
            return await full_disk(system, plan.slot, hold_s)
        case Fault.SKEW:
            return await skew(system, plan.slot, hold_s, plan.luck < _HALF)
        case Fault.SLOW:
            return await slow_network(system, plan.slot, hold_s)
        case Fault.GATEWAY_KILL:
            return await gateway_kill(system)
        case Fault.GATEWAY_FAULTS:
            return await gateway_faults(system, hold_s)
        case Fault.REDIS:
            raise ValueError("nothing uses Redis yet")
        case _:
            assert_never(plan.fault)


def _away(seconds: float) -> Counter[str]:
    return Counter(away_ms=round(seconds * 1000))


async def _replaced(
    system: System, slot: int, hold_s: float, surroundings: means.Surroundings
) -> tuple[Worker, Counter[str]]:
    """Let a worker in other surroundings do the work of a slot for a while."""
    with system.held(slot):
        usual = system.slots[slot]
        await _leave(system, usual)
        strange = await _put_to_work(system, slot, surroundings)
        await asyncio.sleep(hold_s)
        counts = await _leave(system, strange)
        system.start_worker(slot)
    return strange, counts


async def _put_to_work(
    system: System, slot: int, surroundings: means.Surroundings | None = None
) -> Worker:
    """Start a worker; again while another fault keeps it from starting."""
    for _ in range(_TRIES):
        worker = system.start_worker(slot, surroundings)
        await _at_work(system, worker)
        if worker.exit_code is None:
            return worker
        await asyncio.sleep(_RESTART_AFTER_S)
    raise ChaosError(f"a worker does not start; logs: {system.folder / 'logs'}")


async def _at_work(system: System, worker: Worker) -> None:
    await system.until(
        "the new worker takes partitions over",
        lambda: worker.exit_code is not None or bool(worker.events("took_over")),
    )


async def _leave(system: System, worker: Worker) -> Counter[str]:
    """Stop a worker by SIGTERM; count what it did."""
    worker.signal(signal.SIGTERM)
    await system.until("the worker stops", lambda: worker.exit_code is not None)
    tally = worker.tally()
    return Counter(
        left_tidily=int(worker.exit_code == 0 and tally["stopped"] > 0),
        gained=tally["took_over"],
        applied=tally["applied"],
    )


async def _restart_gateway(system: System, *options: str) -> None:
    with system.held_gateway() as gateway:
        gateway.signal(signal.SIGTERM)
        await system.until("the gateway stops", lambda: gateway.exit_code is not None)
        for _ in range(_TRIES):
            successor = system.start_gateway(*options)
            await system.until("the gateway starts", partial(_has_begun, successor))
            if successor.exit_code is None:
                return
            await asyncio.sleep(_RESTART_AFTER_S)
    raise ChaosError(f"the gateway does not start; logs: {system.folder / 'logs'}")


def _has_begun(process: Process) -> bool:
    return bool(process.events("assigned")) or process.exit_code is not None


async def _ask(question: Callable[..., T], *arguments: object) -> T:
    """Ask Kafka something; again while another fault keeps it away."""
    for _ in range(_TRIES):
        try:
            return await asyncio.to_thread(question, *arguments)
        except (LoadError, KafkaException):
            await asyncio.sleep(_RESTART_AFTER_S)
    raise ChaosError("Kafka does not answer")
