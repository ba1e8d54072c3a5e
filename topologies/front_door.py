"""The API process put together: its servers, its parts, and the siblings that share its port."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from redis.asyncio import Redis

from api.app import served
from api.asking import now_ms
from api.callbacks import Callbacks
from api.decisions import INBOXES, Decisions
from api.facts import KafkaFacts
from api.follower import Follower
from api.gateways.settings import GatewaySettings, configured
from api.issuer import authenticator
from api.key_files import shared_key
from api.limits import Limits, policies
from api.live.socket import Viewing
from api.live.watching import Watching
from api.metrics import ApiMetrics
from api.occasional import Occasional
from api.push.building import build_sockets
from api.read_model import ReadModel
from api.sender import Sender
from api.services import Reads, Services
from api.serving import bound, serve
from api.settings import ApiSettings
from api.spool import Spool
from api.webhooks.desk import Webhooks
from api.webhooks.endpoints import Endpoints
from api.webhooks.queue import DeliveryQueue
from api.webhooks.settings import WebhookSettings
from api.window_reads import WindowReads
from deploy.process import dying_with
from schemas.codec import Codec
from schemas.record import Record
from schemas.registry import connected_codec
from schemas.topics import (
    INVENTORY_COMMANDS,
    INVENTORY_EVENTS,
    ORDER_EVENTS,
    PAYMENT_COMMANDS,
    PAYMENT_EVENTS,
    Topic,
)
from topologies.catalogue import Catalogue
from topologies.logs import configure_logging
from topologies.pipeline import all_records
from topologies.services import command
from topologies.topics import incarnations

log = structlog.get_logger("api")

_OCCASIONAL_FACTS = 2_000
_OCCASIONAL_LOOKBACK_S = 1.0
_REDIS_LIMIT_S = 2.0
_LOOK_S = 0.2
_RESTART_PAUSE_S = 1.0
_STOP_LIMIT_S = 15.0  # a process lets requests come to their end for 10 s


@dataclass(frozen=True)
class Servers:
    """Where the servers are that the API works with; without Redis each process is on its own."""

    kafka: str
    registry: str
    redis: str | None
    home: Path
    """Folder of the embedded stack: the development issuer's key and the spool are below it."""


def build_services(servers: Servers, settings: ApiSettings) -> Services:
    """Return the parts of the API; the catalogue has been read when it returns.

    Raises SchemasMissing, TopicsMissing, CatalogueAway and EndpointsAway, and OSError and
    ValueError for keys that cannot be read.
    """
    codec = connected_codec(servers.registry, all_records())
    prices = Catalogue(servers.kafka, codec)
    prices.start()

    def follower(topic: Topic, lookback_s: float, window_facts: int) -> Follower:
        return Follower(
            servers.kafka, codec, [topic], lookback_s=lookback_s, window_facts=window_facts
        )

    def occasional(topic: Topic) -> Occasional:
        return Occasional(lambda: follower(topic, _OCCASIONAL_LOOKBACK_S, _OCCASIONAL_FACTS))

    def reports(topics: Sequence[Topic], lookback_s: float) -> Follower:
        return Follower(servers.kafka, codec, topics, lookback_s=lookback_s, window_facts=1)

    orders = follower(ORDER_EVENTS, settings.lookback_s, settings.window_facts)
    spool = Spool(settings.spool_folder or servers.home / "data" / "spool", settings.spool_bytes)
    sender = Sender(servers.kafka, spool, _end, patience_s=settings.kafka_limit_s)
    reads = _reads(servers, codec, orders)
    judge = authenticator(settings, servers.home)
    metrics = ApiMetrics()
    return Services(
        settings=settings,
        codec=codec,
        prices=prices,
        packs=prices.packs,
        follower=orders,
        sender=sender,
        decisions=Decisions(
            codec,
            sender,
            orders,
            {
                INVENTORY_COMMANDS.name: occasional(INVENTORY_EVENTS),
                PAYMENT_COMMANDS.name: occasional(PAYMENT_EVENTS),
            },
            incarnations(servers.kafka, [topic.name for topic in INBOXES]),
            settings.decision_limit_s,
        ),
        reads=reads,
        authenticator=judge,
        limits=Limits(servers.redis, policies(settings)),
        metrics=metrics,
        sockets=build_sockets(
            settings, servers.kafka, orders, reads, servers.redis, judge.verify, metrics.registry
        ),
        live=Viewing(Watching(orders, reports)),
        callbacks=Callbacks(configured(GatewaySettings()), codec, sender.send, now_ms),
        webhooks=_webhooks(servers, codec, sender, reads),
    )


