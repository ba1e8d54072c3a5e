"""What an endpoint is told, how it is proved, when again, and where nothing goes."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from api.webhooks.events import EVENT_TYPES, body_of, message_id
from api.webhooks.guard import guarded_sockets, is_allowed, url_problem
from api.webhooks.routing import wants
from api.webhooks.schedule import GIVE_UP_MS, LAST_WAIT_MS, Outcome, outcome_of, wait_ms
from api.webhooks.signing import secret_of, signed_headers
from schemas.order import OrderPaid, OrderRefused, OrderShipped
from schemas.webhook import WebhookState, WebhookSubscribed

MASTER = b"k" * 32
PAID = OrderPaid("O1", 3, 7, 42, "CNY", 12_500, "O1-1", 1_764_000_000_123, "t" * 32)


def endpoint(**other: Any) -> WebhookSubscribed:
    said: dict[str, Any] = {
        "endpoint_id": "ep_1",
        "shop_id": 7,
        "url": "https://shop.example/hook",
        "event_types": (),
        "secret_no": 1,
        "previous_until_ms": 0,
        "state": WebhookState.ENABLED,
        "created_at_ms": 0,
    }
    return WebhookSubscribed(**{**said, **other})


# --- what is told --------------------------------------------------------------------------------


def test_the_body_is_the_fact_with_its_sequence_and_the_order_s_status() -> None:
    assert json.loads(body_of(PAID, 1_764_000_000_456)) == {
        "type": "order.paid",
        "timestamp": "2025-11-24T16:00:00.456Z",
        "data": {
            "order_no": "O1",
            "version": 3,
            "shop_id": 7,
            "user_id": 42,
            "currency": "CNY",
            "total_fen": 12_500,
            "pay_no": "O1-1",
            "paid_at_ms": 1_764_000_000_123,
            "trace_id": "t" * 32,
            "status": "PAID",
        },
    }


def test_every_change_of_an_order_has_a_type_and_a_refusal_has_none() -> None:
    assert {"order.placed", "order.payment_opened", "order.partly_shipped"} <= set(
        EVENT_TYPES.values()
    )
    assert len(set(EVENT_TYPES.values())) == len(EVENT_TYPES)
    assert OrderRefused not in EVENT_TYPES


def test_an_endpoint_is_told_what_it_asked_for_while_it_is_enabled() -> None:
    some = endpoint(event_types=("order.paid",))
    assert [wants(some, kind) for kind in (OrderPaid, OrderShipped)] == [True, False]
    assert [wants(endpoint(), kind) for kind in (OrderPaid, OrderRefused)] == [True, False]
    assert not wants(endpoint(state=WebhookState.GONE), OrderPaid)


# --- signatures ----------------------------------------------------------------------------------


def now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def test_a_receiver_s_library_believes_it_with_the_endpoint_s_secret_only() -> None:
    body = body_of(PAID, 0)
    headers = signed_headers(MASTER, endpoint(), message_id("O1", 3), body, now_ms())
    assert headers["webhook-id"] == "evt_O1_3"
    told = Webhook(secret_of(MASTER, "ep_1", 1)).verify(body, headers)
    assert told == json.loads(body)
    for wrong in (secret_of(MASTER, "ep_1", 2), secret_of(MASTER, "ep_2", 1)):
        with pytest.raises(WebhookVerificationError):
            Webhook(wrong).verify(body, headers)


def test_for_a_while_the_secret_before_signs_as_well() -> None:
    now, body = now_ms(), b"{}"
    changed = endpoint(secret_no=2, previous_until_ms=now + 1_000)
    both = signed_headers(MASTER, changed, "evt_O1_3", body, now)
    assert len(both["webhook-signature"].split(" ")) == 2
    for number in (1, 2):
        Webhook(secret_of(MASTER, "ep_1", number)).verify(body, both)
    later = signed_headers(MASTER, changed, "evt_O1_3", body, now + 1_000)
    Webhook(secret_of(MASTER, "ep_1", 2)).verify(body, later)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(MASTER, "ep_1", 1)).verify(body, later)


def test_a_secret_has_the_form_and_the_length_of_the_standard() -> None:
    secret = secret_of(MASTER, "ep_1", 1)
    assert secret.startswith("whsec_")
    assert len(Webhook(secret)._whsecret) == 32


# --- when again ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (301, Outcome.FAILED),
        (307, Outcome.FAILED),
        (400, Outcome.FAILED),
        (410, Outcome.GONE),
        (503, Outcome.FAILED),
        (None, Outcome.FAILED),
    ],
)
def test_only_2xx_is_success_and_410_is_goodbye(status: int | None, outcome: Outcome) -> None:
    assert outcome_of(status, 0) == outcome


def test_after_three_days_it_is_given_up() -> None:
    assert outcome_of(503, GIVE_UP_MS - 1) == Outcome.FAILED
    assert outcome_of(503, GIVE_UP_MS) == Outcome.GAVE_UP
    assert outcome_of(200, GIVE_UP_MS) == Outcome.DELIVERED


def test_waits_double_up_to_four_hours_and_three_days_hold_about_thirty_tries() -> None:
    waits = [wait_ms(attempt, 0.5) for attempt in range(1, 100)]
    assert waits[:4] == [1_000, 2_000, 4_000, 8_000]
    assert max(waits) == LAST_WAIT_MS
    tries, age_ms = 0, 0
    while age_ms < GIVE_UP_MS:
        age_ms += waits[tries]
        tries += 1
    assert 30 <= tries <= 34


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_luck_moves_a_wait_by_a_tenth_at_most(attempt: int, luck: float) -> None:
    middle = wait_ms(attempt, 0.5)
    assert 0.9 * middle - 1 <= wait_ms(attempt, luck) <= 1.1 * middle + 1


# --- where nothing goes --------------------------------------------------------------------------

INSIDE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
]


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_allowed_nor_connected_to(address: str) -> None:
    assert not is_allowed(ip_address(address), allows_local=False)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(PermissionError):
        guarded_sockets(False)((family, socket.SOCK_STREAM, 6, "", (address, 443)))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(ip_address(address), allows_local=False)


def test_a_setting_lets_this_machine_s_loopback_pass_and_nothing_else_inside() -> None:
    allowed = [address for address in INSIDE if is_allowed(ip_address(address), allows_local=True)]
    assert allowed == ["127.0.0.1", "::1", "::ffff:127.0.0.1", "2002:7f00:1::"]


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hook",
        "ftp://shop.example/",
        "https:///hook",
        "https://user:pw@shop.example/",
        "https://shop.example/#x",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://shop.example/ x",
        "https://shop.example:99999/",
        "https://exämple.com/",
        "https://x/" + "a" * 2_000,
        "",
    ],
)
def test_a_url_that_can_never_be_told_is_refused_at_once(url: str) -> None:
    assert url_problem(url, allows_local=False)


@pytest.mark.parametrize("url", ["https://shop.example/hook?a=b", "https://1.1.1.1:8443/"])
def test_other_urls_are_taken(url: str) -> None:
    assert url_problem(url, allows_local=False) == ""


def test_plain_http_is_for_this_machine() -> None:
    assert url_problem("http://127.0.0.1:8000/hook", allows_local=True) == ""
    assert url_problem("http://10.0.0.1/hook", allows_local=True)
