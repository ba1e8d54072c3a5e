"""Judges what is asked of a hold: try, confirm, cancel, extend, expire.

Every function takes the current records and the request and returns an outcome, a value; it never
raises and changes nothing. The caller folds the outcome into its state. Amounts are units of the
resource, times epoch milliseconds.
"""

from __future__ import annotations

import msgspec

from streams.reservations.phases import REPEAT, TRANSITIONS, Again, Phase, Reason, Request
from streams.reservations.records import Hold, Resource

# No amount and no capacity is larger: far below an Avro long (9.2 * 10^18), so that no sum
# overflows; in fen it is ten trillion yuan.
AMOUNT_MAX = 10**15

# The longest presale between deposit and goods, rounded up to a leap year: 366 days.
TTL_MAX_MS = 366 * 24 * 3600 * 1000


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Nothing changes. ``available`` is what could have been held (a refused try only)."""

    reason: Reason
    available: int = 0


class Movement(msgspec.Struct, frozen=True, gc=False):
    """The resource after the movement, and the change."""

    version: int
    on_hand: int
    held: int
    delta_on_hand: int
    delta_held: int


class Held(Movement, frozen=True, gc=False):
    """The amount is set aside until ``expires_at_ms``."""

    expires_at_ms: int


class Spent(Movement, frozen=True, gc=False):
    """The hold is confirmed: ``-delta_on_hand`` is spent, the rest of the hold is returned."""

    @property
    def spent(self) -> int:
        """Units that left the resource."""
        return -self.delta_on_hand

    @property
    def returned(self) -> int:
        """Units of the hold that are available again."""
        return self.delta_on_hand - self.delta_held


class Released(Movement, frozen=True, gc=False):
    """The whole amount is available again."""


class Changed(Movement, frozen=True, gc=False):
    """The capacity is another."""


class Fenced(msgspec.Struct, frozen=True, gc=False):
    """There was nothing to cancel; the try, should it come, is to be refused."""


class Extended(msgspec.Struct, frozen=True, gc=False):
    """The hold lives until ``expires_at_ms``."""

    expires_at_ms: int


FENCED = Fenced()
CONFLICT = Refused(Reason.CONFLICT)


def try_hold(
    hold: Hold | None,
    resource: Resource | None,
    *,
    resource_id: str,
    owner: str,
    amount: int,
    ttl_ms: int,
    now_ms: int,
) -> Held | Again | Refused:
    """Ask to set ``amount`` aside for ``ttl_ms``.

    Guards: INVALID_AMOUNT; INVALID_TTL; of a known hold CONFLICT, its end, or REPEAT while it is
    held (``resource`` is not looked at); UNKNOWN_RESOURCE; INSUFFICIENT. A refused try leaves no
    trace: asked again it is judged anew.
    """
    if not 0 < amount <= AMOUNT_MAX:
        return _INVALID_AMOUNT
    if not 0 < ttl_ms <= TTL_MAX_MS:
        return _INVALID_TTL
    if hold is not None:
        if hold.resource_id != resource_id or hold.owner != owner:
            return CONFLICT
        if hold.amount != amount and hold.phase != _FENCED:
            return CONFLICT
        return _KNOWN_TRY[_phase_at(hold, now_ms)]
    if resource is None:
        return _UNKNOWN_RESOURCE
    on_hand = resource.on_hand
    held = resource.held + amount
    if held > on_hand:
        return Refused(_INSUFFICIENT, on_hand - resource.held)
    return Held(resource.version + 1, on_hand, held, 0, amount, now_ms + ttl_ms)


def confirm_hold(
    hold: Hold | None,
    resource: Resource | None,
    *,
    resource_id: str,
    owner: str,
    amount: int | None = None,
    now_ms: int,
) -> Spent | Again | Refused:
    """Ask to spend ``amount`` of the hold (None: all of it) and to return the rest.

    Guards: UNKNOWN_HOLD; CONFLICT with the try; another end; of a confirmed hold CONFLICT (another
    amount) or REPEAT; INVALID_AMOUNT; EXCEEDS_HOLD; UNKNOWN_RESOURCE.
    """
    if hold is None:
        return _UNKNOWN_HOLD
    if hold.resource_id != resource_id or hold.owner != owner:
        return CONFLICT
    answer = _SETTLED_CONFIRM.get(_phase_at(hold, now_ms))
    spent = hold.amount if amount is None else amount
    if answer is not None:
        return CONFLICT if answer is REPEAT and spent != hold.spent else answer
    if spent <= 0:
        return _INVALID_AMOUNT
    if spent > hold.amount:
        return _EXCEEDS_HOLD
    if resource is None:
        return _UNKNOWN_RESOURCE
    return Spent(
        resource.version + 1,
        resource.on_hand - spent,
        resource.held - hold.amount,
        -spent,
        -hold.amount,
    )


def cancel_hold(
    hold: Hold | None, resource: Resource | None, *, resource_id: str, owner: str, now_ms: int
) -> Released | Fenced | Again | Refused:
    """Ask to give the hold back, or to fence the try that has not come yet.

    Guards: CONFLICT with the try; another end, or REPEAT; UNKNOWN_RESOURCE.
    """
    if hold is None:
        return FENCED
    if hold.resource_id != resource_id or hold.owner != owner:
        return CONFLICT
    answer = _SETTLED_CANCEL.get(_phase_at(hold, now_ms))
    if answer is not None:
        return answer
    return _release(hold, resource)


def extend_hold(
    hold: Hold | None, *, resource_id: str, owner: str, ttl_ms: int, now_ms: int
) -> Extended | Again | Refused:
    """Ask to let the hold live ``ttl_ms`` from now. It never shortens: REPEAT when it lives longer.

    Guards: INVALID_TTL; UNKNOWN_HOLD; CONFLICT with the try; an end.
    """
    if not 0 < ttl_ms <= TTL_MAX_MS:
        return _INVALID_TTL
    if hold is None:
        return _UNKNOWN_HOLD
    if hold.resource_id != resource_id or hold.owner != owner:
        return CONFLICT
    answer = _SETTLED_EXTEND.get(_phase_at(hold, now_ms))
    if answer is not None:
        return answer
    expires_at_ms = now_ms + ttl_ms
    return Extended(expires_at_ms) if expires_at_ms > hold.due_ms else REPEAT


def expire_hold(
    hold: Hold | None, resource: Resource | None, *, now_ms: int
) -> Released | Again | Refused:
    """Give the hold back because its time has come.

    Guards: UNKNOWN_HOLD; another end, or REPEAT; NOT_DUE; UNKNOWN_RESOURCE.
    """
    if hold is None:
        return _UNKNOWN_HOLD
    answer = _SETTLED_EXPIRE.get(hold.phase)
    if answer is not None:
        return answer
    return _release(hold, resource) if hold.due_ms <= now_ms else _NOT_DUE


def change_capacity(resource: Resource | None, delta: int) -> Changed | Refused:
    """Ask to add ``delta`` units (negative: take away); a resource of None begins with nothing.

    Guards: INVALID_AMOUNT (0, or one that goes beyond ``AMOUNT_MAX``); BELOW_HELD, with what could
    be taken away.
    """
    version, on_hand, held = (
        (0, 0, 0) if resource is None else (resource.version, resource.on_hand, resource.held)
    )
    if delta == 0 or abs(delta) > AMOUNT_MAX or on_hand + delta > AMOUNT_MAX:
        return _INVALID_AMOUNT
    if on_hand + delta < held:
        return Refused(Reason.BELOW_HELD, on_hand - held)
    return Changed(version + 1, on_hand + delta, held, delta, 0)


def set_capacity(resource: Resource, on_hand: int) -> Changed | Refused:
    """Ask to have ``on_hand`` units, whatever there were; none more or less is a change, too.

    Guards: INVALID_AMOUNT (negative, or beyond ``AMOUNT_MAX``); BELOW_HELD, with what could be
    taken away.
    """
    if not 0 <= on_hand <= AMOUNT_MAX:
        return _INVALID_AMOUNT
    if on_hand < resource.held:
        return Refused(Reason.BELOW_HELD, resource.available)
    return Changed(resource.version + 1, on_hand, resource.held, on_hand - resource.on_hand, 0)


def _phase_at(hold: Hold, now_ms: int) -> Phase:
    phase = hold.phase
    return _EXPIRED if phase == _HELD and hold.due_ms <= now_ms else phase


def _release(hold: Hold, resource: Resource | None) -> Released | Refused:
    if resource is None:
        return _UNKNOWN_RESOURCE
    amount = hold.amount
    return Released(resource.version + 1, resource.on_hand, resource.held - amount, 0, -amount)


def _settled(request: Request) -> dict[Phase, Again | Refused]:
    """Return the ready answers of ``request`` for the phases in which it moves nothing."""
    return {
        phase: Refused(step) if isinstance(step, Reason) else step
        for phase, step in TRANSITIONS[request].items()
        if phase is not None and not isinstance(step, Phase)
    }


# A member of an enum is looked up anew at each access, so the hot path keeps it.
_HELD, _EXPIRED, _FENCED = Phase.HELD, Phase.EXPIRED, Phase.FENCED
_INSUFFICIENT = Reason.INSUFFICIENT
_INVALID_AMOUNT = Refused(Reason.INVALID_AMOUNT)
_INVALID_TTL = Refused(Reason.INVALID_TTL)
_UNKNOWN_HOLD = Refused(Reason.UNKNOWN_HOLD)
_UNKNOWN_RESOURCE = Refused(Reason.UNKNOWN_RESOURCE)
_EXCEEDS_HOLD = Refused(Reason.EXCEEDS_HOLD)
_NOT_DUE = Refused(Reason.NOT_DUE)
_KNOWN_TRY = _settled(Request.TRY)
_SETTLED_CONFIRM = _settled(Request.CONFIRM)
_SETTLED_CANCEL = _settled(Request.CANCEL)
_SETTLED_EXTEND = _settled(Request.EXTEND)
_SETTLED_EXPIRE = _settled(Request.EXPIRE)
