"""What is posted to whom: the words of each receiver, and a real server that takes them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from schemas.alert import AlertCleared, AlertKind, AlertRaised, Severity
from schemas.errors import Retryable
from topologies.alert_delivery import Delivery
from topologies.alert_receivers import (
    Format,
    InvalidReceivers,
    Receiver,
    read_receivers,
    requests,
)

AT_MS = 1_789_999_200_000  # 2026-09-21T14:00:00Z
RAISED = AlertRaised(
    f"low-1-7-{AT_MS}",
    1,
    "low",
    AlertKind.BELOW_THRESHOLD,
    Severity.WARNING,
    1,
    7,
    9,
    10,
    9,
    "9 available, fewer than 10",
    AT_MS,
    "inventory.events",
    0,
    1,
    "",
)
CLEARED = AlertCleared(
    RAISED.alert_id,
    2,
    "low",
    AlertKind.BELOW_THRESHOLD,
    Severity.WARNING,
    1,
    7,
    30,
    10,
    30,
    "30 available, fewer than 10",
    AT_MS,
    AT_MS + 5_000,
    "",
)


def posted(receiver: Receiver, alert: AlertRaised | AlertCleared = RAISED) -> Any:
    (request,) = requests(receiver, alert, AT_MS)
    return request.body


def of(format_: Format, **more: Any) -> Receiver:
    return Receiver(name="r", url="http://there/hook", format=format_, **more)


def test_alertmanager_gets_labels_that_stay_and_an_end_when_it_is_over() -> None:
    labels = {
        "alertname": "low",
        "kind": "below_threshold",
        "severity": "warning",
        "shop_id": "1",
        "sku_id": "7",
    }
    (raised,) = posted(of(Format.ALERTMANAGER))
    (cleared,) = posted(of(Format.ALERTMANAGER), CLEARED)
    assert raised["labels"] == cleared["labels"] == labels
    assert raised["startsAt"] == cleared["startsAt"] == "2026-09-21T14:00:00.000+00:00"
    assert "endsAt" not in raised
    assert cleared["endsAt"] == "2026-09-21T14:00:05.000+00:00"
    assert raised["annotations"]["summary"] == RAISED.summary


def test_dingtalk_gets_markdown_and_a_signature() -> None:
    (request,) = requests(of(Format.DINGTALK, secret="SEC"), RAISED, AT_MS)
    assert request.body["msgtype"] == "markdown"
    assert "9 available" in request.body["markdown"]["text"]
    told = parse_qs(urlsplit(request.url).query)
    digest = hmac.new(b"SEC", f"{AT_MS}\nSEC".encode(), hashlib.sha256).digest()
    assert told == {"timestamp": [str(AT_MS)], "sign": [base64.b64encode(digest).decode()]}


def test_wecom_gets_markdown() -> None:
    body = posted(of(Format.WECOM), CLEARED)
    assert body["msgtype"] == "markdown"
    assert "[WARNING cleared] low: sku 7, shop 1" in body["markdown"]["content"]


def test_an_sms_goes_to_every_phone() -> None:
    sent = requests(of(Format.SMS, phones=("1", "2")), RAISED, AT_MS)
    assert [one.body["phone"] for one in sent] == ["1", "2"]
    assert "9 available" in sent[0].body["text"]


def test_a_template_is_filled_in_everywhere_and_braces_of_others_stay() -> None:
    body = {"to": ["{severity}"], "text": "{state} {sku_id}: {summary} {other}", "n": 3}
    assert posted(of(Format.TEMPLATE, body=body)) == {
        "to": ["WARNING"],
        "text": "raised 7: 9 available, fewer than 10 {other}",
        "n": 3,
    }


def test_an_event_is_the_fact_itself() -> None:
    body = posted(of(Format.EVENT))
    assert body["type"] == "orderstream.alert.AlertRaised"
    assert (body["data"]["alert_id"], body["data"]["value"]) == (RAISED.alert_id, 9)


def test_a_receiver_is_told_from_its_least_severity_on() -> None:
    wants = [
        Receiver(name="r", url="http://there", least=least).wants(RAISED) for least in Severity
    ]
    assert wants == [True, True, False]


@pytest.mark.parametrize(
    "text",
    [
        "receivers: [{name: a, url: 'ftp://x'}]",
        "receivers: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]",
        "receivers: [{name: a, url: 'http://x', format: pigeon}]",
        "receivers: [{name: a, url: 'http://x', format: template}]",
        "receivers: [{name: a, url: 'http://x', colour: red}]",
        "people: []",
        "[",
    ],
)
def test_receivers_that_make_no_sense_are_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "receivers.yaml"
    file.write_text(text)
    with pytest.raises(InvalidReceivers):
        read_receivers(file)


class _Server(ThreadingHTTPServer):
    """A receiver that answers what it is told to and remembers what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, str, Any]] = []
        self.answers: dict[str, list[tuple[int, bytes]]] = {}


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append((self.path, self.headers["Idempotency-Key"], body))
        waiting = self.server.answers.get(self.path, [])
        status, content = waiting.pop(0) if waiting else (200, b"{}")
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name upstream
        return None


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _tell(server: _Server, *paths: str, tries: int = 1) -> list[bool]:
    """Tell receivers at ``paths`` of an alert, ``tries`` times; return which tries succeeded."""
    port = server.server_address[1]
    receivers = [Receiver(name=path, url=f"http://127.0.0.1:{port}{path}") for path in paths]

    async def run() -> list[bool]:
        done = []
        async with httpx2.AsyncClient(trust_env=False) as client:
            delivery = Delivery(receivers, client)
            for _ in range(tries):
                try:
                    await delivery.tell(RAISED, lambda _: None)
                except Retryable:
                    done.append(False)
                else:
                    done.append(True)
        return done

    return asyncio.run(run())


def test_every_receiver_is_told(server: _Server) -> None:
    assert _tell(server, "/a", "/b") == [True]
    assert sorted(path for path, _, _ in server.got) == ["/a", "/b"]
    assert {key for _, key, _ in server.got} == {f"{RAISED.alert_id}-1"}


def test_one_that_is_away_is_told_again_and_the_others_are_not(server: _Server) -> None:
    server.answers["/b"] = [(503, b""), (429, b"")]
    assert _tell(server, "/a", "/b", tries=3) == [False, False, True]
    assert sorted(path for path, _, _ in server.got) == ["/a", "/b", "/b", "/b"]


def test_one_that_refuses_holds_nothing_up(server: _Server) -> None:
    server.answers["/a"] = [(400, b"no")]
    assert _tell(server, "/a", "/b") == [True]


def test_one_that_nobody_runs_is_away() -> None:
    receiver = Receiver(name="gone", url="http://127.0.0.1:9/hook")

    async def run() -> None:
        async with httpx2.AsyncClient(trust_env=False) as client:
            await Delivery([receiver], client).tell(RAISED, lambda _: None)

    with pytest.raises(Retryable, match="gone"):
        asyncio.run(run())
