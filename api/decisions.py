"""Hands commands to the stages, and waits for the facts that answer them.

A placement is decided by its order's facts, whoever placed it: every process that was sent the same
request waits for the same fact, and no lock is needed. Any other command is answered by the first
fact whose cause is its record in the inbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.follower import DECIDING, Expected, Follower, OrderFact, position_of
from api.occasional import Occasional
from api.problems import Code, Refused
from api.sender import RETRY_AFTER_S, Sender, Sent
from api.spool import Outgoing, SpoolFull
from schemas.codec import Codec
from schemas.order import (
    AmendOrder,
    OrderAmended,
    OrderPlaced,
    OrderRefunding,
    OrderRefused,
    PlaceOrder,
    RefundOrder,
    SkuUnits,
)
from schemas.record import Record
from schemas.topics import INVENTORY_COMMANDS, ORDER_COMMANDS, PAYMENT_COMMANDS
from streams.engine import cause
from streams.kernel.stage import Output

INBOXES = (ORDER_COMMANDS, INVENTORY_COMMANDS, PAYMENT_COMMANDS)

_GIVEN_UP_LATER = frozenset(
    {"AMEND_NOT_HELD", "AMEND_UNANSWERED", "ALREADY_PAID", "ORDER_ENDING", "ORDER_PARKED"}
)
"""Why a change that was under way is refused, by a fact that another record caused."""


_RECORD_BYTES = cause.CHANNEL_BYTES + 8  # of a cause: which inbox record it names
_TOGETHER_S = 0.05


class Unanswered(NamedTuple):
    """The command is safe, in Kafka or on disk, but no answer came in time.

    ``is_repeat``: it asks again for what is being judged.
    """

    is_repeat: bool = False


class Answers:
    """Recognises the facts that answer one command; ``position`` is set when it is in the inbox.

    ``position`` is how the causes of its outputs begin: see ``follower.position_of``.
    """

    def __init__(self) -> None:
        self.position = b""
        self.is_repeat = False

    def __call__(self, fact: OrderFact) -> bool:
        """Say whether ``fact`` is the answer."""
        return self.is_caused(fact)

    def is_caused(self, fact: OrderFact) -> bool:
        """Say whether the command's own record made ``fact``."""
        return bool(self.position) and fact.cause.startswith(self.position)

    def is_later(self, fact: OrderFact) -> bool:
        """Say whether a record that came after the command in its inbox made ``fact``."""
        own, stamp = self.position, fact.cause
        is_same_channel = stamp[: cause.CHANNEL_BYTES] == own[: cause.CHANNEL_BYTES]
        return bool(own) and is_same_channel and stamp[: len(own)] > own


class PlacementAnswers(Answers):
    """Recognises what answers a placement.

    The order's decision, if the order is this very one: another body under the same key is decided
    alike, and its decision is not for this request. Or else what its own record caused: a refusal,
    or that it is a repeat.
    """

    def __init__(self, command: PlaceOrder) -> None:
        super().__init__()
        self._command = command
        self._is_placed = False

    def __call__(self, fact: OrderFact) -> bool:
        """Say whether ``fact`` is the answer; facts come in their order."""
        if fact.kind is OrderPlaced:
            is_own = self.is_caused(fact)
            self._is_placed = is_own or self._is_same(fact.record)
            self.is_repeat = self._is_placed and not is_own and bool(self.position)
            return False
        if self.is_caused(fact):
            return True
        return self._is_placed and fact.kind in DECIDING

    def _is_same(self, placed: Record) -> bool:
        command = self._command
        return isinstance(placed, OrderPlaced) and (
            placed.fingerprint == command.fingerprint
            and placed.user_id == command.user_id
            and placed.shop_id == command.shop_id
        )


class AmendAnswers(Answers):
    """Recognises what answers a change, which may be done long after its record was applied."""

    def __init__(self, command: AmendOrder) -> None:
        super().__init__()
        self._command = command

    def __call__(self, fact: OrderFact) -> bool:
        """Say whether ``fact`` is the answer."""
        if self.is_caused(fact):
            return True
        record = fact.record if fact.kind in (OrderAmended, OrderRefused) else None
        if isinstance(record, OrderAmended):
            command = self._command
            return record.amend_key == command.amend_key and record.lines == command.lines
        if isinstance(record, OrderRefused) and self.is_later(fact):
            return record.command == AmendOrder.__name__ and record.reason in _GIVEN_UP_LATER
        return False


