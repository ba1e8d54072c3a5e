"""Numbers that follow from what they name: the same request has the same number everywhere."""

from __future__ import annotations

from hashlib import blake2b

from schemas.inventory import HoldTerms
from schemas.order import PlaceOrderIntent

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, so that a number survives being read aloud.
Source: https://www.crockford.com/base32.html"""

ORDER_NO_LENGTH = 16
"""16 characters x 5 bits = 80 bits. Birthday bound: among n orders some two share a number with a
probability below n^2 / 2^81, that is 4.2e-7 for 1e9 orders. The orders stage refuses the second of
such a pair (IDEMPOTENCY_CONFLICT), so it costs one buyer one refusal and nobody an order."""

_ORDER_NO_BYTES = 10  # 80 bits
_TRACE_ID_BYTES = 16  # W3C trace context: 32 hex digits
_FINGERPRINT_BYTES = 8  # told apart are only bodies of one client key: 2^-64 a pair
_PAIRS = tuple(high + low for high in ALPHABET for low in ALPHABET)  # 10 bits each
_SHIFTS = range(70, -1, -10)


def derive_order_no(shop_id: int, user_id: int, client_key: str) -> str:
    """Return the number of the order that the buyer's ``client_key`` names: 16 of ALPHABET.

    A client key names one order for all time, also when the idempotency window is over.
    """
    name = f"{shop_id}/{user_id}/{client_key}".encode()
    digest = blake2b(name, digest_size=_ORDER_NO_BYTES, person=b"order_no").digest()
    bits = int.from_bytes(digest, "big")
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def derive_trace_id(name: str) -> str:
    """Return the trace id (32 hex digits) of what came without one, from its own number."""
    return blake2b(name.encode(), digest_size=_TRACE_ID_BYTES, person=b"trace_id").hexdigest()


def fingerprint_of(intent: PlaceOrderIntent) -> str:
    """Return 16 hex digits that differ when the body does: lines, total, currency, channel, flow.

    The terms of a line are part of it, and so are coupons.

    The order of the lines does not matter. ``placed_at_ms`` and ``trace_id`` do not count: a client
    that asks again may send new ones.
    """
    lines = [
        f"{line.sku_id}*{line.qty}@{line.unit_price_fen}"
        if line.terms is None
        else f"{line.sku_id}*{line.qty}@{line.unit_price_fen} {_body_of(line.terms)}"
        for line in intent.lines
    ]
    if len(lines) > 1:
        lines.sort()
    body = "\n".join(
        (
            str(intent.total_fen),
            intent.currency,
            "-" if intent.pay_channel is None else f"={intent.pay_channel}",
            intent.flow,
            *lines,
            *(f"coupon {code}" for code in sorted(intent.coupons)),
        )
    )
    return blake2b(body.encode(), digest_size=_FINGERPRINT_BYTES, person=b"body").hexdigest()


def _body_of(terms: HoldTerms) -> str:
    return f"{terms.allocation} {terms.shortage} {','.join(terms.warehouses)}"
