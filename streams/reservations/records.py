"""What a stage keeps of resources and holds; a domain derives its own records from these.

Holds are records of their own, not parts of their resource: a hot resource has 100,000 of them, and
a movement rewrites only the resource and one hold.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from schemas.record import Record
from streams.reservations.phases import Phase

# An ended hold is remembered as long as a repeat or a contradiction of it can still come. The saga
# asks a step again for at most 270 s (orders.limits: 10 + 20 + 40 + 80 + 120 s), a hold takes part
# in two steps (its try; its confirm or cancel), and the inbox may lag behind while its partition is
# taken over: 2 * 270 s + 360 s = 15 min.
RETENTION_MS = 15 * 60 * 1000


class Resource(Record, frozen=True):
    """Something that can run out: ``on_hand`` units exist, ``held`` of them are promised.

    ``0 <= held <= on_hand`` always. ``version`` counts the movements: 1, 2, 3 ... without a gap.
    """

    version: int
    on_hand: int
    held: int

    @property
    def available(self) -> int:
        """Units that may still be held."""
        return self.on_hand - self.held


class Hold(Record, frozen=True):
    """A part of a resource set aside for ``owner``, or the memory of one that ended.

    ``resource_id``, ``owner`` and ``amount`` are the body of the try: the same id with another body
    is a conflict (a fence knows no amount: 0). ``spent`` is what a confirm took of ``amount``.
    ``due_ms`` is when a HELD hold expires, and when an ended one is forgotten. ``version``,
    ``on_hand`` and ``held`` are the resource's after this hold's last movement: with them an answer
    can be given again. ``trace_id`` is the try's, for the fact of its expiry; an ended hold drops
    it (an answer given again carries its asker's).
    """

    hold_id: str
    resource_id: str
    owner: str
    amount: int
    spent: int
    phase: Phase
    due_ms: int
    version: int
    on_hand: int
    held: int
    trace_id: str


H = TypeVar("H", bound=Hold)


def ended(
    hold: H, phase: Phase, spent: int, version: int, on_hand: int, held: int, now_ms: int
) -> H:
    """Return ``hold`` as it is remembered after its end, until ``RETENTION_MS`` from now.

    ``version``, ``on_hand`` and ``held`` are the resource's after the movement.
    """
    return msgspec.structs.replace(
        hold,
        phase=phase,
        spent=spent,
        version=version,
        on_hand=on_hand,
        held=held,
        due_ms=now_ms + RETENTION_MS,
        trace_id="",
    )


def prolonged(hold: H, expires_at_ms: int) -> H:
    """Return ``hold`` with another time of expiry."""
    return msgspec.structs.replace(hold, due_ms=expires_at_ms)
