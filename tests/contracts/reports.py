"""What flows make of the contract's shop: rows of reports in all their versions, and alerts."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable

from schemas.alert import AlertCleared, AlertRaised
from sinks.sink import Fact
from streams.kernel.flow import Flow
from streams.windows.sales import SalesFlow
from streams.windows.stock import StockFlow
from tests.contracts.sinks import Log, batches, interleaved, shop_log
from tests.unit.windows.log import START_MS, Run
from tests.unit.windows.log import Log as FactLog
from topologies.flows import make

_FLOWS: tuple[Callable[[], Flow], ...] = (SalesFlow, StockFlow, lambda: make("alerts"))
_BETWEEN_ROWS = 200  # facts: a window is written again as it grows


@functools.cache
def report_log() -> Log:
    """Return the rows by topic, as Kafka would have them; the last are there twice."""
    found: defaultdict[str, list[Fact]] = defaultdict(list)
    for flow in _FLOWS:
        run, log = Run(flow, _places()), FactLog()
        for batch in batches(interleaved(shop_log()), _BETWEEN_ROWS):
            for fact in batch:
                place = fact.topic, fact.partition
                log.append(*place, fact.timestamp_ms - START_MS, fact.record)
                run.take(place, log.places[place][-1:])
            run.emit()
        for output in run.written:
            topic = found[output.topic]
            topic.append(Fact(output.message, output.topic, 0, len(topic), START_MS + len(topic)))
    for topic in found.values():
        topic += [one._replace(offset=len(topic) + n) for n, one in enumerate(topic[-9:])]
    kinds = {type(fact.record) for topic in found.values() for fact in topic}
    assert {AlertRaised, AlertCleared} <= kinds, "the shop raises no alert"
    return tuple(tuple(topic) for topic in found.values())


def _places() -> list[tuple[str, int]]:
    return [(partition[0].topic, partition[0].partition) for partition in shop_log() if partition]
