"""The public keys that tokens are signed with: a JWK Set (RFC 7517) in a file or at a URL.

Only what an issuer signs with counts: RSA of at least 2,048 bits for RS256 and Ed25519 for EdDSA,
each with a ``kid``. The algorithm is the key's, never the token's choice (RFC 8725, section 3.1).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import msgspec
import requests
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

log = structlog.get_logger()

Fetch: TypeAlias = Callable[[], Awaitable[bytes]]
"""Brings a JWK Set; raises OSError (also requests' errors) when it cannot."""

MIN_INTERVAL_S = 10.0  # unknown key ids, which anybody may send, make no more fetches than that
NO_KEYS_INTERVAL_S = 1.0  # while there are no keys at all
MAX_AGE_S = 600.0  # a key that its issuer withdrew is good for no longer, while the issuer answers
_FETCH_LIMIT_S = 3.0
_MAX_BYTES = 256 * 1024
_LEAST_RSA_BITS = 2048  # RFC 7518, section 3.3


class Key(NamedTuple):
    """A public key and the one algorithm that it verifies."""

    public: RSAPublicKey | Ed25519PublicKey
    algorithm: str


class KeysUnavailable(Exception):
    """No key has been fetched yet, so no token can be judged."""


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


class Keys:
    """The keys by ``kid``, fetched when one is asked for that is unknown, and when they are old."""

    def __init__(self, fetch: Fetch, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock_s = clock_s
        self._keys: Mapping[str, Key] = {}
        self._asked_at_s = float("-inf")
        self._fetched_at_s = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> Key | None:
        """Return the key of an issuer; None when it has no such key.

        Raises KeysUnavailable while no keys could be fetched at all.
        """
        key = self._keys.get(kid)
        if key is None:
            refreshing = self._refresh()
            if refreshing is not None:
                await asyncio.shield(refreshing)  # others wait for the same one
            key = self._keys.get(kid)
        elif self._clock_s() - self._fetched_at_s > MAX_AGE_S:
            self._refresh()  # this request does not wait for it
        if not self._keys:
            raise KeysUnavailable
        return key

    def _refresh(self) -> asyncio.Task[None] | None:
        """Return the refresh under way or begin one; None when the last one is too recent."""
        interval_s = MIN_INTERVAL_S if self._keys else NO_KEYS_INTERVAL_S
        if self._refreshing is None and self._clock_s() - self._asked_at_s >= interval_s:
            self._asked_at_s = self._clock_s()
            self._refreshing = asyncio.create_task(self._fetch_keys())
        return self._refreshing

    async def _fetch_keys(self) -> None:
        try:
            keys = parse(await self._fetch())
        except (OSError, msgspec.DecodeError) as error:
            log.warning("jwks_not_fetched", why=str(error), keys_kept=len(self._keys))
        else:
            self._keys, self._fetched_at_s = keys, self._clock_s()
        finally:
            self._refreshing = None


def parse(content: bytes) -> dict[str, Key]:
    """Return the keys of a JWK Set that may verify tokens; raises msgspec.DecodeError."""
    found: dict[str, Key] = {}
    for jwk in msgspec.json.decode(content, type=_KeySet).keys:
        kid = jwk.get("kid")
        key = _key(jwk)
        if key is None or not isinstance(kid, str) or not kid:
            log.warning("jwk_not_used", kid=str(kid)[:64], kty=str(jwk.get("kty"))[:16])
        else:
            found[kid] = key
    return found


def source(location: str) -> Fetch:
    """Return what fetches the JWK Set at ``location``: a path, or an https URL.

    Raises ValueError for http: who is on the way could put in keys of her own. A server on this
    machine may be asked so.
    """
    url = urlsplit(location)
    if url.scheme not in ("http", "https"):
        return lambda: asyncio.to_thread(Path(location).read_bytes)
    if url.scheme == "http" and url.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError(f"keys are fetched by https only, not from {location}")
    return lambda: asyncio.to_thread(_download, location)


def _download(url: str) -> bytes:
    answer = requests.get(url, timeout=_FETCH_LIMIT_S, allow_redirects=False, stream=True)
    with answer:
        answer.raise_for_status()
        if answer.status_code != requests.codes.ok:
            raise OSError(f"{url} answered {answer.status_code}")
        content = b""
        for part in answer.iter_content(_MAX_BYTES):
            content += part
            if len(content) > _MAX_BYTES:
                raise OSError(f"{url} sends more than {_MAX_BYTES} bytes")
    return content


def _key(jwk: Mapping[str, Any]) -> Key | None:
    """Return the key that a JWK gives; None when it is not one for tokens."""
    if jwk.get("use", "sig") != "sig" or "d" in jwk:  # for something else, or private: never shown
        return None
    try:
        if jwk.get("kty") == "RSA" and jwk.get("alg", "RS256") == "RS256":
            rsa = RSAAlgorithm.from_jwk(dict(jwk))
            if isinstance(rsa, RSAPublicKey) and rsa.key_size >= _LEAST_RSA_BITS:
                return Key(rsa, "RS256")
        if jwk.get("kty") == "OKP" and jwk.get("alg", "EdDSA") in ("EdDSA", "Ed25519"):
            okp = OKPAlgorithm.from_jwk(dict(jwk))
            if isinstance(okp, Ed25519PublicKey):
                return Key(okp, "EdDSA")
    except (InvalidKeyError, ValueError, TypeError) as error:
        log.warning("jwk_unreadable", why=str(error))
    return None
