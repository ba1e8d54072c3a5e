r"""What is owed to the endpoints, in Redis: per endpoint and order the events, in their order.

Redis and not Kafka: a message may wait for three days while others pass it, and a log knows no
such thing. What is lost with Redis is not lost with it: the facts are in Kafka, and
``POST /admin/events/resend`` owes an order's events again. A process that dies loses nothing, as
every change is one script, and what it was delivering is claimed again when its lease is over.

All keys of an endpoint carry its number in braces, so that a Redis Cluster keeps them together:

============================  =====================================================================
key                           value
============================  =====================================================================
``wh:{id}:at``                hash: partition of order.events -> offset of the last fact owed
``wh:{id}:due``               sorted set: order_no by the time (epoch ms) of its next delivery
``wh:{id}:owed:<order_no>``   sorted set: ``<fact's epoch ms>\n<body>`` by version
``wh:{id}:tries``             hash: order_no -> failed tries of the order's first event
``wh:{id}:log``               stream: deliveries 1-0, 2-0, 3-0 ..., the last LOG_KEPT
============================  =====================================================================

``at`` is moved together with what is owed, so a fact that is read again is not owed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from api.webhooks.schedule import Outcome

LOG_KEPT = 1_000  # deliveries of an endpoint, ~1 KB each with the body
_KEPT_S = 8 * 24 * 3600  # longer than anything is owed, so nothing of a removed endpoint stays

_OWE = """
local at = tonumber(ARGV[1] ~= '' and redis.call('HGET', KEYS[1], ARGV[1]) or '-1') or -1
for i = 3, #ARGV, 4 do
  local offset, order_no = tonumber(ARGV[i]), ARGV[i + 1]
  if ARGV[1] == '' or offset > at then
    local owed = KEYS[3] .. order_no
    redis.call('ZADD', owed, ARGV[i + 2], ARGV[i + 3])
    redis.call('EXPIRE', owed, KEPT)
    redis.call('ZADD', KEYS[2], 'NX', ARGV[2], order_no)
    at = offset
  end
end
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', at)) end
redis.call('EXPIRE', KEYS[1], KEPT)
redis.call('EXPIRE', KEYS[2], KEPT)
""".replace("KEPT", str(_KEPT_S))

_CLAIM = """
local found = {}
for _, order_no in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE',
                                     'LIMIT', 0, ARGV[3])) do
  local head = redis.call('ZRANGE', KEYS[2] .. order_no, 0, 0, 'WITHSCORES')
  if #head == 0 then
    redis.call('ZREM', KEYS[1], order_no)
  else
    redis.call('ZADD', KEYS[1], ARGV[2], order_no)
    local tries = redis.call('HGET', KEYS[3], order_no) or '0'
    table.insert(found, {order_no, head[2], head[1], tries})
  end
end
local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {found, next[2] or ''}
"""

_SETTLE = """
local order_no, version = ARGV[1], ARGV[2]
local owed = KEYS[2] .. order_no
if ARGV[3] == '' then
  redis.call('ZREMRANGEBYSCORE', owed, version, version)
  redis.call('HDEL', KEYS[3], order_no)
  if redis.call('ZCARD', owed) == 0 then
    redis.call('ZREM', KEYS[1], order_no)
  else
    redis.call('ZADD', KEYS[1], ARGV[4], order_no)
  end
else
  redis.call('HINCRBY', KEYS[3], order_no, 1)
  redis.call('EXPIRE', KEYS[3], KEPT)
  redis.call('ZADD', KEYS[1], ARGV[3], order_no)
end
local last = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)
local n = #last == 0 and 1 or tonumber(string.match(last[1][1], '^%d+')) + 1
redis.call('XADD', KEYS[4], 'MAXLEN', LOG, string.format('%.0f-0', n), 'd', ARGV[5])
redis.call('EXPIRE', KEYS[4], KEPT)
""".replace("KEPT", str(_KEPT_S)).replace("LOG", str(LOG_KEPT))


class Owed(NamedTuple):
    """An event for an endpoint. ``offset`` is the fact's in its partition of order.events."""

    offset: int
    order_no: str
    version: int
    occurred_at_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Claimed:
    """The first event of an order, to be delivered before the lease is over."""

    order_no: str
    version: int
    occurred_at_ms: int
    body: bytes
    tries: int
    """Those that failed before."""


class Claims(NamedTuple):
    """What was due, and when (epoch ms) something is due next; None: nothing is owed."""

    due: tuple[Claimed, ...]
    next_ms: int | None


