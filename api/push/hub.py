"""The fan-out: each transition of an order to everybody who asked for it.

**Every version is a message.** Every fact that moves an order's version is pushed with ``seq`` =
version, also one after which the status is what it was (an operator's hand, a second parcel). So
the seqs of an order are 1, 2, 3 ... without a gap, and a client that got 4 and then 6 knows that it
missed one. Refusals answer a command, move no version and are no message.

A message is encoded once, whoever gets it. Each subscription has a bounded queue: who does not keep
up is dropped, never waited for and never buffered without bound.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple, Protocol

from api.push.metrics import PushMetrics
from schemas.read_model import (
    CHANGES,
    STATUS_AFTER,
    StateData,
    StateMessage,
    encode,
    rfc3339,
    status_text,
)
from schemas.record import Record

QUEUE_MESSAGES = 8_192
"""A queue holds references to messages that are shared: 8 bytes each, 64 KiB when full. It has
to hold one batch of the follower (2,000 facts, perhaps all of one shop), and three in reserve."""

RECENT_ORDERS = 50_000
"""~50 s of 1,000 orders a second; two dictionary entries each, ~15 MB when full."""


class Fact(Protocol):
    """A public fact of an order, as the follower has it."""

    @property
    def key(self) -> str:
        """The order's number."""

    @property
    def kind(self) -> type[Record]:
        """The type of the record."""

    @property
    def record(self) -> Any:
        """The record, one of ``order.events``."""

    @property
    def timestamp_ms(self) -> int:
        """The broker's time, epoch milliseconds."""


class Interest(NamedTuple):
    """What a subscription is for: a shop's orders, or only a user's, or one of the user's.

    ``shop_id`` 0: the orders of every shop.
    """

    shop_id: int
    user_id: int | None = None
    order_no: str | None = None

    def covers(self, shop_id: int, user_id: int, order_no: str) -> bool:
        """Say whether an order of that owner belongs to it."""
        return (
            self.shop_id in (0, shop_id)
            and self.user_id in (None, user_id)
            and self.order_no in (None, order_no)
        )


EVERY_SHOP = Interest(0)


class Message(NamedTuple):
    """One message. ``text`` is its JSON; None: the status is not known here, only the version.

    ``timestamp_ms`` is that of the fact (epoch ms).
    """

    order_no: str
    seq: int
    text: str | None
    timestamp_ms: int


class TooSlow(Exception):
    """The subscriber did not keep up and was dropped."""


class Subscription:
    """One subscriber's bounded queue; ``overflowed`` is set when it did not keep up."""

    def __init__(self, interest: Interest, capacity: int) -> None:
        self.interest = interest
        self.overflowed = asyncio.Event()
        self._capacity = capacity
        self._queue: deque[Message] = deque()
        self._wake = asyncio.Event()

    def offer(self, message: Message) -> bool:
        """Queue a message; False when this one made the queue overflow: nothing comes after it."""
        if self.overflowed.is_set():
            return True
        self._wake.set()
        if len(self._queue) < self._capacity:
            self._queue.append(message)
            return True
        self.overflowed.set()
        self._queue.clear()
        return False

    async def batch(self) -> list[Message]:
        """Wait for messages and take all there are; raise TooSlow when the queue overflowed."""
        await self._wake.wait()
        if self.overflowed.is_set():
            raise TooSlow
        self._wake.clear()
        batch = list(self._queue)
        self._queue.clear()
        return batch


class RecentOrders:
    """Whose the orders are that moved last, and which a user's are; the oldest go first."""

    def __init__(self, limit: int = RECENT_ORDERS) -> None:
        self._limit = limit
        self._owners: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._by_owner: dict[tuple[int, int], dict[str, None]] = {}

    def owner(self, fact: Fact) -> tuple[int, int]:
        """Return (shop, user) of a fact's order and keep them."""
        order_no = fact.key
        owner = self._owners.get(order_no)
        if owner is not None:
            self._owners.move_to_end(order_no)
            return owner
        record = fact.record
        owner = self._owners[order_no] = (record.shop_id, record.user_id)
        self._by_owner.setdefault(owner, {})[order_no] = None
        if len(self._owners) > self._limit:
            self._forget(*self._owners.popitem(last=False))
        return owner

    def of(self, shop_id: int, user_id: int) -> Collection[str]:
        """Return the numbers of a user's orders."""
        return tuple(self._by_owner.get((shop_id, user_id), ()))

    def _forget(self, order_no: str, owner: tuple[int, int]) -> None:
        orders = self._by_owner[owner]
        del orders[order_no]
        if not orders:
            del self._by_owner[owner]


class Hub:
    """Subscriptions by what they are for; everything runs on the event loop."""

    def __init__(
        self,
        recent: Callable[[str], Sequence[Fact]],
        metrics: PushMetrics,
        capacity: int = QUEUE_MESSAGES,
    ) -> None:
        self.orders = RecentOrders()
        self._recent = recent
        self._metrics = metrics
        self._capacity = capacity
        self._subscriptions: dict[Interest, dict[Subscription, None]] = {}

    def subscribe(self, interest: Interest) -> Subscription:
        """Return a subscription that gets every message from now on."""
        subscription = Subscription(interest, self._capacity)
        self._subscriptions.setdefault(interest, {})[subscription] = None
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription."""
        found = self._subscriptions[subscription.interest]
        del found[subscription]
        if not found:
            del self._subscriptions[subscription.interest]

    def publish(self, facts: Sequence[Fact]) -> None:
        """Send a batch of facts, in their order; the follower's listener."""
        for fact in facts:
            if fact.kind in CHANGES:
                self._send(fact)

    def _send(self, fact: Fact) -> None:
        shop_id, user_id = self.orders.owner(fact)
        message = None
        for interest in (
            Interest(shop_id, user_id),
            Interest(shop_id, user_id, fact.key),
            Interest(shop_id),
            EVERY_SHOP,
        ):
            for subscription in self._subscriptions.get(interest, ()):
                if message is None:
                    message = self._message(fact)
                if not subscription.offer(message):
                    self._metrics.dropped.inc()

    def _message(self, fact: Fact) -> Message:
        record = fact.record
        status = STATUS_AFTER[fact.kind] or self._status(fact)
        if status is None:
            return Message(fact.key, record.version, None, fact.timestamp_ms)
        data = StateData(fact.key, status, status_text(status), rfc3339(fact.timestamp_ms))
        text = encode(StateMessage(data, record.trace_id, record.version)).decode()
        return Message(fact.key, record.version, text, fact.timestamp_ms)

    def _status(self, fact: Fact) -> str | None:
        """Return the status that ``fact`` left as it was; None: what was before is not known."""
        status: str | None = None
        version, last = fact.record.version, 0
        for earlier in self._recent(fact.key):
            if earlier.kind in CHANGES and last < earlier.record.version < version:
                unbroken = earlier.record.version == last + 1
                status = STATUS_AFTER[earlier.kind] or (status if unbroken else None)
                last = earlier.record.version
        return status if last == version - 1 else None