def _reads(servers: Servers, codec: Codec, orders: Follower) -> Reads:
    if servers.redis is None:
        return WindowReads(orders)
    return ReadModel(servers.redis, orders, KafkaFacts(servers.kafka, codec))


def _webhooks(servers: Servers, codec: Codec, sender: Sender, reads: Reads) -> Webhooks | None:
    """Return the webhooks; None without a key of their secrets, or without Redis to owe them in."""
    settings = WebhookSettings()
    if settings.key is None or servers.redis is None:
        return None

    async def facts(order_no: str) -> list[tuple[Record, int]]:
        return [(fact.record, fact.timestamp_ms) for fact in await reads.facts(order_no)]

    endpoints = Endpoints()
    endpoints.start(servers.kafka, codec)
    endpoints.wait_loaded()
    return Webhooks(
        endpoints,
        DeliveryQueue(Redis.from_url(servers.redis, socket_timeout=_REDIS_LIMIT_S)),
        codec,
        sender.send,
        facts,
        shared_key(settings.key),
        now_ms,
        allows_local=settings.allow_local,
    )


def run_api(servers: Servers, settings: ApiSettings, host: str, port: int) -> None:
    """Serve the API in this process until SIGTERM; JSON lines go to standard output.

    Raises OSError when the address cannot be had, and what ``build_services`` raises.
    """
    configure_logging()
    at = bound(host, port)
    url = f"http://{host}:{at.getsockname()[1]}"
    services = build_services(servers, settings)
    serve(served(services), at, lambda: log.info("serving", url=url, docs=f"{url}/docs"))


def run_siblings(count: int, host: str, port: int, env: Mapping[str, str]) -> int:
    """Run ``count`` API processes at one port until SIGTERM, and restart one that ends.

    Returns the exit code: 0, or that of a process that could not even start.
    """
    at = bound(host, port)  # never listens: it keeps the port for the others
    address = ("--host", host, "--port", str(at.getsockname()[1]))
    argv = command("api", *address)
    siblings = Siblings(argv, env, count)
    signal.signal(signal.SIGTERM, lambda *_: siblings.end())
    signal.signal(signal.SIGINT, lambda *_: siblings.end())
    with at:
        return siblings.run()


class Siblings:
    """Processes that run the same command."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], count: int) -> None:
        self._argv = argv
        self._env = {**os.environ, **env}
        self._is_ending = False
        self._processes = [self._start() for _ in range(count)]

    def end(self) -> None:
        """Ask all to end."""
        self._is_ending = True
        for process in self._processes:
            process.terminate()

    def run(self) -> int:
        """Watch over them until ``end``; return the exit code for this process."""
        started_s = time.monotonic()
        while not self._is_ending:
            time.sleep(_LOOK_S)
            for index, process in enumerate(self._processes):
                code = process.poll()
                if code is None or self._is_ending:
                    continue
                if code > 0 and time.monotonic() - started_s < _RESTART_PAUSE_S:
                    self.end()
                    return code
                time.sleep(_RESTART_PAUSE_S)
                if not self._is_ending:
                    self._processes[index] = self._start()
        for process in self._processes:
            try:
                process.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        return 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._argv, env=self._env, preexec_fn=dying_with(os.getpid()), start_new_session=True
        )


def _end(why: str) -> None:
    """End this process in order: whoever watches over it starts another one."""
    log.error("ending", why=why)
    os.kill(os.getpid(), signal.SIGTERM)
