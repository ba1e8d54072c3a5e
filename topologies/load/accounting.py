"""What became of each order that was sent; pure, told of facts and times from outside."""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from typing import Final

from schemas import order
from schemas.record import Record
from topologies.load.latency import Latency, latency
from topologies.load.payers import PROMPT, Payer


class State(IntEnum):
    """The last that was heard of an order."""

    SENT = 0
    PLACED = 1
    CREATED = 2
    PAYING = 3
    PAID = 4
    CONFIRMED = 5
    PARTLY_SHIPPED = 6
    SHIPPED = 7
    COMPLETED = 8
    CANCELLING = 9
    CANCELLED = 10
    EXPIRED = 11
    REJECTED = 12
    REFUNDING = 13
    PARTLY_REFUNDED = 14
    REFUNDED = 15
    PARKED = 16
    REFUSED = 17  # it never became an order: the intent was not admitted


STATES: Final[dict[type[Record], State]] = {
    order.OrderPlaced: State.PLACED,
    order.OrderCreated: State.CREATED,
    order.OrderPaymentOpened: State.PAYING,
    order.OrderPaid: State.PAID,
    order.OrderConfirmed: State.CONFIRMED,
    order.OrderPartlyShipped: State.PARTLY_SHIPPED,
    order.OrderShipped: State.SHIPPED,
    order.OrderCompleted: State.COMPLETED,
    order.OrderCancelling: State.CANCELLING,
    order.OrderCancelled: State.CANCELLED,
    order.OrderExpired: State.EXPIRED,
    order.OrderRejected: State.REJECTED,
    order.OrderRefunding: State.REFUNDING,
    order.OrderPartlyRefunded: State.PARTLY_REFUNDED,
    order.OrderRefunded: State.REFUNDED,
    order.OrderParked: State.PARKED,
}
STAYS: Final = frozenset(
    {order.OrderAmended, order.OrderOperated, order.OrderRepeated, order.OrderRefused}
)
"""Facts that leave an order in the state that it is in."""
ENDS: Final = frozenset(
    {
        State.COMPLETED,
        State.CANCELLED,
        State.EXPIRED,
        State.REJECTED,
        State.REFUNDED,
        State.PARKED,
        State.REFUSED,
    }
)


class Accounts:
    """Follows the orders of one run by their index (0, 1, 2 ... as sent).

    ``completes``: whether a confirmed order goes on to COMPLETED; otherwise CONFIRMED is its end.
    """

    def __init__(self, completes: bool) -> None:
        self._ends = ENDS if completes else ENDS | {State.CONFIRMED}
        self._sent_s: list[float] = []
        self._created_s: list[float] = []
        self._payers: list[Payer] = []
        self._states: list[State] = []
        self._seen: list[int] = []  # one bit per state
        self._numbers: list[str] = []
        self._create_s: list[float] = []
        self._pay_s: list[float] = []
        self.settled = self.paid = self.decided = self.repeats = 0
        self.doubled: list[tuple[str, str]] = []

    @property
    def sent(self) -> int:
        """How many orders were sent."""
        return len(self._sent_s)

    def send(self, payer: Payer, now_s: float) -> int:
        """Note that the next order leaves now; return its index."""
        self._sent_s.append(now_s)
        self._created_s.append(0.0)
        self._payers.append(payer)
        self._states.append(State.SENT)
        self._seen.append(0)
        self._numbers.append("")
        return len(self._sent_s) - 1

    def payer(self, index: int) -> Payer:
        """Return how the buyer of an order behaves."""
        return self._payers[index]

    def take(self, index: int, order_no: str, state: State, now_s: float) -> bool:
        """Note a fact of an order; False when it was heard before.

        One order sent must be one order: another number for the same index is kept in ``doubled``.
        """
        number = self._numbers[index]
        if not number:
            self._numbers[index] = order_no
        elif number != order_no:
            self.doubled.append((number, order_no))
            return False
        bit = 1 << state
        if self._seen[index] & bit:
            self.repeats += 1
            return False
        self._seen[index] |= bit
        was, ends = self._states[index], self._ends
        self._states[index] = state
        self.settled += (state in ends) - (was in ends)
        if state is State.CREATED:
            self.decided += 1
            self._created_s[index] = now_s
            self._create_s.append(now_s - self._sent_s[index])
        elif state is State.REJECTED:
            self.decided += 1
            self._create_s.append(now_s - self._sent_s[index])
        elif state is State.PAID:
            self.paid += 1
            if self._payers[index] in PROMPT and self._created_s[index]:
                self._pay_s.append(now_s - self._created_s[index])
        return True

    def refuse(self, index: int) -> bool:
        """Note that an intent was not admitted; False when its order is known by now."""
        if self._states[index] is not State.SENT:
            return False
        self._states[index] = State.REFUSED
        self.settled += 1
        return True

    def create_latency(self) -> Latency:
        """Return the times from sending an order to seeing it created or rejected."""
        return latency(self._create_s)

    def pay_latency(self) -> Latency:
        """Return the times from seeing an order created to seeing it paid, of prompt payers."""
        return latency(self._pay_s)

    def by_state(self) -> dict[State, Counter[Payer]]:
        """Return how many orders are in each state, by payer; empty states are left out."""
        table: dict[State, Counter[Payer]] = {}
        for state, payer in zip(self._states, self._payers, strict=True):
            table.setdefault(state, Counter())[payer] += 1
        return dict(sorted(table.items()))

    def missing(self) -> list[tuple[int, str, State]]:
        """Return (index, order number if known, last state) of every order that is not settled."""
        return [
            (index, self._numbers[index], state)
            for index, state in enumerate(self._states)
            if state not in self._ends
        ]

    def numbers(self) -> list[str]:
        """Return the numbers of all orders that were heard of."""
        return [number for number in self._numbers if number]
