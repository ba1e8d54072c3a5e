"""The parts of `orderstream bench core`: each adds its figures, by their names in the JSON file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from rich.console import Console

from deploy.progress import shown_on
from schemas.topics import Kind
from streams.orders import OrderLimits
from topologies.bench.live_state import fill
from topologies.bench.site import Site, site
from topologies.cli.load import show_figures
from topologies.cli.progress import counting
from topologies.load.catalogue import Catalogue, make_catalogue
from topologies.load.clients import run_name
from topologies.load.closed_loop import Bench, Figures, run_bench
from topologies.load.reservations import reserve
from topologies.load.stocking import bring_stock
from topologies.load.usage import Usage, usage
from topologies.pipeline import all_topics, stages
from topologies.settings import PipelineSettings

_SKUS, _UNITS = 10_000, 1_000_000
_WINDOWS = (2_000, 4_000)
_WARMUP_SHARE = 6
_WARMUP_ORDERS = 20_000  # a new broker's compiler takes half a core until about here
_PACED_S = 30
_BYTES_ORDERS = 20_000  # when nothing but the size is asked for
_STALL_S, _STALL_KILL_SHARE = 30, 3  # the kill comes after a third of the run
_STALL_PATIENCE_S = 90.0
_OTHER_SKUS = 500_001  # skus of which the live state of the takeover knows nothing


class Core:
    """Measures, and keeps ``figures``; ``ok`` tells whether everything came to its end."""

    def __init__(self, console: Console, orders: int, rate: int, workers: int) -> None:
        self.figures: dict[str, float] = {}
        self.ok = True
        self._console = console
        self._orders = orders
        self._rate = rate
        self._workers = workers
        settings = PipelineSettings()
        self._group = settings.group
        self._partitions = settings.partitions
        self._stages = len(stages(OrderLimits()))

    def loops(self, closed: bool, paced: bool, size: bool) -> None:
        """Measure the closed loops, the open loop, and what a part of them left on disk."""
        with self._site() as place:
            place.start_workers(self._workers, partitions=self._stages * self._partitions)
            catalogue = make_catalogue(_SKUS, _UNITS, seed=1)
            bring_stock(place.where, catalogue, run_name(), inside=True)
            if closed or paced:
                self._run(place, catalogue, "warm-up", Bench(_WARMUP_ORDERS, _WINDOWS[-1]))
            size_before, orders = place.log_bytes(), 0
            if closed:
                orders += self._closed(place, catalogue)
            if paced:
                orders += self._paced(place, catalogue)
            if size:
                if not orders:
                    orders = _BYTES_ORDERS
                    self._run(place, catalogue, "orders to weigh", Bench(orders, _WINDOWS[0]))
                self._weigh(size_before, place.log_bytes(), orders)

    def _closed(self, place: Site, catalogue: Catalogue) -> int:
        before, driver_us = place.used(), []
        for window in _WINDOWS:
            plan = Bench(self._orders, window, warmup=self._orders // _WARMUP_SHARE)
            found = self._run(place, catalogue, f"window {window:,}", plan)
            self.figures[f"closed_loop_orders_per_s_at_{window}"] = found.per_second
            driver_us.append(found.driver_us)
        best = max(self.figures[f"closed_loop_orders_per_s_at_{window}"] for window in _WINDOWS)
        self.figures["closed_loop_orders_per_s"] = best
        orders = self._orders * len(_WINDOWS)
        self.figures |= footprint(before, place.used(), orders)
        # Its own clock stands while it encodes the orders, before each loop.
        self.figures["driver_cpu_ms_per_order"] = sum(driver_us) / len(driver_us) / 1000
        self.figures["driver_peak_mb"] = usage(os.getpid()).peak_mb
        return orders

    def _paced(self, place: Site, catalogue: Catalogue) -> int:
        orders = min(self._orders, _PACED_S * self._rate)
        plan = Bench(orders, rate=float(self._rate), warmup=orders // _WARMUP_SHARE)
        found = self._run(place, catalogue, f"{self._rate:,} a second", plan)
        for step, times in (("create", found.create), ("pay", found.pay)):
            self.figures[f"{step}_p50_ms_at_{self._rate}"] = times.p50_ms
            self.figures[f"{step}_p99_ms_at_{self._rate}"] = times.p99_ms
        return orders

    def _weigh(self, before: Mapping[str, int], after: Mapping[str, int], orders: int) -> None:
        facts = {topic.name for topic in all_topics() if topic.kind is Kind.EVENTS}
        grown = {topic: bytes_ - before.get(topic, 0) for topic, bytes_ in after.items()}
        self.figures["kafka_bytes_per_order"] = sum(grown.values()) / orders
        of_facts = sum(grown.get(topic, 0) for topic in facts)
        self.figures["kafka_fact_bytes_per_order"] = of_facts / orders

    def hot(self, tries: int) -> None:
        """Measure how fast one sku's reservations are decided."""
        with self._site() as place:
            place.start_workers(1, "--only", "inventory", partitions=self._partitions)
            run = run_name()
            with counting(self._console, "reservations on one sku") as counted:
                found = reserve(place.where, int(run, 16), tries, tries, run, counted)
        self.ok &= found.ok
        self.figures["hot_sku_reservations_per_s"] = found.per_second
        print(f"--- one sku\n{found.held:,} of {tries:,} tries held: {found.per_second:,.0f}/s")

    def takeover(self, entities: int) -> None:
        """Measure how long partitions with a large state stand still, and what clients see."""
        partitions = self._stages * self._partitions
        with self._site() as place:
            shop = make_catalogue(_SKUS, _UNITS, seed=2, first_sku_id=_OTHER_SKUS)
            with counting(self._console, "live records") as counted:
                live = fill(
                    place.where, self._group, shop, run_name(), entities, self._partitions, counted
                )
            alone = place.start_workers(1, partitions=partitions)
            print(f"--- takeover\n{alone.records:,} of {live:,} records in {alone.seconds:.2f} s")
            self.ok &= alone.records == live
            self.figures[f"takeover_s_at_{short(entities)}"] = alone.seconds
            place.start_workers(1, partitions=partitions)
            catalogue = make_catalogue(_SKUS, _UNITS, seed=1)
            bring_stock(place.where, catalogue, run_name(), inside=True)
            self.figures["stall_s_after_sigkill"] = self._stall(place, catalogue)

    def _stall(self, place: Site, catalogue: Catalogue) -> float:
        """Kill one of two workers under load; return the longest wait for a decision in seconds."""
        orders = self._rate * _STALL_S
        plan = Bench(orders, rate=float(self._rate), timeout_s=_STALL_PATIENCE_S)
        victim = place.workers[0]
        with counting(self._console, "orders, one worker killed") as counted:

            def kill_in_time(done: int, total: int) -> None:
                if done >= orders // _STALL_KILL_SHARE and victim.process.poll() is None:
                    victim.kill()
                counted(done, total)

            found = run_bench(place.where, catalogue, plan, run_name(), kill_in_time)
        self.ok &= found.ok and victim.process.poll() is not None
        print("--- one of two workers killed")
        show_figures(found)
        return found.create.max_ms / 1000

    def _run(self, place: Site, catalogue: Catalogue, name: str, plan: Bench) -> Figures:
        with counting(self._console, name) as counted:
            found = run_bench(place.where, catalogue, plan, run_name(), counted)
        self.ok &= found.ok
        print(f"--- {name}")
        show_figures(found)
        return found

    @contextmanager
    def _site(self) -> Iterator[Site]:
        with ExitStack() as ending:
            with shown_on(self._console) as progress:
                place = ending.enter_context(site(progress))
            yield place


def footprint(
    before: Mapping[str, Usage], after: Mapping[str, Usage], orders: int
) -> dict[str, float]:
    """Return, for each process, milliseconds of processor time for an order, and peak memory."""
    figures: dict[str, float] = {}
    for name, used in after.items():
        figures[f"{name}_cpu_ms_per_order"] = (used.cpu_s - before[name].cpu_s) / orders * 1000
        figures[f"{name}_peak_mb"] = used.peak_mb
    return figures


def short(count: int) -> str:
    """Return a count as it is said: 1m, 200k, 1234."""
    for unit, letter in ((1_000_000, "m"), (1_000, "k")):
        if count >= unit and count % unit == 0:
            return f"{count // unit}{letter}"
    return str(count)
