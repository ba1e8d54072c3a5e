"""A process that runs a flow of sales on a topic of its own, for ``test_flows``.

python -m tests.integration.flow_worker '{"kafka": ..., "source": ..., "prefix": ...}'
"""

from __future__ import annotations

import json
import sys

from schemas.topics import Kind, Topic
from streams.engine.bytewax_host import BytewaxHost, FlowSettings
from streams.windows.sales import SalesFlow
from tests.unit.windows.log import CODEC
from topologies.logs import configure_logging
from topologies.topics import incarnations, partition_counts

SETTINGS = {"emit_ms": 20, "checkpoint_ms": 60}


def sales_of(source: str) -> SalesFlow:
    """Return the flow of sales, reading ``source``."""
    flow = SalesFlow()
    flow.sources = (Topic(source, Kind.EVENTS, "order_no", ()),)
    return flow


def _run() -> None:
    wanted = json.loads(sys.argv[1])
    configure_logging()
    kafka, source = wanted["kafka"], wanted["source"]
    settings = FlowSettings(kafka, prefix=wanted["prefix"], **SETTINGS)
    ids, counts = incarnations(kafka, [source]), partition_counts(kafka)
    BytewaxHost(settings, sales_of(source), CODEC, ids, counts).run()


if __name__ == "__main__":
    _run()
