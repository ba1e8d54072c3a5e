"""The shop page in a real browser, on a real pipeline."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from api.auth import Scope
from deploy.programs import CHROMIUM
from deploy.stack import Endpoints
from schemas.registry import connected_codec
from tests.api import Api, Client
from tests.pipeline import Process, Worker, set_up
from tests.proxy import Proxy
from topologies.load.catalogue import Catalogue, Sku
from topologies.load.clients import Where, run_name
from topologies.load.stocking import bring_stock, list_skus

SHOP, BUYER = 9_301, 93
MUG, LAMP = 930_001, 930_002
MUG_FEN = 1_990
LIMIT_MS = 20_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM.find() is None, reason="no Chromium on this machine"),
]


@dataclass
class Shop:
    """A shop that is open; the browser reaches its API over a wire that can be cut."""

    api: Api
    wire: Proxy
    buyer: Client
    operator: Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.wire.port}/shop"

    @property
    def token(self) -> str:
        return self.api.issuer.token(SHOP, BUYER, [Scope.CUSTOMER], hours=1)


@pytest.fixture(scope="module")
def shop(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    set_up(stack)
    where = Where(stack.kafka, connected_codec(stack.registry))
    goods = Catalogue(
        SHOP,
        (
            Sku(MUG, MUG_FEN, 500, ("east",), "Stoneware mug"),
            Sku(LAMP, 25_900, 1, ("east",), "Brass lamp"),
        ),
    )
    list_skus(where, goods)
    home = tmp_path_factory.mktemp("shop")
    with (
        Worker(stack) as worker,
        Process(stack, "gateway") as gateway,
        Process(stack, "sink", "redis") as sink,
        Api(stack, home) as api,
    ):
        worker.wait_until("assigned")
        bring_stock(where, goods, run_name())
        api.wait_until_serving()
        while not (gateway.events("assigned") and sink.events("assigned")):
            time.sleep(0.1)
        at = urlsplit(api.url)
        assert at.hostname is not None
        assert at.port is not None
        with Proxy(at.hostname, at.port) as wire:
            operator = api.client(SHOP, 0, [Scope.OPERATOR])
            yield Shop(api, wire, api.client(SHOP, BUYER), operator)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=CHROMIUM.find(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, shop: Shop) -> Iterator[Page]:
    """A tab of a person who followed the link that `orderstream up` prints."""
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(LIMIT_MS)
    expect.set_options(timeout=LIMIT_MS)
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda said: faults.append(said.text) if "Policy" in said.text else None)
    tab.goto(f"{shop.url}#token={shop.token}")
    expect(tab.locator("#live")).to_have_text("Live")
    yield tab
    context.close()
    assert not faults


def order(page: Page, title: str = "Stoneware mug", units: int = 1) -> str:
    """Order units of a good; return the number of the order that the page then shows."""
    page.get_by_role("link", name="orderstream").click()
    page.locator("#goods-view").get_by_label(f"Units of {title}").fill(str(units))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Place order").click()
    page.wait_for_url(re.compile("#order/"))
    return page.url.rpartition("/")[2]


def title_is(page: Page, text: str) -> None:
    expect(page.locator("#order-title")).to_have_text(text)


def timeline(page: Page) -> list[str]:
    found = page.locator("#timeline li").evaluate_all("all => all.map(one => one.dataset.fact)")
    return [str(fact) for fact in found]


def test_a_person_orders_pays_and_sees_it_come_to_its_end(page: Page, shop: Shop) -> None:
    page.get_by_role("button", name="One Stoneware mug more").first.click(click_count=2)
    expect(page.locator("#cart-total")).to_have_text("¥39.80")
    number = order(page, units=2)

    title_is(page, "Waiting for payment待支付")
    page.get_by_role("radio", name="Pay at once").check()
    page.get_by_role("button", name="Pay ¥39.80").click()
    title_is(page, "Preparing待发货")
    shop.operator.post(f"/intents/orders/{number}/ship", {"waybill_no": f"SF-{number}"})
    title_is(page, "Shipped已发货")
    page.get_by_role("button", name="I have received it").click()
    title_is(page, "Completed已完成")
    expect(page.locator("#timeline li")).to_have_count(7)
    assert timeline(page) == [
        "OrderPlaced",
        "OrderCreated",
        "OrderPaymentOpened",
        "OrderPaid",
        "OrderConfirmed",
        "OrderShipped",
        "OrderCompleted",
    ]
    expect(page.locator("#orders-list")).to_contain_text(number)


def test_what_is_not_in_stock_is_refused_in_words(page: Page) -> None:
    page.locator("#goods-view").get_by_label("Units of Brass lamp").fill("3")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Place order").click()

    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("Not everything is in stock, so nothing was ordered.")
    expect(problem).to_contain_text("Brass lamp: only 1 left, you asked for 3.")
    expect(problem).to_contain_text("INVENTORY_SHORTAGE")
    expect(page.locator("#orders-list")).to_contain_text("Rejected已拒绝")
    assert "#order" not in page.url


def test_a_lost_connection_comes_back_by_itself_and_nothing_is_missed(
    page: Page, shop: Shop
) -> None:
    number = order(page)
    title_is(page, "Waiting for payment待支付")

    shop.wire.cut()
    expect(page.locator("#live")).to_have_text("Reconnecting")
    assert shop.buyer.post(f"/orders/{number}/payments", {"channel": "sim"}).status_code == 201
    until(shop.buyer, number, "FULFILLING")
    title_is(page, "Waiting for payment待支付")
    shop.wire.mend()

    expect(page.locator("#live")).to_have_text("Live")
    title_is(page, "Preparing待发货")
    expect(page.locator("#timeline li")).to_have_count(5)
    assert timeline(page)[-3:] == ["OrderPaymentOpened", "OrderPaid", "OrderConfirmed"]


def test_an_order_that_met_a_lost_connection_is_placed_once(page: Page, shop: Shop) -> None:
    before = len(shop.buyer.get("/orders?limit=100").json()["orders"])
    page.locator("#goods-view").get_by_label("Units of Stoneware mug").fill("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Place order")).to_be_enabled()
    page.route("**/api/v2/orders", answer_is_lost)

    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_role("alert")).to_contain_text("The shop cannot be reached")
    page.unroute("**/api/v2/orders")
    page.get_by_role("button", name="Place order").click()
    title_is(page, "Waiting for payment待支付")

    assert len(shop.buyer.get("/orders?limit=100").json()["orders"]) == before + 1


def test_an_order_is_cancelled_and_another_refunded(page: Page) -> None:
    order(page)
    page.get_by_role("button", name="Cancel order").click()
    title_is(page, "Cancelled已取消")

    order(page, units=2)
    page.get_by_role("button", name="Pay ¥39.80").click()
    title_is(page, "Preparing待发货")
    page.get_by_role("button", name="Ask for a refund").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("spinbutton").fill("1")
    dialog.get_by_role("button", name="Ask for the refund").click()
    title_is(page, "Partly refunded部分退款")
    expect(page.locator("#order-sums")).to_contain_text("Given back¥19.90")


def test_who_comes_without_a_token_is_asked_for_one(browser: Browser, shop: Shop) -> None:
    page = browser.new_page()
    page.goto(shop.url)
    page.get_by_label("Token").fill("nonsense")
    page.get_by_role("button", name="Go shopping").click()
    expect(page.get_by_role("alert")).to_contain_text("The API does not take this token")

    page.get_by_label("Token").fill(shop.token)
    page.get_by_role("button", name="Go shopping").click()
    expect(page.get_by_role("heading", name="Goods")).to_be_visible()
    expect(page.get_by_text(f"Buyer {BUYER} in shop {SHOP}")).to_be_visible()
    page.close()


def test_the_token_of_the_link_leaves_the_address(page: Page, shop: Shop) -> None:
    assert page.url == shop.url
    page.reload()
    expect(page.locator("#live")).to_have_text("Live")


def answer_is_lost(route: Route) -> None:
    """Let a request reach the API, and its answer nobody."""
    route.fetch()
    route.abort()


def until(buyer: Client, order_no: str, status: str) -> None:
    deadline_s = time.monotonic() + LIMIT_MS / 1000
    while (found := buyer.get(f"/orders/{order_no}").json())["status"] != status:
        assert time.monotonic() < deadline_s, found
        time.sleep(0.02)
