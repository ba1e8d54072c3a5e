"""From a fact to people: the flow of alerts, the log, the delivery, a receiver that was away."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from deploy.stack import Endpoints
from schemas import inventory
from schemas.registry import connected_codec
from schemas.topics import ALERT_EVENTS, Kind, Topic
from streams.engine.flow_fold import changelog_of
from tests.integration.flow_worker import prepare, reading
from tests.kafka import end_offsets
from tests.pipeline import Process
from topologies.topics import create

TRACE = "0af7651916cd43dd8448eb211c80319c"
_LIMIT_S = 60.0


class _Receiver(ThreadingHTTPServer):
    """Takes alerts; the first request finds it away."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: queue.Queue[Any] = queue.Queue()
        self.is_away = True


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 503 if self.server.is_away else 200
        if self.server.is_away:
            self.server.is_away = False
        else:
            self.server.got.put(body["data"])
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name upstream
        return None


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    with _Receiver() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def source(stack: Endpoints) -> Iterator[str]:
    """A topic of stock facts whose alerts a flow writes to alert.events."""
    prepare(stack)
    prefix = f"flow-{uuid.uuid4().hex[:8]}"
    name = f"{prefix}.events"
    kept = changelog_of(reading("alerts", name), prefix)
    create(stack.kafka, (Topic(name, Kind.EVENTS, "sku_id", ()), kept), partitions=2, replication=1)
    wanted = {
        "kafka": stack.kafka,
        "registry": stack.registry,
        "flow": "alerts",
        "source": name,
        "prefix": prefix,
    }
    command = [sys.executable, "-m", "tests.integration.flow_worker", json.dumps(wanted)]
    process = subprocess.Popen(command)
    yield name
    process.terminate()
    assert process.wait(30) == 0


def _adjusted(shop: int, version: int, on_hand: int) -> inventory.StockAdjusted:
    return inventory.StockAdjusted(7, "east", version, shop, "", "", on_hand, 0, 0, 0, TRACE)


def test_an_alert_reaches_a_receiver_that_was_away_at_first(
    stack: Endpoints, source: str, receiver: _Receiver, tmp_path: Path
) -> None:
    shop = uuid.uuid4().int % 2**40
    codec, group = connected_codec(stack.registry), f"delivery-{uuid.uuid4().hex[:8]}"
    file = tmp_path / "receivers.yaml"
    url = f"http://127.0.0.1:{receiver.server_address[1]}/"
    file.write_text(f"receivers: [{{name: test, url: '{url}'}}]")
    command = ("alerts", "deliver", "--receivers", str(file), "--group", group)
    producer = Producer({"bootstrap.servers": stack.kafka})
    before = sum(end_offsets(stack.kafka, ALERT_EVENTS.name).values())
    with Process(stack, *command):
        for version, on_hand in enumerate((50, 3, -2, 60), 1):
            producer.produce(source, codec.encode(_adjusted(shop, version, on_hand)), b"7")
            producer.flush(10)
        got: list[tuple[str, int]] = []
        deadline_s = time.monotonic() + _LIMIT_S
        while len(got) < 4:
            alert = receiver.got.get(timeout=deadline_s - time.monotonic())
            if alert["shop_id"] == shop:
                got.append((alert["rule_id"], alert["version"]))
    assert sorted(got) == [("low", 1), ("low", 2), ("oversold", 1), ("oversold", 2)]
    assert sum(end_offsets(stack.kafka, ALERT_EVENTS.name).values()) >= before + 4
