"""Sockets on a real server: who gets in, what is sent, and how each ends."""

from __future__ import annotations

import asyncio
import logging
import socket

import httpx
import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from api.auth import Principal, Scope
from api.push import protocol
from api.push.websocket import AWAY, MISUSE, TOKEN_ENDED, TOO_SLOW, Limits
from tests.unit.api.push.server import Site, closed, customer, heard, serving, steps
from tests.unit.api.push.shop import BUYER, NO, SHOP, Log, life

STRANGER = BUYER + 1


async def refusal(site: Site, query: str, origin: str | None = None) -> tuple[int, str]:
    """Return status and code of the problem that answers a handshake."""
    with pytest.raises(InvalidStatus) as refused:
        await site.connect(query, origin=origin)
    response = refused.value.response
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, msgspec.json.decode(response.body or b"")["code"]


def test_a_client_hears_of_its_orders_as_they_move_and_of_no_others() -> None:
    async def check() -> None:
        async with serving() as site:
            mine, others = await site.open(customer()), await site.open(customer(STRANGER))
            site.log.happen(*life()[:3])
            site.log.happen(*life("OTHER", STRANGER)[:1])
            assert await steps(mine, 3) == [(NO, 1), (NO, 2), (NO, 3)]
            assert await steps(others, 1) == [("OTHER", 1)]

    asyncio.run(check())


def test_a_shop_hears_of_its_orders_and_an_operator_of_every_shops() -> None:
    async def check() -> None:
        async with serving() as site:
            shop = Principal(SHOP, 0, frozenset({Scope.SHOP}), "desk", 2e9)
            operator = Principal(0, 0, frozenset({Scope.OPERATOR}), "mei", 2e9)
            of_shop, of_all = await site.open(shop), await site.open(operator)
            site.log.happen(life()[0], life("FAR", shop_id=SHOP + 1)[0], life("NEAR", STRANGER)[0])
            assert await steps(of_shop, 2) == [(NO, 1), ("NEAR", 1)]
            assert await steps(of_all, 3) == [(NO, 1), ("FAR", 1), ("NEAR", 1)]

    asyncio.run(check())


def test_a_client_whose_process_died_goes_on_at_another() -> None:
    async def check() -> None:
        first, second, story = Log(), Log(), life()
        async with serving(first) as site:
            before = await site.open(customer())
            first.happen(*story[:2])
            assert await steps(before, 2) == [(NO, 1), (NO, 2)]
        second.happen(*story[:5])
        async with serving(second) as site:
            after = await site.open(customer(), "&resume=1")
            second.happen(story[5])  # before the client said what it saw: it waits its turn
            await after.send(msgspec.json.encode({"resume": {NO: 2}}).decode())
            assert await steps(after, 4) == [(NO, 3), (NO, 4), (NO, 5), (NO, 6)]
            assert await heard(after) == {"event": "resumed", "data": {"messages": 4}}
            second.happen(story[6])
            assert await steps(after, 1) == [(NO, 7)]

    asyncio.run(check())


def test_what_cannot_be_read_now_ends_the_socket_instead_of_leaving_a_hole() -> None:
    async def check() -> None:
        async with serving() as site:
            site.log.is_away = True
            opened = await site.open(customer(), "&resume=1")
            await opened.send('{"resume":{"A":1}}')
            assert await closed(opened) == AWAY

    asyncio.run(check())


def test_a_ticket_opens_one_socket() -> None:
    async def check() -> None:
        async with serving(tokens={"t0": customer()}) as site, httpx.AsyncClient() as http:
            url = f"http://127.0.0.1:{site.port}/ws/tickets"
            assert (await http.post(url)).status_code == 401
            given = await http.post(url, headers={"authorization": "Bearer t0"})
            assert given.status_code == 201
            query = given.json()["path"].removeprefix("/ws/state")
            assert query == f"?ticket={given.json()['ticket']}"
            await site.connect(query)
            assert await refusal(site, query) == (401, "UNAUTHENTICATED")

    asyncio.run(check())


def test_without_a_good_ticket_nobody_gets_in() -> None:
    async def check() -> None:
        async with serving(tokens={"t0": customer()}) as site:
            over = await site.sockets.tickets.issue(customer(life_s=-1))
            for query in ("", "?ticket=", "?ticket=guess", "?token=t0", f"?ticket={over}"):
                assert await refusal(site, query) == (401, "UNAUTHENTICATED")

    asyncio.run(check())


