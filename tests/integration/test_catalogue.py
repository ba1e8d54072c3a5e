"""The catalogue on a real broker that is not quite there yet."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from confluent_kafka import KafkaError, KafkaException

from deploy.stack import Endpoints
from schemas.registry import connected_codec
from tests.pipeline import set_up
from topologies import catalogue, reading

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_who_starts_while_kafka_is_coming_up_has_the_catalogue_when_it_is_there(
    stack: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(stack)
    refusals = [KafkaException(KafkaError(KafkaError.UNKNOWN_LEADER_EPOCH))] * 2

    def spans(kafka: str, topics: Iterable[str]) -> dict[reading.Place, reading.Span]:
        if refusals:
            raise refusals.pop()
        return reading.spans(kafka, topics)

    monkeypatch.setattr(catalogue, "spans", spans)
    monkeypatch.setattr(catalogue, "_LOAD_TIMEOUT_S", 15.0)
    prices = catalogue.Catalogue(stack.kafka, connected_codec(stack.registry))

    prices.start()  # raises CatalogueAway when it does not come

    prices.stop()
    assert not refusals
