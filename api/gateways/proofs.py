"""What the gateways' signatures have in common: strict base 64, RSA, signed forms."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

MAX_FIELDS = 100  # Alipay and UnionPay send about 30


def from_base64(text: str) -> bytes | None:
    """Return the bytes of canonical base 64, else None.

    Lenient decoders read several texts as the same bytes; then a changed text would still verify.
    """
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return found if base64.b64encode(found).decode() == text else None


def is_signed(key: RSAPublicKey, signature: bytes, content: bytes) -> bool:
    """Tell whether ``signature`` is RSASSA-PKCS1-v1_5 with SHA-256 of ``content`` by ``key``."""
    try:
        key.verify(signature, content, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def form_fields(body: bytes) -> dict[str, str] | None:
    """Return the fields of a urlencoded UTF-8 form; None when it is none or repeats a field."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:  # also UnicodeDecodeError
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def sorted_content(fields: Mapping[str, str], unsigned: Iterable[str]) -> bytes:
    """Return ``k=v&k=v`` of all fields but ``unsigned``, sorted by name, as it is signed."""
    left_out = frozenset(unsigned)
    return "&".join(f"{k}={fields[k]}" for k in sorted(fields) if k not in left_out).encode()
