"""A process that runs a flow on a topic of its own, for ``test_flows`` and ``test_alerts``.

python -m tests.integration.flow_worker '{"kafka": ..., "registry": ..., "flow": "sales",
    "source": ..., "prefix": ...}'
"""

from __future__ import annotations

import json
import sys

from deploy.stack import Endpoints
from schemas.registry import Registry, connected_codec
from schemas.topics import Kind, Topic
from streams.engine.bytewax_host import BytewaxHost, FlowSettings
from streams.kernel.flow import Flow
from topologies.flows import EMIT_MS, make, records_of
from topologies.logs import configure_logging
from topologies.pipeline import all_records, all_topics
from topologies.settings import PipelineSettings
from topologies.topics import create, incarnations, partition_counts


def prepare(stack: Endpoints) -> None:
    """Create topics and register schemas: what the commands do, without their processes."""
    settings = PipelineSettings()
    create(
        stack.kafka,
        all_topics(),
        partitions=settings.partitions,
        replication=settings.replication,
    )
    Registry(stack.registry).register(all_records())


def reading(flow: str, source: str) -> Flow:
    """Return a flow that reads ``source``."""
    made = make(flow)
    own = Topic(source, Kind.EVENTS, made.sources[0].key, made.sources[0].records)
    made.sources = (own,)  # type: ignore[misc]  # the flow's own attribute, read-only in its port
    return made


def _run() -> None:
    wanted = json.loads(sys.argv[1])
    configure_logging()
    kafka, source, name = wanted["kafka"], wanted["source"], wanted["flow"]
    settings = FlowSettings(
        kafka, prefix=wanted["prefix"], emit_ms=min(EMIT_MS[name], 20), checkpoint_ms=60
    )
    flow = reading(name, source)
    codec = connected_codec(wanted["registry"], records_of(flow))
    ids, counts = incarnations(kafka, [source]), partition_counts(kafka)
    BytewaxHost(settings, flow, codec, ids, counts).run()


if __name__ == "__main__":
    _run()
