"""The issuer of tokens for development: its key lies below the embedded stack's home.

It stands in for the identity provider of a shop while there is none. The private key is made at
first use and is for this user alone (mode 0600); the JWK Set beside it is what the API reads. When
the settings name another JWK Set this issuer is not used, and nothing that it signs is good.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from api.auth import Authenticator, Scope
from api.keys import Keys, source
from api.settings import ApiSettings

log = structlog.get_logger()

ISSUER = "urn:orderstream:development"
AUDIENCE = "orderstream"
_FOLDER = "issuer"
_PRIVATE = "key.pem"
_PUBLIC = "jwks.json"


def authenticator(settings: ApiSettings, home: Path) -> Authenticator:
    """Return who judges tokens: by the keys that the settings name, else this issuer's.

    ``home`` is the embedded stack's. Raises ValueError when the settings name keys and no issuer.
    """
    if settings.jwks is None:
        here = DevelopmentIssuer(home)
        log.warning("development_tokens_are_good", jwks=str(here.jwks))
        return Authenticator(Keys(source(str(here.jwks))), ISSUER, settings.audience)
    if settings.issuer is None:
        raise ValueError("ORDERSTREAM_API_JWKS needs ORDERSTREAM_API_ISSUER: the tokens' iss")
    return Authenticator(Keys(source(settings.jwks)), settings.issuer, settings.audience)


class DevelopmentIssuer:
    """Signs tokens with the key below ``home``, which is made when it is not there."""

    def __init__(self, home: Path, clock_s: Callable[[], float] = time.time) -> None:
        folder = home / _FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.jwks = folder / _PUBLIC
        self._clock_s = clock_s
        self._key = _key(folder / _PRIVATE)
        self._jwk = _jwk(self._key)
        _replace(self.jwks, json.dumps({"keys": [self._jwk]}).encode())

    def token(self, shop_id: int, user_id: int, scopes: Iterable[Scope], hours: float) -> str:
        """Return a token that is good for ``hours``; ``api/auth.py`` says what its claims mean."""
        now_s = int(self._clock_s())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "shop": shop_id,
            "scope": " ".join(scopes),
            "iat": now_s,
            "exp": now_s + round(hours * 3600),
        }
        return jwt.encode(claims, self._key, "EdDSA", headers={"kid": self._jwk["kid"]})


def _key(path: Path) -> Ed25519PrivateKey:
    """Read the private key, or make it; processes that start at once agree on one."""
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        draft = _draft(path, pem)
        try:
            path.hardlink_to(draft)  # the first one stays
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} is no Ed25519 key; remove it and a new one is made")
    return key


def _jwk(key: Ed25519PrivateKey) -> dict[str, Any]:
    """Return the public key as a JWK (RFC 8037) whose ``kid`` is its thumbprint (RFC 7638)."""
    x = _base64url(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    members = {"crv": "Ed25519", "kty": "OKP", "x": x}  # the required ones, in order of name
    thumbprint = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    return {**members, "kid": _base64url(thumbprint), "use": "sig", "alg": "EdDSA"}


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one."""
    os.replace(_draft(path, content), path)


def _draft(path: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return Path(name)
