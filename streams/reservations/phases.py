"""The states of a hold and every transition between them.

The idea is TigerBeetle's two-phase transfer: a pending amount is counted against what is available
until it is posted (confirmed), voided (cancelled) or timed out (expired), whichever comes first,
and only once.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a hold stands. All but HELD are ends."""

    HELD = "HELD"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FENCED = "FENCED"  # cancelled before it was tried: nothing was ever held


class Request(StrEnum):
    """What may be asked of a hold; EXPIRE is asked by its timer."""

    TRY = "TRY"
    CONFIRM = "CONFIRM"
    CANCEL = "CANCEL"
    EXTEND = "EXTEND"
    EXPIRE = "EXPIRE"


class Reason(StrEnum):
    """Why a request was refused; a refusal changes nothing."""

    INVALID_AMOUNT = "INVALID_AMOUNT"
    INVALID_TTL = "INVALID_TTL"
    CONFLICT = "CONFLICT"  # same id, other body
    FENCED = "FENCED"  # the cancel came first
    ALREADY_CONFIRMED = "ALREADY_CONFIRMED"
    ALREADY_CANCELLED = "ALREADY_CANCELLED"
    HOLD_EXPIRED = "HOLD_EXPIRED"
    UNKNOWN_HOLD = "UNKNOWN_HOLD"  # never tried, or ended longer ago than it is remembered
    UNKNOWN_RESOURCE = "UNKNOWN_RESOURCE"
    INSUFFICIENT = "INSUFFICIENT"
    OVER_LIMIT = "OVER_LIMIT"  # there is enough, but not for this one asker
    EXCEEDS_HOLD = "EXCEEDS_HOLD"  # a confirm asks for more than is held
    BELOW_HELD = "BELOW_HELD"  # a correction would leave less than is held
    NOT_DUE = "NOT_DUE"  # the timer came too early


class Again(Enum):
    """The request was answered before: answer the same again, nothing changes."""

    REPEAT = "REPEAT"


REPEAT: Final = Again.REPEAT

# What a request does to a hold in a phase (None: no such hold): go to a phase, repeat the answer,
# or be refused with a reason. The phase that a HELD hold is judged by becomes EXPIRED at its time,
# also when its timer has not been served yet.
TRANSITIONS: Mapping[Request, Mapping[Phase | None, Phase | Again | Reason]] = {
    Request.TRY: {
        None: Phase.HELD,
        Phase.HELD: REPEAT,
        Phase.CONFIRMED: Reason.ALREADY_CONFIRMED,
        Phase.CANCELLED: Reason.ALREADY_CANCELLED,
        Phase.EXPIRED: Reason.HOLD_EXPIRED,
        Phase.FENCED: Reason.FENCED,
    },
    Request.CONFIRM: {
        None: Reason.UNKNOWN_HOLD,
        Phase.HELD: Phase.CONFIRMED,
        Phase.CONFIRMED: REPEAT,
        Phase.CANCELLED: Reason.ALREADY_CANCELLED,
        Phase.EXPIRED: Reason.HOLD_EXPIRED,
        Phase.FENCED: Reason.FENCED,
    },
    Request.CANCEL: {
        None: Phase.FENCED,
        Phase.HELD: Phase.CANCELLED,
        Phase.CONFIRMED: Reason.ALREADY_CONFIRMED,
        Phase.CANCELLED: REPEAT,
        Phase.EXPIRED: Reason.HOLD_EXPIRED,
        Phase.FENCED: REPEAT,
    },
    Request.EXTEND: {
        None: Reason.UNKNOWN_HOLD,
        Phase.HELD: Phase.HELD,
        Phase.CONFIRMED: Reason.ALREADY_CONFIRMED,
        Phase.CANCELLED: Reason.ALREADY_CANCELLED,
        Phase.EXPIRED: Reason.HOLD_EXPIRED,
        Phase.FENCED: Reason.FENCED,
    },
    Request.EXPIRE: {
        None: Reason.UNKNOWN_HOLD,
        Phase.HELD: Phase.EXPIRED,
        Phase.CONFIRMED: Reason.ALREADY_CONFIRMED,
        Phase.CANCELLED: Reason.ALREADY_CANCELLED,
        Phase.EXPIRED: REPEAT,
        Phase.FENCED: Reason.FENCED,
    },
}
