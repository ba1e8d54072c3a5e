"""Who asks, and what is hers: tokens (JWT, RFC 7519 and 8725), scopes and owners.

A token names its user by ``sub``, the shop by ``shop`` and what it allows by ``scope``, words with
spaces between (RFC 8693, section 4.2). What a scope allows:

=========  ======================================================================
customer   the objects of her own user in her shop
shop       all objects of its shop
operator   all objects of its shop and what only operators do; of every shop when
           ``shop`` is 0, which no other scope may have
=========  ======================================================================

An object that is not the asker's does not exist for her: the answer is the very one for an object
that nobody has (404). A scope that a route asks for and the token has not is named: 403.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple, NoReturn

import jwt
import msgspec
import structlog
from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Guard, Receive, Send
from litestar.types import Scope as AsgiScope

from api.keys import Key, Keys, KeysUnavailable
from api.problems import Code, Refused
from api.trace import header

log = structlog.get_logger()

CACHE_S = 60.0
"""How long a verified token is believed without being verified again; never past its end."""

_CACHE_TOKENS = 50_000  # of ~300 bytes each: 15 MB a process
_MAX_TOKEN_CHARS = 8_192
_SKEW_S = 30.0  # how far an issuer's clock may be ahead of this one
_SCHEME = "bearer "


class Scope(StrEnum):
    """What a token allows."""

    CUSTOMER = "customer"
    SHOP = "shop"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``shop_id`` is 0 for an operator of all shops; ``user_id`` 0 for no customer."""

    shop_id: int
    user_id: int
    scopes: frozenset[Scope]
    subject: str
    expires_at_s: float
    """Epoch seconds; what lives longer than a request, as a WebSocket does, ends then."""


class _Header(msgspec.Struct):
    alg: str
    kid: str
    crit: msgspec.UnsetType | msgspec.Raw = msgspec.UNSET


class _Claims(msgspec.Struct):
    exp: float
    sub: str
    shop: int = -1
    scope: str = ""
    nbf: float = 0.0


class _Verified(NamedTuple):
    principal: Principal
    until_s: float


