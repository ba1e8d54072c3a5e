"""The shop page's files, and what is on sale in it."""

from __future__ import annotations

import re

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from api.app import build
from api.shop import PAGE
from tests.unit.api.facts import PRICE_FEN, SHOP, SKU
from tests.unit.api.parts import services

TOKEN = {"authorization": "Bearer anybody"}


@pytest.fixture(scope="module")
def client() -> TestClient[Litestar]:
    return TestClient(build(services()))  # not started: nothing here asks a server


def test_the_page_runs_nothing_but_its_own_files(client: TestClient[Litestar]) -> None:
    answer = client.get("/shop")

    policy = dict(
        rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert not re.search(r"<script>|<style|style=|\son\w+=|https?://", answer.text)


def test_a_browser_keeps_the_files_of_a_version_and_asks_for_the_page(
    client: TestClient[Litestar],
) -> None:
    shown = client.get("/shop")
    assert shown.headers["cache-control"] == "no-cache"
    again = client.get("/shop", headers={"if-none-match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")

    for path in re.findall(r'(?:href|src)="(shop/[^"]+)"', shown.text):
        asset = client.get(f"/{path}")
        assert asset.status_code == 200, path
        assert "immutable" in asset.headers["cache-control"], path
    old = client.get("/shop/000000000000/app.js")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")


def test_every_module_that_a_file_imports_is_served() -> None:
    assets = PAGE.assets
    for name, content in assets.items():
        for wanted in re.findall(r'from "\./([^"]+)"', content.decode()):
            assert wanted in assets, f"{name} imports {wanted}"


@pytest.mark.parametrize("name", ["index.html", "..%2fapp.py", "nothing.js"])
def test_no_other_file_is_served(client: TestClient[Litestar], name: str) -> None:
    assert client.get(f"/shop/{PAGE.version}/{name}").status_code == 404


def test_what_is_on_sale_comes_in_pages_in_the_order_of_the_skus(
    client: TestClient[Litestar],
) -> None:
    first = client.get("/api/v2/skus?limit=2", headers=TOKEN).json()
    assert first["skus"][0] == {
        "sku_id": SKU,
        "title": f"Sku {SKU}",
        "price_fen": PRICE_FEN,
        "currency": "CNY",
        "available": None,
    }
    rest = client.get(f"/api/v2/skus?cursor={first['next_cursor']}", headers=TOKEN).json()
    assert [one["sku_id"] for one in first["skus"] + rest["skus"]] == [SKU, SKU + 1, SKU + 2]
    assert rest["next_cursor"] is None


def test_another_shops_goods_are_not_shown(client: TestClient[Litestar]) -> None:
    assert client.get(f"/api/v2/skus?shop={SHOP + 1}", headers=TOKEN).status_code in (403, 404)
