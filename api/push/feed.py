"""What one client has to be sent: each transition once, in order, also after it was away.

The seam between what it missed and what happens now is kept by the order of steps:

1. subscribe: from here on every message is in the queue (nothing can fall between 2 and 3);
2. replay what came after what the client has seen, and remember up to which seq of each order;
3. send what is in the queue, less what is not above that seq.

A seq that is not the next one of an order that the client knows is not sent on: what is missing is
read first. So whatever the queue's source skips or repeats, the client sees 1, 2, 3 ... or the feed
ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from api.push.hub import Hub, Interest, Message, Subscription
from schemas.read_model import OrderView, encode, messages

KNOWN_ORDERS = 10_000
"""Orders of which a feed remembers what it sent: ~1.5 MB for a shop's, a few entries for a user's.
A repeat comes within seconds of a worker's crash: 10 s of 1,000 orders a second."""


class Unreadable(Exception):
    """What a client missed cannot be read now; it may ask again later."""


class Resume(NamedTuple):
    """What a client has seen: the last seq of each order it names.

    Of its orders that it does not name it has seen nothing since ``since_ms`` (epoch ms; None: it
    wants no others).
    """

    seen: Mapping[str, int]
    since_ms: int | None = None


class History(Protocol):
    """What happened so far."""

    async def views(self, order_nos: Sequence[str]) -> Mapping[str, OrderView]:
        """Return the views of the orders that exist, no older than the hub's last message.

        Raises Unreadable.
        """

    async def changed(self, shop_id: int, user_id: int, since_ms: int) -> Sequence[str]:
        """Return a user's orders that changed since then; raise Unreadable."""


class Feed:
    """One client's messages. Close it, whatever happened."""

    def __init__(self, hub: Hub, history: History, interest: Interest) -> None:
        self._hub = hub
        self._history = history
        self._interest = interest
        self._subscription: Subscription = hub.subscribe(interest)
        self._sent: OrderedDict[str, int] = OrderedDict()

    def close(self) -> None:
        """Get no more messages."""
        self._hub.unsubscribe(self._subscription)

    async def overflowed(self) -> None:
        """Return when the client did not keep up, also while a message is on its way to it."""
        await self._subscription.overflowed.wait()

    async def missed(self, resume: Resume) -> list[Message]:
        """Return what the client did not see while it was away; raise Unreadable."""
        for order_no, seq in resume.seen.items():
            self._remember(order_no, seq)
        views = await self._history.views(list(resume.seen))
        found = [message for view in views.values() for message in self._after_last(view)]
        user_id, since_ms = self._interest.user_id, resume.since_ms
        if user_id is not None and since_ms is not None:
            changed = await self._history.changed(self._interest.shop_id, user_id, since_ms)
            others = [order_no for order_no in changed if order_no not in resume.seen]
            for view in (await self._history.views(others)).values():
                found += self._after_last(view, since_ms)
        return found

    async def live(self) -> AsyncIterator[list[Message]]:
        """Yield what happens now, in batches; raise TooSlow and Unreadable."""
        while True:
            sendable: list[Message] = []
            for message in await self._subscription.batch():
                last = self._sent.get(message.order_no)
                if last is not None and message.seq <= last:
                    continue
                if message.text is not None and (last is None or message.seq == last + 1):
                    self._remember(message.order_no, message.seq)
                    sendable.append(message)
                else:
                    sendable += await self._fill(message, message.seq - 1 if last is None else last)
            if sendable:
                yield sendable

    async def _fill(self, message: Message, last: int) -> list[Message]:
        """Return the messages after ``last``, up to ``message`` at the least."""
        order_no = message.order_no
        self._remember(order_no, last)
        view = (await self._history.views([order_no])).get(order_no)
        found = [] if view is None else self._after_last(view)
        if not found or found[0].seq != last + 1 or found[-1].seq < message.seq:
            raise Unreadable(f"order {order_no} from {last + 1} to {message.seq}")
        return found

    def _after_last(self, view: OrderView, since_ms: int = 0) -> list[Message]:
        """Return the messages of a view that were not sent, and count them as sent."""
        order_no = view.order_no
        if not self._interest.covers(view.shop_id, view.user_id, order_no):
            return []
        last = self._sent.get(order_no, 0)
        found = [
            Message(order_no, step.seq, encode(step).decode(), view.updated_at_ms)
            for step in messages(view, since_ms, last)
        ]
        self._remember(order_no, max(view.version, last))
        return found

    def _remember(self, order_no: str, seq: int) -> None:
        self._sent[order_no] = seq
        self._sent.move_to_end(order_no)
        if len(self._sent) > KNOWN_ORDERS:
            self._sent.popitem(last=False)
