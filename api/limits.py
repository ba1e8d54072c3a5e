"""Limits and remembered answers: one round trip to Redis per request, and life goes on without it.

Redis judges a request's limits and its idempotency record in one script (``limits.lua``), by its
own clock, so all API processes share one truth. It may be away: a call has a time limit, and
after some failures in a row nobody asks for a while. Limits are kept in this process then, and
answers are not remembered; the stream still makes one order of a repeated request. One request now
and then tries Redis again, so it comes back by itself.

All keys of a shop have the hash tag ``{shop}``: in a Redis Cluster they lie on one node.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import structlog
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from redis.exceptions import NoScriptError, RedisError

from api.auth import ASKER, Principal, Scope
from api.batches import Batches
from api.headers import RATES
from api.problems import Code, Refused
from api.rates import SECOND_US, Charge, Policy, Question, Record, Reply, draw, headers
from api.settings import ApiSettings

log = structlog.get_logger()

T = TypeVar("T")

REMEMBER_MS = 24 * 3600 * 1000
"""How long an answer is remembered; the orders stage keeps a finished order's tombstone as long."""

CLAIM_MS = 10_000  # a process that died with a claim is waited for no longer
_CALL_LIMIT_S = 0.05
_FAILURES = 3  # in a row, and Redis is left alone
_PAUSE_S = 1.0  # one request in so long tries again, and waits 2 x _CALL_LIMIT_S at most
_LOCAL_BUCKETS = 100_000  # ~150 bytes each: 15 MB a process
_SUBJECT_CHARS = 64
_FINGERPRINT_BYTES = 32


class Policies(NamedTuple):
    """Rates by who asks and for what; a sku's is for all who want it together."""

    read: Policy
    write: Policy
    service: Policy
    """For tokens with the scope shop or operator: they act for many."""
    sku: Policy
    caller: Policy
    """For requests without a token, by where they come from."""


def policies(settings: ApiSettings) -> Policies:
    """Return the rates that the settings name."""
    return Policies(
        read=Policy.parse("read", settings.read_rate),
        write=Policy.parse("write", settings.write_rate),
        service=Policy.parse("service", settings.service_rate),
        sku=Policy.parse("sku", settings.sku_rate),
        caller=Policy.parse("caller", settings.caller_rate),
    )


class Admission(NamedTuple):
    """A request that may go on.

    ``answer``: what an equal request was answered before, to be given again; ``is_repeat``: an
    equal request is being judged, or was. ``headers`` belong into the response.
    """

    headers: dict[str, str]
    answer: bytes | None = None
    is_repeat: bool = False
    record: str = ""
    fingerprint: bytes = b""


class Standing(NamedTuple):
    """What health and metrics show."""

    redis_well: bool
    failures: int
    """Calls to Redis that failed since the start."""
    local: int
    """Requests that were judged without it."""


class Judge(Protocol):
    """What judges a question: Redis for all processes, or this process alone."""

    async def ask(self, question: Question) -> Reply:
        """Judge and charge at once."""


