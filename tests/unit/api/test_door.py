"""The front door as a whole: guards, limits and headers in a small application on the framework."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from litestar import Litestar, MediaType, Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.testing import TestClient

from api.auth import Principal, Scope, asker, guard
from api.headers import cors, harden
from api.issuer import DevelopmentIssuer, authenticator
from api.limits import OWN_LIMITS, Limits, limited, policies
from api.problems import Refused, body_of, status_of
from api.settings import ApiSettings

SECRET = "s3cret-of-redis"
DEAD_REDIS = f"redis://user:{SECRET}@127.0.0.1:1/0"


@get("/me")
async def me(principal: Principal) -> dict[str, Any]:
    return {"shop": principal.shop_id, "user": principal.user_id}


@get("/rebuild", guards=[guard(Scope.OPERATOR)])
async def rebuild(principal: Principal) -> str:
    return principal.subject


@post("/orders", opt=OWN_LIMITS)
async def place(data: dict[str, Any]) -> dict[str, Any]:
    return data


@get("/open", opt={"public": True})
async def opened() -> str:
    return "open to all"


@get("/page", media_type=MediaType.HTML, opt={"public": True})
async def page() -> str:
    return "<p>a page</p>"


@get("/asset", opt={"public": True})
async def asset() -> Response[str]:
    return Response("body", headers={"cache-control": "max-age=3600"})


def refused(_: Request[Any, Any, Any], error: Refused) -> Response[dict[str, Any]]:
    body = body_of(error, "")
    return Response(body, status_code=status_of(error.code), headers=error.headers)


@pytest.fixture
def settings() -> ApiSettings:
    return ApiSettings(read_rate="3/3600", cors_origins="https://shop.example")


@pytest.fixture
def issuer(tmp_path: Path) -> DevelopmentIssuer:
    return DevelopmentIssuer(tmp_path)


@pytest.fixture
def client(settings: ApiSettings, tmp_path: Path) -> Iterator[TestClient[Litestar]]:
    services = SimpleNamespace(
        authenticator=authenticator(settings, tmp_path),
        limits=Limits(DEAD_REDIS, policies(settings)),
    )
    app = Litestar(
        [
            Router(
                "/api/v2",
                route_handlers=[me, rebuild, place, opened, page, asset],
                guards=[guard(), limited],
                dependencies={"principal": Provide(asker)},
            )
        ],
        state=State({"services": services}, deep_copy=False),
        before_send=[harden],
        cors_config=cors(settings.cors_origins),
        exception_handlers={Refused: refused},
        request_max_body_size=settings.body_limit_bytes,
        openapi_config=None,
    )
    with TestClient(app) as client:
        yield client


def bearer(issuer: DevelopmentIssuer, *scopes: Scope, user_id: int = 7) -> dict[str, str]:
    return {"authorization": f"Bearer {issuer.token(1, user_id, scopes, 1)}"}


def test_a_route_asks_for_a_token_unless_it_is_public(
    client: TestClient[Litestar], issuer: DevelopmentIssuer
) -> None:
    asked = client.get("/api/v2/me")
    assert (asked.status_code, asked.json()["code"]) == (401, "UNAUTHENTICATED")
    assert asked.headers["www-authenticate"] == "Bearer"
    answer = client.get("/api/v2/me", headers=bearer(issuer, Scope.CUSTOMER))
    assert answer.json() == {"shop": 1, "user": 7}
    assert client.get("/api/v2/open").text == "open to all"


def test_a_scope_that_a_route_names_is_needed(
    client: TestClient[Litestar], issuer: DevelopmentIssuer
) -> None:
    answer = client.get("/api/v2/rebuild", headers=bearer(issuer, Scope.CUSTOMER, Scope.SHOP))
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert client.get("/api/v2/rebuild", headers=bearer(issuer, Scope.OPERATOR)).text == "7"


def test_a_user_who_asks_too_often_is_told_when_to_come_back(
    client: TestClient[Litestar], issuer: DevelopmentIssuer
) -> None:
    mine, hers = bearer(issuer, Scope.CUSTOMER), bearer(issuer, Scope.CUSTOMER, user_id=8)
    answers = [client.get("/api/v2/me", headers=mine) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    left = [one.headers["ratelimit"].split(";")[1] for one in answers]
    assert left == ["r=2", "r=1", "r=0", "r=0"]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 1200
    assert {one.headers["ratelimit-policy"] for one in answers} == {'"read";q=3;w=3600'}
    assert client.get("/api/v2/me", headers=hers).status_code == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    client: TestClient[Litestar], issuer: DevelopmentIssuer, settings: ApiSettings
) -> None:
    body = b'{"a": "' + b"." * settings.body_limit_bytes + b'"}'
    headers = {**bearer(issuer, Scope.CUSTOMER), "content-type": "application/json"}
    assert client.post("/api/v2/orders", content=body, headers=headers).status_code == 413
    parts = iter([body[:1000], body[1000:]])  # without a length that could tell
    assert client.post("/api/v2/orders", content=parts, headers=headers).status_code == 413
    assert client.post("/api/v2/orders", content=b'{"a":1}', headers=headers).status_code == 201


@pytest.mark.parametrize("path", ["/api/v2/open", "/api/v2/me", "/no/such/path", "/api/v2/page"])
def test_every_answer_forbids_guessing_framing_and_keeping(
    client: TestClient[Litestar], path: str
) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


def test_what_a_response_says_itself_stands(client: TestClient[Litestar]) -> None:
    assert client.get("/api/v2/asset").headers.get_list("cache-control") == ["max-age=3600"]


def test_only_listed_origins_may_read_answers(client: TestClient[Litestar]) -> None:
    def allowed(origin: str) -> str | None:
        headers = client.get("/api/v2/open", headers={"origin": origin}).headers
        return dict(headers).get("access-control-allow-origin")

    assert allowed("https://shop.example") == "https://shop.example"
    assert allowed("https://evil.example") is None
    assert cors("") is None


def test_no_token_and_no_password_stands_in_a_log(
    client: TestClient[Litestar], issuer: DevelopmentIssuer
) -> None:
    good = bearer(issuer, Scope.CUSTOMER)
    head, claims, signature = good["authorization"].split(".")
    other = bearer(issuer, Scope.CUSTOMER, user_id=8)["authorization"].split(".")[2]
    forged = {"authorization": f"{head}.{claims}.{other}"}
    with structlog.testing.capture_logs() as logged:
        for headers in (good, forged, {"authorization": "Bearer a.b.c"}):
            for _ in range(5):
                client.get("/api/v2/me", headers=headers)
    events = {one["event"] for one in logged}
    assert events >= {"token_refused", "limits_kept_locally"}  # it logs, but not this:
    text = repr(logged)
    for secret in (claims, signature, other, SECRET):
        assert secret not in text


def test_keys_of_a_real_issuer_need_its_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ORDERSTREAM_API_ISSUER"):
        authenticator(ApiSettings(jwks="/etc/jwks.json"), tmp_path)
    real = ApiSettings(jwks="/etc/jwks.json", issuer="https://issuer.example")
    authenticator(real, tmp_path / "home")
    assert not (tmp_path / "home").exists()  # the development issuer is not even made
    with pytest.raises(ValueError, match="https"):
        authenticator(
            ApiSettings(jwks="http://issuer.example/jwks", issuer="https://issuer.example"),
            tmp_path,
        )
