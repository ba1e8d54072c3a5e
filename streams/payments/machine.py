"""The state machine of an attempt, and of a refund: one table for both.

Reports only ever lift a state to a higher one, ``REQUESTED < UNKNOWN < PENDING < FAILED <
SUCCEEDED``, and the highest of a set does not depend on the order of the set: that is what makes
the fold insensitive to order and to repeats. Two inputs are not reports:

- ``CLOSE``: the order takes no more money. A CLOSED attempt is never revived; money that still
  comes is counted, and given back. (A gateway's own ``CLOSED`` only says that no money came over
  this attempt, so it is a failure, and a success that was late wins over it.)
- ``ASK_AGAIN``: the refund failed and the gateway is asked once more under the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from schemas.payment import GatewayStatus


class PayState(StrEnum):
    """Where an attempt or a refund stands."""

    REQUESTED = "REQUESTED"  # the gateway is being asked
    UNKNOWN = "UNKNOWN"  # the gateway could not say
    PENDING = "PENDING"  # the gateway has it, the money has not moved
    SUCCEEDED = "SUCCEEDED"  # the money moved
    FAILED = "FAILED"  # it ended at the gateway without money
    CLOSED = "CLOSED"  # it was open when the order ended or was paid otherwise


CLOSE = "CLOSE"
ASK_AGAIN = "ASK_AGAIN"

INPUTS: tuple[str, ...] = (*GatewayStatus, CLOSE, ASK_AGAIN)

_UNKNOWN, _PENDING, _CLOSED = GatewayStatus.UNKNOWN, GatewayStatus.PENDING, GatewayStatus.CLOSED
_SUCCEEDED, _FAILED = GatewayStatus.SUCCEEDED, GatewayStatus.FAILED

TRANSITIONS: Mapping[PayState, Mapping[str, PayState]] = {
    PayState.REQUESTED: {
        _UNKNOWN: PayState.UNKNOWN,
        _PENDING: PayState.PENDING,
        _FAILED: PayState.FAILED,
        _CLOSED: PayState.FAILED,
        _SUCCEEDED: PayState.SUCCEEDED,
        CLOSE: PayState.CLOSED,
        ASK_AGAIN: PayState.REQUESTED,
    },
    PayState.UNKNOWN: {
        _UNKNOWN: PayState.UNKNOWN,
        _PENDING: PayState.PENDING,
        _FAILED: PayState.FAILED,
        _CLOSED: PayState.FAILED,
        _SUCCEEDED: PayState.SUCCEEDED,
        CLOSE: PayState.CLOSED,
        ASK_AGAIN: PayState.UNKNOWN,
    },
    PayState.PENDING: {
        _UNKNOWN: PayState.PENDING,
        _PENDING: PayState.PENDING,
        _FAILED: PayState.FAILED,
        _CLOSED: PayState.FAILED,
        _SUCCEEDED: PayState.SUCCEEDED,
        CLOSE: PayState.CLOSED,
        ASK_AGAIN: PayState.PENDING,
    },
    PayState.FAILED: {
        _UNKNOWN: PayState.FAILED,
        _PENDING: PayState.FAILED,
        _FAILED: PayState.FAILED,
        _CLOSED: PayState.FAILED,
        _SUCCEEDED: PayState.SUCCEEDED,
        CLOSE: PayState.FAILED,
        ASK_AGAIN: PayState.REQUESTED,
    },
    PayState.SUCCEEDED: dict.fromkeys(INPUTS, PayState.SUCCEEDED),
    PayState.CLOSED: dict.fromkeys(INPUTS, PayState.CLOSED),
}

AWAITED = frozenset({GatewayStatus.PENDING, GatewayStatus.UNKNOWN})
"""What a gateway says that has a payment or a refund and not its end."""

OPEN = frozenset({PayState.REQUESTED, PayState.UNKNOWN, PayState.PENDING})
