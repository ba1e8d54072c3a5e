"""What an endpoint is told: the type and the body of each order fact."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from schemas.read_model import CHANGES, STATUS_AFTER, rfc3339
from schemas.record import Record

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def _type_of(kind: type[Record]) -> str:
    first, _, rest = _WORD.sub("_", kind.__name__).lower().partition("_")
    return f"{first}.{rest}"


EVENT_TYPES: Final = {kind: _type_of(kind) for kind in STATUS_AFTER}
"""``order.payment_opened`` for OrderPaymentOpened. A refusal (OrderRefused) is no event: it answers
one request, changes nothing and repeats the order's version."""

assert EVENT_TYPES.keys() == CHANGES


class Body(msgspec.Struct, frozen=True):
    """The body of a message, as Standard Webhooks suggests it.

    ``data`` is the public fact: its ``version`` counts the order's facts (1, 2, 3 ...), so who is
    told all of them knows when one is missing, and who is told one twice sees it. ``status`` is the
    order's afterwards, None where it stays what it was.
    """

    type: str
    timestamp: str
    data: dict[str, Any]


def body_of(fact: Record, timestamp_ms: int) -> bytes:
    """Return the body that tells of ``fact``, which stands in the log at ``timestamp_ms``."""
    kind = type(fact)
    data = {**msgspec.to_builtins(fact), "status": STATUS_AFTER[kind]}
    return msgspec.json.encode(Body(EVENT_TYPES[kind], rfc3339(timestamp_ms), data))


def message_id(order_no: str, version: int) -> str:
    """Return the ``webhook-id``: the same whenever and wherever an event is told."""
    return f"evt_{order_no}_{version}"