def test_no_ticket_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def check() -> None:
        async with serving() as site:
            ticket = await site.sockets.tickets.issue(customer())
            await site.connect(f"?ticket={ticket}")
            await refusal(site, f"?ticket={ticket}")
        server = [each for each in caplog.records if not each.name.startswith("websockets")]
        assert server
        assert ticket not in str([each.getMessage() for each in server])
        assert max(each.levelno for each in server) < logging.WARNING

    asyncio.run(check())


def test_a_token_in_the_url_is_taken_where_it_is_allowed() -> None:
    async def check() -> None:
        limits = Limits(takes_token_in_url=True)
        async with serving(limits=limits, tokens={"t0": customer()}) as site:
            opened = await site.connect("?token=t0")
            assert (await heard(opened))["event"] == "ready"
            assert await refusal(site, "?token=t1") == (401, "UNAUTHENTICATED")

    asyncio.run(check())


def test_pages_of_other_origins_open_no_socket() -> None:
    async def check() -> None:
        async with serving(limits=Limits(origins=("https://shop.example",))) as site:
            own = f"http://127.0.0.1:{site.port}"
            for origin in (own, "https://shop.example"):
                await site.open(customer(), origin=origin)
            ticket = await site.sockets.tickets.issue(customer())
            for origin in ("https://evil.example", "null"):
                found = await refusal(site, f"?ticket={ticket}", origin)
                assert found == (403, "FORBIDDEN")
            await site.connect(f"?ticket={ticket}")  # a refused origin does not use a ticket up

    asyncio.run(check())


def test_a_socket_ends_with_its_token() -> None:
    async def check() -> None:
        async with serving() as site:
            opened = await site.open(customer(life_s=0.3))
            assert await closed(opened) == TOKEN_ENDED

    asyncio.run(check())


def test_a_user_has_so_many_sockets_and_no_more() -> None:
    async def check() -> None:
        async with serving(limits=Limits(sockets_per_user=2)) as site:
            first, _ = [await site.open(customer()) for _ in range(2)]
            ticket = await site.sockets.tickets.issue(customer())
            assert await refusal(site, f"?ticket={ticket}") == (429, "RATE_LIMITED")
            await site.open(customer(STRANGER))
            await first.close()
            await asyncio.sleep(0.1)
            await site.open(customer())

    asyncio.run(check())


def test_the_heart_beats() -> None:
    async def check() -> None:
        async with serving(limits=Limits(heartbeat_s=0.05)) as site:
            opened = await site.open(customer())
            assert await heard(opened) == {"event": "heartbeat", "data": {"interval_s": 0.05}}

    asyncio.run(check())


@pytest.mark.parametrize(
    "said",
    [
        '{"resume":{}}',  # it was not announced
        "hello",
        b"\x00",
    ],
)
def test_who_speaks_without_being_asked_is_shown_out(said: str | bytes) -> None:
    async def check() -> None:
        async with serving() as site:
            opened = await site.open(customer())
            await opened.send(said)
            assert await closed(opened) == MISUSE

    asyncio.run(check())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("{", MISUSE),
        ('{"resume":{"A":-1}}', MISUSE),
        ('{"resume":{"A":1},"more":1}', MISUSE),
        (msgspec.json.encode({"resume": {str(n): 1 for n in range(501)}}).decode(), MISUSE),
        ("x" * (protocol.MESSAGE_BYTES + 1), 1009),
    ],
    ids=["no JSON", "a negative seq", "an unknown field", "too many orders", "too long"],
)
def test_a_resume_that_is_none_ends_the_socket(said: str, code: int) -> None:
    async def check() -> None:
        async with serving() as site:
            opened = await site.open(customer(), "&resume=1")
            await opened.send(said)
            assert await closed(opened) == code

    asyncio.run(check())


def test_a_slow_client_is_dropped_and_the_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "CLOSE_LIMIT_S", 0.5)

    async def check() -> None:
        async with serving(Log(capacity=50)) as site:
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", site.port))
            raw.setblocking(False)
            quick = await site.open(customer())
            slow = await site.open(customer(), sock=raw, max_queue=1)
            sent = 0
            while not site.log.metrics.dropped._value.get():
                story = life(f"{sent:016}")[:3]
                site.log.happen(*story)
                assert len(await steps(quick, 3)) == 3
                sent += 3
                assert sent < 100_000, "nobody was dropped"
            assert await closed(slow) in (TOO_SLOW, 1006)  # it is cut off if it does not read
            site.log.happen(life("LAST")[0])
            assert await steps(quick, 1) == [("LAST", 1)]
            while site.log.metrics.sockets._value.get() > 1:
                await asyncio.sleep(0.01)
            assert site.log.metrics.closed.labels(str(TOO_SLOW))._value.get() == 1

    asyncio.run(check())
