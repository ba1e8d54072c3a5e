"""The parts of an API that needs no server: Kafka is away, and everybody is one customer."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from api.auth import Principal, Scope
from api.callbacks import Callbacks
from api.decisions import INBOXES, Decisions
from api.follower import Follower
from api.limits import Limits, policies
from api.live.socket import Viewing
from api.live.watching import Watching
from api.metrics import ApiMetrics
from api.push.building import build_sockets
from api.sender import Sender
from api.services import Services
from api.settings import ApiSettings
from api.spool import Spool
from api.window_reads import WindowReads
from schemas.topics import ORDER_EVENTS, Topic
from tests.unit.api.facts import BUYER, CODEC, INCARNATION, SHOP, Prices

_NOWHERE = "127.0.0.1:1"


class Everybody:
    """Takes everybody for the same customer."""

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        return Principal(SHOP, BUYER, frozenset({Scope.CUSTOMER}), str(BUYER), 1e12)

    async def verify(self, token: str) -> Principal:
        return await self.authenticate({"authorization": token})


def _follow(topics: Sequence[Topic], lookback_s: float) -> Follower:
    return Follower(_NOWHERE, CODEC, topics, lookback_s=lookback_s, window_facts=1)


def services() -> Services:
    settings = ApiSettings(kafka_limit_s=0.1, decision_limit_s=0.1)
    follower = Follower(_NOWHERE, CODEC, [ORDER_EVENTS], lookback_s=1.0, window_facts=100)
    spool = Spool(Path(tempfile.mkdtemp(prefix="orderstream-test-")))
    sender = Sender(_NOWHERE, spool, print, patience_s=settings.kafka_limit_s)
    identities = {topic.name: INCARNATION for topic in INBOXES}
    reads, metrics, everybody = WindowReads(follower), ApiMetrics(), Everybody()
    return Services(
        settings=settings,
        codec=CODEC,
        prices=Prices(),
        follower=follower,
        sender=sender,
        decisions=Decisions(CODEC, sender, follower, {}, identities, settings.decision_limit_s),
        reads=reads,
        authenticator=everybody,
        limits=Limits(None, policies(settings)),
        metrics=metrics,
        sockets=build_sockets(
            settings, _NOWHERE, follower, reads, None, everybody.verify, metrics.registry
        ),
        live=Viewing(Watching(follower, _follow)),
        callbacks=Callbacks({}, CODEC, sender.send, lambda: 0),
        webhooks=None,
    )