class RedisJudge:
    """Asks Redis; every call raises RedisError, OSError or TimeoutError when it is away."""

    def __init__(self, url: str, limit_s: float = _CALL_LIMIT_S) -> None:
        self._batches = Batches(url, limit_s)
        self._script = files("api").joinpath("limits.lua").read_text()
        # Redis names scripts so.
        self._digest = hashlib.sha1(self._script.encode(), usedforsecurity=False).hexdigest()

    async def ask(self, question: Question) -> Reply:
        """Judge and charge in one script."""
        keys = [charge.key for charge in question.charges]
        args: list[bytes | int | str] = [question.fingerprint, CLAIM_MS]
        if question.record:
            keys.append(question.record)
        for _, policy, only_new in question.charges:
            args += (policy.interval_us, policy.window_us, int(only_new))
        try:
            told = await self._batches.ask("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:  # a server that is new to it
            told = await self._batches.ask("EVAL", self._script, len(keys), *keys, *args)
        line, _, answer = told.partition(b"\n")
        record, wait_us, *rest = map(int, line.split())
        count = len(question.charges)
        return Reply(Record(record), answer, tuple(rest[count:]), wait_us, tuple(rest[:count]))

    async def remember(self, record: str, fingerprint: bytes, answer: bytes) -> None:
        """Keep the answer of a request for REMEMBER_MS."""
        await self._batches.ask("SET", record, fingerprint + answer, "PX", REMEMBER_MS)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._batches.close()


class LocalJudge:
    """Judges by what this process saw. It remembers no answers: every record is NEW."""

    def __init__(self, clock_us: Callable[[], int] = lambda: time.monotonic_ns() // 1000) -> None:
        self._clock_us = clock_us
        self._tats: dict[str, int] = {}

    async def ask(self, question: Question) -> Reply:
        """Judge and charge."""
        now_us, tats = self._clock_us(), self._tats
        before = [max(tats.get(one.key, 0), now_us) for one in question.charges]
        drawn = [
            draw(tat, now_us, one.policy) for tat, one in zip(before, question.charges, strict=True)
        ]
        limited = tuple(index for index, (_, wait_us) in enumerate(drawn) if wait_us)
        after = before if limited else [tat for tat, _ in drawn]
        if not limited:
            self._make_room(now_us)
            tats.update(zip((one.key for one in question.charges), after, strict=True))
        return Reply(
            record=Record.NEW,
            answer=b"",
            limited=limited,
            wait_us=max((wait_us for _, wait_us in drawn), default=0),
            ahead_us=tuple(tat - now_us for tat in after),
        )

    def _make_room(self, now_us: int) -> None:
        if len(self._tats) < _LOCAL_BUCKETS:
            return
        # A full bucket says nothing; when none is, forgetting all errs on the client's side.
        self._tats = {key: tat for key, tat in self._tats.items() if tat > now_us}
        if len(self._tats) >= _LOCAL_BUCKETS:
            self._tats.clear()


class Limits:
    """What every request asks before anything else; ``redis_url`` None: this process alone."""

    def __init__(
        self,
        redis_url: str | None,
        policies: Policies,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policies = policies
        self._clock_s = clock_s
        self._redis = None if redis_url is None else RedisJudge(redis_url)
        self._local = LocalJudge(lambda: int(clock_s() * SECOND_US))
        self._in_a_row = 0
        self._again_at_s = 0.0
        self._failures = 0
        self._judged_here = 0

    async def admit(
        self,
        who: Principal,
        route: str,
        *,
        writes: bool,
        skus: Sequence[int] = (),
        key: str = "",
        fingerprint: bytes = b"",
    ) -> Admission:
        """Charge a request of ``who`` to ``route``, and look up its key when it has one.

        ``fingerprint`` is the SHA-256 of what is asked for. Raises Refused: RATE_LIMITED, or
        IDEMPOTENCY_CONFLICT when the key was used for something else.
        """
        if bool(key) != (len(fingerprint) == _FINGERPRINT_BYTES):
            raise ValueError("a key comes with a fingerprint of 32 bytes")
        subject = who.subject[:_SUBJECT_CHARS]
        owner = f"{{{who.shop_id}}}:{subject}"
        charges = [Charge(f"limit:{owner}:{route}", self._policy(who, writes))]
        for sku_id in dict.fromkeys(skus):
            name = f"limit:{{{who.shop_id}}}:sku:{sku_id}"
            charges.append(Charge(name, self._policies.sku, only_new=True))
        # A client's key is as long as it likes; its hash is not.
        digest = hashlib.sha256(key.encode()).hexdigest()
        record = f"answer:{owner}:{route}:{digest}" if key else ""
        reply = await self._ask(Question(charges, record, fingerprint))
        told = _told(charges, reply)
        if reply.record is Record.CONFLICT:
            detail = "this key was used for another request; send a new key"
            raise Refused("IDEMPOTENCY_CONFLICT", detail, headers=told)
        return Admission(
            headers=told,
            answer=reply.answer if reply.record is Record.ANSWERED else None,
            is_repeat=reply.record is not Record.NEW,
            record=record,
            fingerprint=fingerprint,
        )

    async def admit_caller(self, address: str, route: str) -> None:
        """Charge a request that needs no token to its address, in this process alone.

        Raises Refused (RATE_LIMITED).
        """
        charges = [Charge(f"limit:{address}:{route}", self._policies.caller)]
        _told(charges, await self._local.ask(Question(charges)))

    async def remember(self, admission: Admission, answer: bytes) -> None:
        """Keep the answer of an admitted request with a key; never fails."""
        if self._redis is not None and admission.record and self._may_try():
            await self._try(self._redis.remember(admission.record, admission.fingerprint, answer))

    def standing(self) -> Standing:
        """Return what there is to show."""
        is_well = self._redis is not None and self._in_a_row < _FAILURES
        return Standing(is_well, self._failures, self._judged_here)

    async def close(self) -> None:
        """Let go of Redis."""
        if self._redis is not None:
            await self._redis.close()

    def _policy(self, who: Principal, writes: bool) -> Policy:
        if not who.scopes.isdisjoint({Scope.SHOP, Scope.OPERATOR}):
            return self._policies.service
        return self._policies.write if writes else self._policies.read

    async def _ask(self, question: Question) -> Reply:
        if self._redis is not None and self._may_try():
            reply = await self._try(self._redis.ask(question))
            if reply is not None:
                return reply
        self._judged_here += 1
        return await self._local.ask(question)

    async def _try(self, call: Awaitable[T]) -> T | None:
        """Return what Redis answers; None when it does not."""
        try:
            answer = await call
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            return None
        if self._in_a_row >= _FAILURES:
            log.info("limits_shared_again")
        self._in_a_row = 0
        return answer

    def _may_try(self) -> bool:
        """Say whether to ask Redis now; after failures one request in a while does."""
        if self._in_a_row < _FAILURES:
            return True
        if self._clock_s() < self._again_at_s:
            return False
        self._again_at_s = self._clock_s() + _PAUSE_S
        return True

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._in_a_row += 1
        self._again_at_s = self._clock_s() + _PAUSE_S
        if self._in_a_row == _FAILURES:
            # The error's own text may hold the address, and the address a password.
            log.warning("limits_kept_locally", why=type(error).__name__)


def _told(charges: Sequence[Charge], reply: Reply) -> dict[str, str]:
    """Return the headers of a request that may go on; raise Refused (RATE_LIMITED)."""
    told = headers(charges, reply)
    if reply.limited:
        what = charges[reply.limited[0]].policy.name
        raise Refused(
            Code.RATE_LIMITED,
            f"too many requests ({what}); try again in {told['Retry-After']} s",
            headers=told,
        )
    return told


# --- for the framework ---------------------------------------------------------------------------

OWN_LIMITS: Final = {"own_limits": True}
"""``opt`` of a route whose handler asks itself, because its request has a key or skus."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


async def limited(connection: ASGIConnection[Any, Any, Any, Any], route: BaseRouteHandler) -> None:
    """Charge a request to its route; a guard behind that of ``api/auth.py``."""
    scope = connection.scope
    who: Principal | None = scope["state"].get(ASKER)
    if who is None or route.opt.get("own_limits"):  # nobody has to be known on a public route
        return
    limits: Limits = connection.app.state.services.limits
    method, path = str(scope.get("method", "GET")), scope["path_template"]
    admission = await limits.admit(who, f"{method} {path}", writes=method not in _READING)
    scope["state"][RATES] = admission.headers
