"""One worker process: stages and relays on Kafka, sharing the work with every other worker."""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import structlog
import uvloop

from schemas import topics
from schemas.codec import Codec
from schemas.registry import connected_codec
from streams.engine.faust_host import FaustHost, HostSettings
from streams.engine.metrics import EngineMetrics
from streams.engine.store import MemoryStore, NewStore
from streams.orders import OrderLimits
from topologies.catalogue import Catalogue
from topologies.logs import configure_logging
from topologies.pipeline import all_records, relays, stages
from topologies.settings import PipelineSettings, StoreKind
from topologies.topics import incarnations

# Each output lets go of the interpreter's lock for a moment, and a thread that writes a checkpoint
# takes it: with Python's 5 ms the folds would send one output in 5 ms for as long as that lasts.
_SWITCH_INTERVAL_S = 0.0005


def run_worker(
    kafka: str,
    registry: str,
    settings: PipelineSettings,
    metrics_port: int | None = None,
    only: Sequence[str] = (),
) -> NoReturn:
    """Run a worker until SIGTERM; JSON lines about what it does go to standard output.

    ``only`` these stages, and no admission; by default everything.
    Raises SchemasMissing or TopicsMissing when the cluster is not set up.
    """
    configure_logging()
    # By the clock and in the folder that this process really has, whatever it was told to use.
    structlog.get_logger("worker").info("started", temporary=tempfile.gettempdir())
    gc.disable()  # the host collects by itself, see FaustHost
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    uvloop.install()
    codec = connected_codec(registry, all_records())
    prices = Catalogue(kafka, codec)
    inboxes = [topic.name for topic in topics.PUBLIC]
    identities = incarnations(kafka, inboxes)
    prices.start()
    metrics = EngineMetrics()
    if metrics_port is not None:
        from prometheus_client import start_http_server

        start_http_server(metrics_port, "127.0.0.1", metrics.registry)
    chosen = [
        stage
        for stage in stages(OrderLimits(payment_window_ms=settings.payment_window_ms))
        if not only or stage.name in only
    ]
    host = FaustHost(
        HostSettings(
            kafka,
            group=settings.group,
            session_timeout_s=settings.session_timeout_s,
            heartbeat_interval_s=settings.session_timeout_s / 3,
            checkpoint_interval_s=settings.checkpoint_interval_s,
        ),
        chosen,
        () if only else relays(prices, prices.packs),
        codec,
        identities,
        metrics,
        new_store=_new_store(settings, codec),
    )
    host.run()


def _new_store(settings: PipelineSettings, codec: Codec) -> NewStore:
    if settings.store is StoreKind.MEMORY:
        return MemoryStore
    from streams.engine.rocksdb_store import RocksDBStores

    folder = settings.store_folder or Path(tempfile.gettempdir(), "orderstream-state")
    return RocksDBStores(folder, codec)
