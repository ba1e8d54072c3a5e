"""One process of a sink: connected, measured, stopped by a signal."""

from __future__ import annotations

import signal

from schemas.registry import connected_codec
from sinks.metrics import SinkMetrics
from sinks.runner import Runner, RunnerSettings
from sinks.sink import Sink
from topologies.logs import configure_logging
from topologies.settings import SinkSettings
from topologies.topics import incarnations


def run_sink(
    sink: Sink, kafka: str, registry: str, settings: SinkSettings, metrics_port: int | None = None
) -> None:
    """Run ``sink`` until SIGTERM or SIGINT; JSON lines about what it does go to standard output.

    Raises SchemasMissing and TopicsMissing when the cluster is not set up, UnreadableFact and
    KafkaException when it cannot go on; nothing that was not written is committed then.
    """
    configure_logging()
    incarnations(kafka, [topic.name for topic in sink.topics])
    codec = connected_codec(registry, [kind for topic in sink.topics for kind in topic.records])
    metrics = SinkMetrics(sink.name)
    if metrics_port is not None:
        from prometheus_client import start_http_server

        start_http_server(metrics_port, "127.0.0.1", metrics.registry)
    runner = Runner(
        sink,
        codec,
        RunnerSettings(
            kafka,
            batch_records=settings.sink_batch_records,
            linger_s=settings.sink_linger_s,
            session_timeout_s=settings.session_timeout_s,
        ),
        metrics,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop())
    runner.run()
