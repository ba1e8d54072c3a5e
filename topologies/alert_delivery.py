"""Takes alerts to their receivers: an effect worker, so that none is lost when one is away."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence

import httpx2
import structlog
import uvloop

from schemas import topics
from schemas.alert import AlertCleared, AlertRaised
from schemas.errors import Retryable
from schemas.registry import connected_codec
from streams.engine.effects import EffectSettings, EffectWorker, Send
from topologies.alert_receivers import Alert, Format, Receiver, Request, requests
from topologies.logs import configure_logging

GROUP = "alert-delivery"

_TIMEOUT_S = 5.0
_TOO_MANY = 429
_SERVER_ERROR = 500

log = structlog.get_logger()


class Delivery:
    """Posts alerts. A receiver that has taken one is not posted it again while others are away."""

    def __init__(self, receivers: Sequence[Receiver], client: httpx2.AsyncClient) -> None:
        self._receivers = receivers
        self._client = client
        self._told: dict[tuple[str, int], set[str]] = {}

    async def tell(self, alert: Alert, _send: Send) -> None:
        """Post an alert to whoever wants it; Retryable when one of them could not be reached."""
        key = (alert.alert_id, alert.version)
        told = self._told.setdefault(key, set())
        wanted = [one for one in self._receivers if one.wants(alert) and one.name not in told]
        outcomes = await asyncio.gather(
            *(self._post_all(one, alert) for one in wanted), return_exceptions=True
        )
        told.update(one.name for one, what in zip(wanted, outcomes, strict=True) if what is None)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome
        del self._told[key]

    async def _post_all(self, receiver: Receiver, alert: Alert) -> None:
        for request in requests(receiver, alert, time.time_ns() // 1_000_000):
            await self._post(receiver, request)
        log.info("told", receiver=receiver.name, alert=alert.alert_id, version=alert.version)

    async def _post(self, receiver: Receiver, request: Request) -> None:
        try:
            answer = await self._client.post(
                request.url, json=request.body, headers=request.headers
            )
        except httpx2.HTTPError as error:
            raise Retryable(f"{receiver.name} is away: {error!r}") from error
        if answer.status_code >= _SERVER_ERROR or answer.status_code == _TOO_MANY:
            raise Retryable(f"{receiver.name} answers {answer.status_code}")
        if not answer.is_success or _robot_refuses(receiver, answer):
            # It would refuse it for ever: others must not wait for that.
            log.error("alert_refused", receiver=receiver.name, why=answer.text[:500])


def _robot_refuses(receiver: Receiver, answer: httpx2.Response) -> bool:
    """Tell whether a robot says no: it answers 200 and puts the error into the body."""
    if receiver.format not in (Format.DINGTALK, Format.WECOM):
        return False
    try:
        return bool(answer.json().get("errcode"))
    except (ValueError, AttributeError):
        return False


def deliver(
    kafka: str, registry: str, receivers: Sequence[Receiver], *, group: str = GROUP
) -> None:
    """Deliver alerts until SIGTERM; what is not delivered then is delivered by the next process.

    Raises SchemasMissing, and StageDefect or KafkaException when it cannot go on.
    """
    configure_logging()
    codec = connected_codec(registry, topics.ALERT_EVENTS.records)
    settings = EffectSettings(kafka=kafka, group=group, source=topics.ALERT_EVENTS)

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with httpx2.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            tell = Delivery(receivers, client).tell
            worker = EffectWorker(settings, codec, {AlertRaised: tell, AlertCleared: tell})
            await worker.run(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