class Authenticator:
    """Tells who asks by the token of a request; ``clock_s`` gives epoch seconds."""

    def __init__(
        self, keys: Keys, issuer: str, audience: str, clock_s: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock_s = clock_s
        self._verified: dict[bytes, _Verified] = {}

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the principal of a request with ``Authorization: Bearer TOKEN``.

        ``headers`` has lower-case names. Raises Refused: UNAUTHENTICATED for a token that is not
        good, UNAVAILABLE while there are no keys to judge any.
        """
        value = headers.get("authorization", "")
        if value[: len(_SCHEME)].lower() != _SCHEME:
            _refuse("send a token: Authorization: Bearer TOKEN", error="")
        return await self.verify(value[len(_SCHEME) :].strip())

    async def verify(self, token: str) -> Principal:
        """Return the principal of ``token``; raises as ``authenticate`` does."""
        if len(token) > _MAX_TOKEN_CHARS:
            _refuse("the token is too long")
        digest, now_s = hashlib.sha256(token.encode()).digest(), self._clock_s()
        known = self._verified.get(digest)
        if known is not None and now_s < known.until_s:
            return known.principal
        principal = await self._judge(token)
        if len(self._verified) >= _CACHE_TOKENS:
            del self._verified[next(iter(self._verified))]  # the one that came first
        self._verified[digest] = _Verified(
            principal, min(self._clock_s() + CACHE_S, principal.expires_at_s)
        )
        return principal

    async def _judge(self, token: str) -> Principal:
        header = _header(token)
        if header.crit is not msgspec.UNSET:
            _refuse("the token has extensions that are unknown here")
        try:
            key = await self._keys.find(header.kid)
        except KeysUnavailable:
            raise Refused(
                Code.UNAVAILABLE,
                "the keys of the tokens' issuer cannot be had; try again soon",
                headers={"retry-after": "10"},
            ) from None
        if key is None:
            _refuse("the token is signed with an unknown key")
        return _principal(self._claims(token, key))

    def _claims(self, token: str, key: Key) -> _Claims:
        try:
            payload = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                # Times are judged below, by the clock that the cache goes by.
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            claims = msgspec.convert(payload, _Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
            log.info("token_refused", why=type(error).__name__)
            _refuse(f"the token is not good: {_reason(error)}")
        now_s = self._clock_s()
        if not math.isfinite(claims.exp) or claims.exp <= now_s:
            _refuse("the token has expired; get a new one")
        if not claims.nbf <= now_s + _SKEW_S:
            _refuse("the token is not valid yet")
        return claims


def may_see(principal: Principal, shop_id: int, user_id: int) -> bool:
    """Say whether an object of ``user_id`` in ``shop_id`` exists for ``principal``."""
    if Scope.OPERATOR in principal.scopes and principal.shop_id in (0, shop_id):
        return True
    if principal.shop_id != shop_id:
        return False
    is_own = Scope.CUSTOMER in principal.scopes and principal.user_id == user_id
    return is_own or Scope.SHOP in principal.scopes


def check_owner(principal: Principal, shop_id: int, user_id: int, missing: Refused) -> None:
    """Raise ``missing``, the answer for an object that nobody has, unless it is the asker's."""
    if not may_see(principal, shop_id, user_id):
        raise missing


def require(principal: Principal, *scopes: Scope) -> None:
    """Raise Refused (FORBIDDEN) unless ``principal`` has one of ``scopes``."""
    if principal.scopes.isdisjoint(scopes):
        wanted = " or ".join(scopes)
        raise Refused(Code.FORBIDDEN, f"this needs a token with the scope {wanted}")


def check_acts_for(principal: Principal, shop_id: int, user_id: int) -> None:
    """Raise Refused (FORBIDDEN) unless ``principal`` may make objects of ``user_id``."""
    if not may_see(principal, shop_id, user_id):
        raise Refused(Code.FORBIDDEN, "the token is for another user or shop")


# --- for the framework ---------------------------------------------------------------------------

ASKER: Final = "principal"
"""Where a scope's state keeps the principal."""


def guard(*scopes: Scope) -> Guard:
    """Return a guard that lets in who has a good token and, if any are named, one of ``scopes``.

    Put on a router it is the default of all its routes; a route that names its own adds to it.
    """

    async def authenticated(
        connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
    ) -> None:
        if connection.route_handler.opt.get("public"):
            return
        state = connection.scope["state"]
        found: Principal | None = state.get(ASKER)
        if found is None:
            authenticator: Authenticator = connection.app.state.services.authenticator
            found = state[ASKER] = await authenticator.authenticate(connection.headers)
        if scopes:
            require(found, *scopes)

    return authenticated


def authenticated(app: ASGIApp) -> ASGIApp:
    """Return ``app`` for who has a good token: as middleware it does what ``guard()`` does.

    The framework copies a route for every call of a guard, which costs more than the judging.
    """

    async def asgi(scope: AsgiScope, receive: Receive, send: Send) -> None:
        if not scope["route_handler"].opt.get("public"):
            token = header(scope["headers"], b"authorization")
            services = scope["litestar_app"].state.services
            told = {} if token is None else {"authorization": token}
            scope["state"][ASKER] = await services.authenticator.authenticate(told)
        await app(scope, receive, send)

    return asgi


async def asker(request: Request[Any, Any, Any]) -> Principal:
    """Give a handler who asks; the guard has looked before."""
    found: Principal = request.scope["state"][ASKER]
    return found


# --- reading a token -----------------------------------------------------------------------------


def _header(token: str) -> _Header:
    try:
        return msgspec.convert(jwt.get_unverified_header(token), _Header)
    except (jwt.InvalidTokenError, msgspec.ValidationError):
        _refuse("the token cannot be read: it needs alg and kid in its header")


def _principal(claims: _Claims) -> Principal:
    scopes = frozenset(scope for scope in Scope if scope in claims.scope.split())
    user_id = int(claims.sub) if claims.sub.isascii() and claims.sub.isdigit() else 0
    if claims.shop < 0 or (claims.shop == 0 and scopes != {Scope.OPERATOR}):
        _refuse("the token names no shop")
    if Scope.CUSTOMER in scopes and user_id < 1:
        _refuse("the token names no user")
    return Principal(claims.shop, user_id, scopes, claims.sub, claims.exp)


def _reason(error: Exception) -> str:
    """Say what is wrong without a word of the token itself."""
    match error:
        case jwt.InvalidSignatureError():
            return "its signature is wrong"
        case jwt.InvalidAlgorithmError():
            return "its algorithm is not its key's"
        case jwt.InvalidAudienceError():
            return "it is for another audience"
        case jwt.InvalidIssuerError():
            return "it is from another issuer"
        case jwt.MissingRequiredClaimError():
            return f"it has no {error.claim}"
        case _:
            return "it cannot be read"


def _refuse(detail: str, error: str = "invalid_token") -> NoReturn:
    challenge = f'Bearer error="{error}"' if error else "Bearer"  # RFC 6750, section 3
    raise Refused(Code.UNAUTHENTICATED, detail, headers={"www-authenticate": challenge})
