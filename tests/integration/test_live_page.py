"""The live page in a browser: figures tick, alerts come and go, a cut connection is resumed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from playwright.sync_api import Page, expect, sync_playwright

from api.auth import Scope
from deploy.process import free_ports
from deploy.programs import CHROMIUM
from deploy.stack import Endpoints
from schemas import alert, report
from schemas.order import OrderPlaced
from schemas.record import Record
from schemas.registry import connected_codec
from schemas.topics import (
    ALERT_EVENTS,
    ORDER_EVENTS,
    REPORT_FUNNEL,
    REPORT_SALES,
    REPORT_STOCK,
    REPORT_TOP_SKUS,
    Topic,
)
from tests.api import Api
from tests.integration.flow_worker import prepare

SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
SKU, TRACE = 100_001, "0af7651916cd43dd8448eb211c80319c"
_LIMIT_MS = 20_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class Flows:
    """Writes rows and alerts of one shop as the flows do."""

    def __init__(self, stack: Endpoints) -> None:
        self.shop = uuid.uuid4().int % 2**40
        self._codec = connected_codec(stack.registry)
        self._producer = Producer({"bootstrap.servers": stack.kafka, "linger.ms": 1})
        self._version = 0

    def sold(self, gmv_fen: int, orders: int) -> None:
        """Report an hour, its last minute and second, each with the same sales."""
        now_ms, standing = self._standing()
        for size_ms in (HOUR_MS, MINUTE_MS, SECOND_MS):
            start_ms = now_ms - now_ms % size_ms
            row = report.SalesWindow(
                self.shop,
                "CNY",
                size_ms,
                start_ms,
                orders,
                gmv_fen,
                orders,
                0,
                orders,
                gmv_fen,
                orders,
                0,
                0,
                0,
                0,
                0,
                0,
                *standing,
            )
            self._put(REPORT_SALES, f"{self.shop}/CNY/{size_ms}/{start_ms}", row)
        start_ms = now_ms - now_ms % MINUTE_MS
        step = report.StepTime(orders, 20, 20, 48)
        funnel = report.FunnelWindow(
            self.shop,
            "CNY",
            MINUTE_MS,
            start_ms,
            orders,
            orders,
            orders // 2,
            0,
            0,
            0,
            0,
            0,
            gmv_fen,
            0,
            10_000,
            5_000,
            0,
            0,
            step,
            step,
            step,
            step,
            *standing,
        )
        self._put(REPORT_FUNNEL, f"{self.shop}/CNY/{MINUTE_MS}/{start_ms}", funnel)
        start_ms = now_ms - now_ms % HOUR_MS
        best = (report.SkuSales(SKU, orders, gmv_fen),)
        top = report.TopSkusWindow(self.shop, "CNY", HOUR_MS, start_ms, 1, best, *standing)
        self._put(REPORT_TOP_SKUS, f"{self.shop}/CNY/{HOUR_MS}/{start_ms}", top)
        self._producer.flush(10)

    def moved(self, available: int) -> None:
        """Report the level of a sku."""
        now_ms, standing = self._standing()
        start_ms = now_ms - now_ms % MINUTE_MS
        row = report.StockWindow(
            self.shop,
            SKU,
            "east",
            MINUTE_MS,
            start_ms,
            self._version,
            available + 2,
            2,
            available,
            0,
            60,
            0,
            0,
            0,
            0,
            *standing,
        )
        self._put(REPORT_STOCK, f"{self.shop}/{SKU}/east/{MINUTE_MS}/{start_ms}", row)
        self._producer.flush(10)

    def raised(self) -> alert.AlertRaised:
        """Raise an alert about the sku."""
        raised = alert.AlertRaised(
            uuid.uuid4().hex,
            1,
            "low",
            alert.AlertKind.BELOW_THRESHOLD,
            alert.Severity.WARNING,
            self.shop,
            SKU,
            3,
            10,
            3,
            "3 units, fewer than 10",
            _now_ms(),
            "inventory.events",
            0,
            1,
            TRACE,
        )
        self._put(ALERT_EVENTS, f"{self.shop}/{SKU}", raised)
        self._producer.flush(10)
        return raised

    def cleared(self, over: alert.AlertRaised) -> None:
        """Clear an alert."""
        cleared = alert.AlertCleared(
            over.alert_id,
            2,
            over.rule_id,
            over.kind,
            over.severity,
            over.shop_id,
            SKU,
            50,
            10,
            50,
            "50 units",
            over.raised_at_ms,
            _now_ms(),
            TRACE,
        )
        self._put(ALERT_EVENTS, f"{self.shop}/{SKU}", cleared)
        self._producer.flush(10)

    def ordered(self) -> None:
        """Place an order that no report tells of."""
        placed = OrderPlaced(
            uuid.uuid4().hex,
            1,
            self.shop,
            7,
            "CNY",
            (),
            (),
            (),
            0,
            0,
            "",
            "standard",
            None,
            TRACE,
        )
        self._put(ORDER_EVENTS, placed.order_no, placed)
        self._producer.flush(10)

    def _standing(self) -> tuple[int, tuple[int, int, int, int, bool, tuple[()]]]:
        self._version += 1
        now_ms = _now_ms()
        return now_ms, (2 * self._version, self._version, now_ms, now_ms - 1_000, False, ())

    def _put(self, topic: Topic, key: str, record: Record) -> None:
        self._producer.produce(topic.name, self._codec.encode(record), key)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Server:
    """The API, at one port for good: it can be killed and started again."""

    def __init__(self, stack: Endpoints, home: Path) -> None:
        (self._port,) = free_ports(1)
        self._stack, self._home = stack, home
        self._api: Api | None = None

    def start(self) -> None:
        """Start it; the page comes to it by itself."""
        self._api = Api(self._stack, self._home, "--port", str(self._port))

    def kill(self) -> None:
        """Cut all connections without a word."""
        if self._api is not None:
            self._api.kill()

    def url(self, shop: int, scope: Scope = Scope.SHOP) -> str:
        """Return the page's address for whoever has a token."""
        assert self._api is not None
        self._api.wait_until_serving()
        token = self._api.issuer.token(shop, 7, [scope], hours=1)
        return f"{self._api.url}/live#token={token}"