class RefundAnswers(Answers):
    """Recognises what answers a refund, which waits for holds that are being confirmed."""

    def __init__(self, command: RefundOrder) -> None:
        super().__init__()
        self._key = command.refund_key
        self._units = _counted(command.units)

    def __call__(self, fact: OrderFact) -> bool:
        """Say whether ``fact`` is the answer."""
        if self.is_caused(fact):
            return True
        record = fact.record if fact.kind is OrderRefunding else None
        if isinstance(record, OrderRefunding) and record.refund_key == self._key:
            return not self._units or _counted(record.units) == self._units
        return False


class Decisions:
    """The way of a command to its stage and back, for one process."""

    def __init__(
        self,
        codec: Codec,
        sender: Sender,
        follower: Follower,
        others: Mapping[str, Occasional],
        incarnations: Mapping[str, bytes],
        limit_s: float,
    ) -> None:
        """``follower`` has the orders' facts, ``others`` those of the other inboxes, by name.

        ``incarnations`` are those of INBOXES; ``limit_s`` is how long an answer is awaited.
        """
        self._encode = codec.encode
        self._sender = sender
        self._follower = follower
        self._others = others
        self._incarnations = incarnations
        self._limit_s = limit_s

    async def stop(self) -> None:
        """Stop what runs by itself."""
        for other in self._others.values():
            await other.stop()

    async def ask(self, output: Output) -> OrderFact | Unanswered:
        """Put a command into its inbox and return the fact that answers it.

        Raises Refused (UNAVAILABLE) when neither Kafka nor the disk takes it.
        """
        if output.topic == ORDER_COMMANDS.name:
            return await self._ask(output, self._follower)
        async with self._others[output.topic].lent() as follower:
            return await self._ask(output, follower)

    async def _ask(self, output: Output, follower: Follower) -> OrderFact | Unanswered:
        answers = _answers(output.message)
        expected = follower.expect(output.key, answers)
        try:
            if expected.future.done():
                return expected.future.result()  # a repeat of what was just done
            return await self._asked(output, answers, follower, expected)
        finally:
            follower.forget(expected)

    async def next_of(self, fact: OrderFact, kind: type[Record]) -> OrderFact | None:
        """Return the fact of ``kind`` that the inbox record of ``fact`` made, too; None: none.

        Facts of one record are written together, so it is there or will be in a moment.
        """
        own = fact.cause[:_RECORD_BYTES]
        expected = self._follower.expect(
            fact.key, lambda other: other.kind is kind and other.cause.startswith(own)
        )
        return await self._follower.wait(expected, _TOGETHER_S)

    async def _asked(
        self, output: Output, answers: Answers, follower: Follower, expected: Expected
    ) -> OrderFact | Unanswered:
        topic, key, message = output
        outgoing = Outgoing(topic, key.encode(), self._encode(message))
        try:
            outcome = await self._sender.send([outgoing])
        except SpoolFull as error:
            raise Refused(
                Code.UNAVAILABLE,
                "orders cannot be taken at the moment; try again",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from error
        if not isinstance(outcome, Sent):
            return Unanswered()
        (position,) = outcome.positions
        answers.position = position_of(
            self._incarnations, topic, position.partition, position.offset
        )
        follower.look(expected)
        fact = await follower.wait(expected, self._limit_s)
        return Unanswered(answers.is_repeat) if fact is None else fact


def _counted(units: Sequence[SkuUnits]) -> dict[int, int]:
    counted: dict[int, int] = {}
    for part in units:
        counted[part.sku_id] = counted.get(part.sku_id, 0) + part.qty
    return counted


def _answers(command: Record) -> Answers:
    if isinstance(command, PlaceOrder):
        return PlacementAnswers(command)
    if isinstance(command, AmendOrder):
        return AmendAnswers(command)
    if isinstance(command, RefundOrder):
        return RefundAnswers(command)
    return Answers()
