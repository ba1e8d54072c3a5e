"""Tokens: which are believed, for how long, and what is whose."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from api.auth import (
    CACHE_S,
    Authenticator,
    Principal,
    Scope,
    check_acts_for,
    check_owner,
    may_see,
    require,
)
from api.keys import Keys, parse
from api.problems import Refused

ISSUER, AUDIENCE = "https://issuer.example", "orderstream"
NOW_S = 1_800_000_000
HOUR_S = 3600

RSA = generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = Ed25519PrivateKey.generate()
STRANGER = Ed25519PrivateKey.generate()
RSA_JWK = {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "rsa", "use": "sig"}
ED25519_JWK = {**OKPAlgorithm.to_jwk(ED25519.public_key(), as_dict=True), "kid": "ed"}

CUSTOMER = Principal(1, 7, frozenset({Scope.CUSTOMER}), "7", NOW_S + HOUR_S)
SHOP = Principal(1, 0, frozenset({Scope.SHOP}), "connector", NOW_S + HOUR_S)
OPERATOR = Principal(1, 0, frozenset({Scope.OPERATOR}), "mei", NOW_S + HOUR_S)
OPERATOR_OF_ALL = Principal(0, 0, frozenset({Scope.OPERATOR}), "mei", NOW_S + HOUR_S)


class Clock:
    def __init__(self) -> None:
        self.now_s = float(NOW_S)

    def __call__(self) -> float:
        return self.now_s


class Issuer:
    """Serves a JWK Set and counts how often it is asked."""

    def __init__(self, *jwks: dict[str, Any]) -> None:
        self.jwks = list(jwks)
        self.asked = 0
        self.is_away = False

    async def fetch(self) -> bytes:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise ConnectionError("the issuer is away")
        return json.dumps({"keys": self.jwks}).encode()


def claims(**changed: Any) -> dict[str, Any]:
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "7",
        "shop": 1,
        "scope": "customer openid",
        "exp": NOW_S + HOUR_S,
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def signed(
    payload: dict[str, Any],
    key: RSAPrivateKey | Ed25519PrivateKey = ED25519,
    alg: str = "EdDSA",
    **header: Any,
) -> str:
    return with_header(payload, header, key, alg)


def with_header(
    payload: dict[str, Any],
    header: dict[str, Any],
    key: RSAPrivateKey | Ed25519PrivateKey = ED25519,
    alg: str = "EdDSA",
) -> str:
    kid = {"RS256": "rsa", "EdDSA": "ed"}.get(alg)
    return jwt.encode(payload, key, alg, headers={"kid": kid, **header})


def by_hand(header: dict[str, Any], payload: dict[str, Any], secret: bytes | None) -> str:
    """Return a token that no library would make: HS256 with ``secret``, or not signed at all."""

    def part(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    text = f"{part(json.dumps(header).encode())}.{part(json.dumps(payload).encode())}"
    signature = b"" if secret is None else hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{part(signature)}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(RSA_JWK, ED25519_JWK)


@pytest.fixture
def authenticator(issuer: Issuer, clock: Clock) -> Authenticator:
    return Authenticator(Keys(issuer.fetch, clock), ISSUER, AUDIENCE, clock)


def asked_with(authenticator: Authenticator, token: str) -> Principal:
    return asyncio.run(authenticator.authenticate({"authorization": f"Bearer {token}"}))


def refusal(authenticator: Authenticator, token: str) -> Refused:
    with pytest.raises(Refused) as caught:
        asked_with(authenticator, token)
    return caught.value


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (ED25519, "EdDSA")])
def test_a_token_of_the_issuer_says_who_asks(
    authenticator: Authenticator, key: RSAPrivateKey | Ed25519PrivateKey, alg: str
) -> None:
    assert asked_with(authenticator, signed(claims(), key, alg)) == CUSTOMER


BAD = {
    "forged signature": signed(claims(), STRANGER),
    "signature of another token": ".".join(
        [*signed(claims(sub="8")).split(".")[:2], signed(claims()).split(".")[2]]
    ),
    "expired": signed(claims(exp=NOW_S)),
    "expired long ago": signed(claims(exp=0)),
    "not yet valid": signed(claims(nbf=NOW_S + 31)),
    "valid from no time at all": signed(claims(nbf=float("nan"))),
    "for ever": signed(claims(exp=float("inf"))),
    "no exp": signed(claims(exp=None)),
    "no iss": signed(claims(iss=None)),
    "no aud": signed(claims(aud=None)),
    "no sub": signed(claims(sub=None)),
    "no shop": signed(claims(shop=None)),
    "exp is text": signed(claims(exp="tomorrow")),
    "wrong audience": signed(claims(aud="another")),
    "wrong issuer": signed(claims(iss="https://other.example")),
    "unknown kid": signed(claims(), kid="other"),
    "no kid": jwt.encode(claims(), ED25519, "EdDSA"),
    "kid of another key": signed(claims(), ED25519, "EdDSA", kid="rsa"),
    "another RSA algorithm": signed(claims(), RSA, "PS256", kid="rsa"),
    "alg=none": by_hand({"alg": "none", "kid": "ed"}, claims(), None),
    "alg=None with the signature left out": by_hand({"alg": "None", "kid": "rsa"}, claims(), None),
    "HS256 with the RSA public key as its secret": by_hand(
        {"alg": "HS256", "kid": "rsa"},
        claims(),
        RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ),
    "HS256 with the Ed25519 public key as its secret": by_hand(
        {"alg": "HS256", "kid": "ed"}, claims(), ED25519.public_key().public_bytes_raw()
    ),
    "unknown critical extension": with_header(claims(), {"crit": ["shoe-size"], "shoe-size": 43}),
    "empty crit": signed(claims(), crit=[]),
    "customer without a user": signed(claims(sub="connector")),
    "every shop for a customer": signed(claims(shop=0)),
    "every shop for an operator who shops": signed(claims(shop=0, scope="operator customer")),
    "shop is text": signed(claims(shop="1")),
    "not a token": "not.a.token",
    "empty": "",
    "long": "a" * 10_000,
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD)
def test_a_token_that_is_not_good_is_refused_and_not_shown(
    authenticator: Authenticator, token: str
) -> None:
    refused = refusal(authenticator, token)
    assert refused.code == "UNAUTHENTICATED"
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert not token or token not in refused.detail


def test_keys_that_a_token_brings_itself_are_ignored(authenticator: Authenticator) -> None:
    own = OKPAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True)
    header = {"jku": "https://evil.example/jwks", "x5u": "https://evil.example/x5u", "jwk": own}
    assert refusal(authenticator, with_header(claims(), header, STRANGER)).code == "UNAUTHENTICATED"
    assert asked_with(authenticator, with_header(claims(), header)) == CUSTOMER


def test_a_request_without_a_token_is_asked_for_one(authenticator: Authenticator) -> None:
    for headers in ({}, {"authorization": "Basic dTpw"}, {"authorization": ""}):
        with pytest.raises(Refused) as caught:
            asyncio.run(authenticator.authenticate(headers))
        assert caught.value.code == "UNAUTHENTICATED"
        assert caught.value.headers == {"www-authenticate": "Bearer"}


def test_a_token_that_begins_a_little_later_by_the_issuers_clock_is_good(
    authenticator: Authenticator,
) -> None:
    assert asked_with(authenticator, signed(claims(nbf=NOW_S + 30))) == CUSTOMER


@pytest.mark.parametrize("left_s", [1, 59, 60, 61, HOUR_S])
def test_a_verified_token_is_never_believed_past_its_end(
    authenticator: Authenticator, clock: Clock, left_s: int
) -> None:
    token = signed(claims(exp=NOW_S + left_s))
    assert asked_with(authenticator, token).expires_at_s == NOW_S + left_s
    clock.now_s = NOW_S + left_s - 0.001
    asked_with(authenticator, token)
    clock.now_s = NOW_S + left_s
    assert "expired" in refusal(authenticator, token).detail


def test_a_withdrawn_key_is_believed_no_longer_than_the_cache_and_the_keys_live(
    authenticator: Authenticator, issuer: Issuer, clock: Clock
) -> None:
    token = signed(claims())
    asked_with(authenticator, token)
    issuer.jwks = [RSA_JWK]
    clock.now_s += CACHE_S - 1
    asked_with(authenticator, token)
    clock.now_s = NOW_S + 601

    async def asked_again() -> None:
        await authenticator.verify(token)  # this one begins the refresh, later ones go by it
        await asyncio.sleep(0.01)
        clock.now_s += CACHE_S
        with pytest.raises(Refused, match="unknown key"):
            await authenticator.verify(token)

    asyncio.run(asked_again())


def test_a_rotated_key_is_found_and_unknown_ones_do_not_flood_the_issuer(
    authenticator: Authenticator, issuer: Issuer, clock: Clock
) -> None:
    issuer.jwks = [RSA_JWK]
    asked_with(authenticator, signed(claims(), RSA, "RS256"))
    issuer.jwks = [RSA_JWK, ED25519_JWK]

    async def many() -> list[Principal | BaseException]:
        tokens = [signed(claims(sub=str(user))) for user in range(1, 51)]
        return await asyncio.gather(
            *(authenticator.verify(token) for token in tokens), return_exceptions=True
        )

    too_soon = asyncio.run(many())
    assert all(isinstance(one, Refused) for one in too_soon)
    assert issuer.asked == 1
    clock.now_s += 10
    assert all(isinstance(one, Principal) for one in asyncio.run(many()))
    assert issuer.asked == 2


def test_without_any_keys_nobody_is_called_a_liar(issuer: Issuer, clock: Clock) -> None:
    issuer.is_away = True
    authenticator = Authenticator(Keys(issuer.fetch, clock), ISSUER, AUDIENCE, clock)
    assert refusal(authenticator, signed(claims())).code == "UNAVAILABLE"
    issuer.is_away = False
    clock.now_s += 1
    assert asked_with(authenticator, signed(claims())) == CUSTOMER


def test_an_issuer_that_is_away_keeps_its_keys(
    authenticator: Authenticator, issuer: Issuer, clock: Clock
) -> None:
    asked_with(authenticator, signed(claims()))
    issuer.is_away = True
    clock.now_s += 700
    assert asked_with(authenticator, signed(claims(), RSA, "RS256")) == CUSTOMER


def test_only_public_keys_that_may_sign_tokens_are_taken() -> None:
    weak = generate_private_key(public_exponent=65537, key_size=1024).public_key()
    jwks = [
        RSA_JWK,
        ED25519_JWK,
        {**ED25519_JWK, "kid": "encryption", "use": "enc"},
        {**RSA_JWK, "kid": "other algorithm", "alg": "RS512"},
        {**RSAAlgorithm.to_jwk(weak, as_dict=True), "kid": "weak"},
        {**OKPAlgorithm.to_jwk(ED25519, as_dict=True), "kid": "private"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "broken"},
        {name: value for name, value in ED25519_JWK.items() if name != "kid"},
    ]
    found = parse(json.dumps({"keys": jwks}).encode())
    assert {kid: key.algorithm for kid, key in found.items()} == {"rsa": "RS256", "ed": "EdDSA"}


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        (CUSTOMER, {(1, 7)}),
        (SHOP, {(1, 7), (1, 8)}),
        (OPERATOR, {(1, 7), (1, 8)}),
        (OPERATOR_OF_ALL, {(1, 7), (1, 8), (2, 7)}),
        (Principal(1, 7, frozenset(), "7", 0), set()),
    ],
)
def test_what_is_whose(who: Principal, sees: set[tuple[int, int]]) -> None:
    objects = {(1, 7), (1, 8), (2, 7)}
    assert {one for one in objects if may_see(who, *one)} == sees
    for shop_id, user_id in objects - sees:
        missing = Refused("UNKNOWN_ORDER", "there is no such order")
        with pytest.raises(Refused) as hidden:
            check_owner(who, shop_id, user_id, missing)
        assert hidden.value is missing
        with pytest.raises(Refused, match="FORBIDDEN"):
            check_acts_for(who, shop_id, user_id)
    for shop_id, user_id in sees:
        check_owner(who, shop_id, user_id, Refused("UNKNOWN_ORDER", "there is no such order"))
        check_acts_for(who, shop_id, user_id)


def test_a_missing_scope_is_named() -> None:
    require(SHOP, Scope.SHOP, Scope.OPERATOR)
    with pytest.raises(Refused, match="shop or operator"):
        require(CUSTOMER, Scope.SHOP, Scope.OPERATOR)