class Delivery(msgspec.Struct, frozen=True):
    """A try to deliver, as the log has it. ``status`` is None when there was no answer."""

    order_no: str
    version: int
    attempt: int
    outcome: Outcome
    status: int | None
    duration_ms: int
    at_ms: int
    error: str
    occurred_at_ms: int
    body: str


class DeliveryQueue:
    """The queue of all endpoints. Every method raises ``redis.RedisError`` while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._owe = redis.register_script(_OWE)
        self._claim = redis.register_script(_CLAIM)
        self._settle = redis.register_script(_SETTLE)

    async def owe(
        self, endpoint_id: str, partition: str, events: Sequence[Owed], now_ms: int
    ) -> None:
        """Owe events of one partition, in the order of the log; those owed before change nothing.

        ``partition`` names it with its topic's incarnation.
        """
        await self._add(endpoint_id, partition, events, now_ms)

    async def owe_again(self, endpoint_id: str, events: Sequence[Owed], now_ms: int) -> None:
        """Owe events whether they were owed before or not; they take their places in order."""
        await self._add(endpoint_id, "", events, now_ms)

    async def _add(
        self, endpoint_id: str, partition: str, events: Sequence[Owed], now_ms: int
    ) -> None:
        arguments: list[Any] = [partition, now_ms]
        for event in events:
            member = f"{event.occurred_at_ms}\n".encode() + event.body
            arguments += (event.offset, event.order_no, event.version, member)
        keys = _keys(endpoint_id, "at", "due", "owed:")
        await self._owe(keys, arguments)

    async def claim(self, endpoint_id: str, now_ms: int, lease_ms: int, most: int) -> Claims:
        """Take the first events of up to ``most`` orders that are due, for ``lease_ms``."""
        keys = _keys(endpoint_id, "due", "owed:", "tries")
        found, following = await self._claim(keys, [now_ms, now_ms + lease_ms, most])
        claimed = []
        for order_no, version, member, tries in found:
            occurred_at, _, body = member.partition(b"\n")
            claimed.append(
                Claimed(order_no.decode(), int(version), int(occurred_at), body, int(tries))
            )
        return Claims(tuple(claimed), int(float(following)) if following else None)

    async def settle(
        self, endpoint_id: str, delivery: Delivery, again_at_ms: int | None, now_ms: int
    ) -> None:
        """Write what became of a try in the log; the event is due again, or (None) owed no more."""
        keys = _keys(endpoint_id, "due", "owed:", "tries", "log")
        again_at = "" if again_at_ms is None else again_at_ms
        entry = msgspec.json.encode(delivery)
        arguments: list[Any] = [delivery.order_no, delivery.version, again_at, now_ms, entry]
        await self._settle(keys, arguments)

    async def log(
        self, endpoint_id: str, before: int | None, most: int
    ) -> list[tuple[int, Delivery]]:
        """Return the last deliveries below number ``before``, newest first, with their numbers."""
        (key,) = _keys(endpoint_id, "log")
        newest = "+" if before is None else f"({before}-0"
        entries: Any = await self._redis.xrevrange(key, newest, "-", most)
        return [_entry(entry) for entry in entries]

    async def delivery(self, endpoint_id: str, number: int) -> Delivery | None:
        """Return one delivery of the log; None when it is not there (any more)."""
        (key,) = _keys(endpoint_id, "log")
        entries: Any = await self._redis.xrange(key, f"{number}-0", f"{number}-0")
        return _entry(entries[0])[1] if entries else None

    async def owed_orders(self, endpoint_id: str) -> int:
        """Return of how many orders something is owed."""
        (key,) = _keys(endpoint_id, "due")
        return int(await self._redis.zcard(key))

    async def forget(self, endpoint_id: str) -> None:
        """Owe an endpoint nothing, and forget what it was sent."""
        at, due, owed, tries, log = _keys(endpoint_id, "at", "due", "owed:", "tries", "log")
        while True:
            orders: Any = await self._redis.zpopmin(due, 1_000)
            if not orders:
                break
            await self._redis.unlink(*(f"{owed}{order.decode()}" for order, _score in orders))
        await self._redis.unlink(at, tries, log)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _keys(endpoint_id: str, *names: str) -> list[str]:
    return [f"wh:{{{endpoint_id}}}:{name}" for name in names]


def _entry(entry: Any) -> tuple[int, Delivery]:
    number, fields = entry
    return int(number.partition(b"-")[0]), msgspec.json.decode(fields[b"d"], type=Delivery)
