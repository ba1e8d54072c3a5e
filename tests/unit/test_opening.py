"""The way into a new stack: a link that lets a person in, and goods to see there."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.auth import Scope
from api.issuer import authenticator
from api.settings import ApiSettings
from topologies.load.catalogue import make_catalogue
from topologies.opening import BUYER, SHOP, USUAL_PORT, entrance, usual_port

URL = "http://127.0.0.1:8080"


def test_the_link_of_the_shop_lets_a_customer_in_and_keeps_the_token_in_its_fragment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERSTREAM_API_JWKS", raising=False)
    link = urlsplit(entrance(URL, tmp_path).shop)

    name, _, token = link.fragment.partition("=")
    assert (link.path, link.query, name) == ("/shop", "", "token")
    who = asyncio.run(authenticator(ApiSettings(), tmp_path).verify(token))
    assert (who.shop_id, who.user_id, who.scopes) == (SHOP, BUYER, frozenset({Scope.CUSTOMER}))


def test_the_link_of_the_live_page_shows_the_shop_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERSTREAM_API_JWKS", raising=False)
    link = urlsplit(entrance(URL, tmp_path).live)

    name, _, token = link.fragment.partition("=")
    assert (link.path, link.query, name) == ("/live", "", "token")
    who = asyncio.run(authenticator(ApiSettings(), tmp_path).verify(token))
    assert (who.shop_id, who.scopes) == (SHOP, frozenset({Scope.SHOP}))


def test_an_api_of_another_issuer_is_entered_with_a_token_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERSTREAM_API_JWKS", "https://issuer.example/jwks.json")
    way = entrance(URL, tmp_path)
    assert (way.shop, way.token) == (f"{URL}/shop", None)


def test_a_port_that_somebody_has_is_left_to_them() -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            pass  # somebody has it indeed
        else:
            taken.listen()
        assert usual_port() != USUAL_PORT


def test_the_goods_of_a_shop_are_told_apart_by_their_titles() -> None:
    titles = [listing.title for listing in make_catalogue(380, 1, seed=1).listings()]
    assert len(set(titles)) == 380