@pytest.fixture(scope="module")
def server(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    prepare(stack)
    running = Server(stack, tmp_path_factory.mktemp("live"))
    running.start()
    yield running
    running.kill()


@pytest.fixture
def flows(stack: Endpoints, server: Server) -> Flows:
    return Flows(stack)


@pytest.fixture
def page() -> Iterator[Page]:
    """A browser's page; the test fails on anything that a script or the policy objects to."""
    executable = CHROMIUM.find()
    if executable is None:
        pytest.skip("there is no Chromium")
    expect.set_options(timeout=_LIMIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])
        opened = browser.new_page()
        opened.set_default_timeout(_LIMIT_MS)
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on(
            "console",
            lambda said: faults.append(said.text) if "Content Security" in said.text else None,
        )
        yield opened
        browser.close()
        assert faults == []


def test_figures_tick_while_somebody_looks(server: Server, flows: Flows, page: Page) -> None:
    flows.sold(gmv_fen=1_234_500, orders=40)
    flows.moved(available=77)
    page.goto(server.url(flows.shop))
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.locator("#scope")).to_have_text(f"Shop {flows.shop}")
    expect(page.locator("#gmv-hour")).to_have_text("¥12,345")
    expect(page.locator("#tile-paid .large")).to_have_text("40")
    expect(page.locator("#funnel-steps li[data-step=paid] .number")).to_have_text("20")
    expect(page.locator("#funnel-steps li[data-step=paid] .note")).to_have_text("50.0% of created")
    expect(page.locator("#top-list .number")).to_have_text("40")
    expect(page.locator("#stock-list .units")).to_have_text("77")
    expect(page.locator("#decision-figure")).to_have_text("48 ms")

    flows.sold(gmv_fen=2_000_000, orders=50)
    flows.moved(available=76)
    expect(page.locator("#gmv-hour")).to_have_text("¥20,000")
    expect(page.locator("#gmv-minute")).to_have_text("¥20,000.00")
    expect(page.locator("#funnel-steps li[data-step=paid] .number")).to_have_text("25")
    expect(page.locator("#top-list .number")).to_have_text("50")
    expect(page.locator("#stock-list .units")).to_have_text("76")
    assert page.locator(".gmv .fresh").inner_text().endswith(" ago")
    assert page.locator("#gmv-chart canvas").count() == 1


def test_an_alert_is_shown_until_it_has_recovered(server: Server, flows: Flows, page: Page) -> None:
    flows.moved(available=3)
    page.goto(server.url(flows.shop))
    expect(page.locator("#alerts-none")).to_be_visible()

    raised = flows.raised()
    expect(page.locator("#alerts-open .what")).to_have_text(f"Low · {SKU}")
    expect(page.locator("#alerts-count")).to_have_text("1")
    expect(page.locator("#stock-list li")).to_have_attribute("data-severity", "WARNING")

    flows.cleared(raised)
    expect(page.locator("#alerts-none")).to_be_visible()
    expect(page.locator("#alerts-cleared .what")).to_have_text(f"Low · {SKU}")
    expect(page.locator("#stock-list li")).to_have_attribute("data-severity", "")


def test_reports_that_stay_behind_the_orders_are_called_late(
    server: Server, flows: Flows, page: Page
) -> None:
    flows.sold(gmv_fen=100, orders=1)
    page.goto(server.url(flows.shop))
    expect(page.locator("#state")).to_have_text("Live")
    flows.ordered()
    expect(page.locator("#state")).to_have_text("Late")
    expect(page.locator("#notice")).to_contain_text("behind the orders")
    expect(page.locator(".gmv .fresh")).to_contain_text("behind")

    flows.sold(gmv_fen=200, orders=2)
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.locator("#notice")).to_be_hidden()


def test_a_page_that_lost_its_connection_says_so_and_comes_back(
    server: Server, flows: Flows, page: Page
) -> None:
    flows.sold(gmv_fen=100_000, orders=1)
    page.goto(server.url(flows.shop))
    expect(page.locator("#gmv-hour")).to_have_text("¥1,000")

    server.kill()
    expect(page.locator("#notice")).to_contain_text("the figures stand still")
    expect(page.locator(".gmv .fresh")).to_contain_text("as of")
    expect(page.locator("#gmv-hour")).to_have_text("¥1,000")

    flows.sold(gmv_fen=300_000, orders=3)
    server.start()
    expect(page.locator("#state")).to_have_text("Live", timeout=60_000)
    expect(page.locator("#gmv-hour")).to_have_text("¥3,000")


def test_a_customer_sees_no_figures(server: Server, flows: Flows, page: Page) -> None:
    page.goto(server.url(flows.shop, Scope.CUSTOMER))
    expect(page.locator("#sign-in-problem")).to_contain_text("neither the scope shop nor operator")
    expect(page.locator("#wall")).to_be_hidden()
