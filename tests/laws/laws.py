"""The laws that hold for any history; ``broken`` judges one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

import msgspec

from schemas import topics
from schemas.order import OrderRepeated, PlaceOrder
from streams.engine import cause, changelog
from streams.engine.fold import PartitionFold, cause_of
from streams.engine.memory import MemoryLog, distinct, incarnation
from streams.engine.store import MemoryStore
from streams.kernel.errors import StageDefect
from tests.laws.disturbed import CrashingWorld, UnrulyWorld
from tests.laws.history import History
from tests.laws.world import CODEC, STAGES, World
from topologies.audit.auditor import Auditor, Verdict

FACTS = (
    topics.ORDER_EVENTS,
    topics.PAYMENT_EVENTS,
    topics.INVENTORY_EVENTS,
    topics.PROMOTION_EVENTS,
)
INBOXES = tuple(stage.inbox for stage in STAGES.values())


class Sent(NamedTuple):
    """A record that a stage sent, as it is on the log."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def broken(history: History) -> list[str]:
    """Return what is wrong after a history, one line each: nothing, or there is a defect.

    1. Crashes, batch splits and repeated intents change no fact: played with the same turns, the
       facts are the same, byte for byte.
    2. In any interleaving, and whatever stands still meanwhile, the auditor finds nothing wrong
       once everything is at rest: above all, every order that was accepted is at an end, waits for
       its buyer, or is parked with a reason.
    3. What a stage said is a function of its inbox: told the whole of it at once it says the same
       again, byte for byte, and so do all repeats that a crash caused.
    4. Between stages nothing is said that is not understood.
    """
    calm, crashing, unruly = World(history), CrashingWorld(history), UnrulyWorld(history)
    for world in (calm, crashing, unruly):
        try:
            world.play(history)
        except StageDefect as defect:  # the worker would stop
            return [f"{type(world).__name__} stopped: {defect}"]
    found = [f"crashes changed a fact: {line}" for line in differences(calm, crashing)]
    for name, world in (("calm", calm), ("crashing", crashing), ("unruly", unruly)):
        found += [f"{name}: {line}" for line in _judged(world)]
    found += [f"replayed otherwise: {line}" for line in _replayed_otherwise(unruly)]
    return found


def verdict(world: World) -> Verdict:
    """Return the auditor's verdict over all facts of a world at rest."""
    auditor = Auditor()
    for topic in FACTS:
        for partition in range(world.log.partitions):
            for record in world.log.read(topic.name, partition):
                fact = CODEC.decode(record.value)
                fields = msgspec.to_builtins(fact, builtin_types=(bytes,))
                where = (topic.name, partition, record.headers, type(fact).__name__, fields)
                auditor.take(*where, record.offset)
    return auditor.verdict(final=True, expected=_accepted(world.log))


def _accepted(log: MemoryLog) -> set[str]:
    commands = (CODEC.decode(record.value) for record in log.records(topics.ORDER_COMMANDS.name))
    return {command.order_no for command in commands if isinstance(command, PlaceOrder)}


def _judged(world: World) -> Iterator[str]:
    yield from map(str, verdict(world).violations)
    for inbox in INBOXES:
        for letter in world.log.records(inbox.dead_letters):
            yield f"not understood on {inbox.name}: {dict(letter.headers)}"


def differences(one: World, other: World) -> Iterator[str]:
    """Yield the first difference between the facts of two worlds, for each key that has one."""
    for topic in FACTS:
        expected, found = _said(one.log, topic.name), _said(other.log, topic.name)
        for key in dict.fromkeys((*expected, *found)):
            if expected[key] != found[key]:
                yield f"{topic.name} of {key!r}: {_first_difference(expected[key], found[key])}"


def _first_difference(expected: list[bytes | None], found: list[bytes | None]) -> str:
    for one, other in zip_longest(expected, found):
        if one != other:
            shown = ("nothing" if value is None else CODEC.decode(value) for value in (one, other))
            return " became ".join(map(str, shown))
    return "none"


def _said(log: MemoryLog, topic: str) -> defaultdict[bytes | None, list[bytes | None]]:
    said: defaultdict[bytes | None, list[bytes | None]] = defaultdict(list)
    for record in distinct(log, topic):
        # There are as many of these answers as repeats, and the crashing world repeats on purpose.
        if not isinstance(CODEC.decode(record.value), OrderRepeated):
            said[record.key].append(record.value)
    return said


def _replayed_otherwise(world: World) -> Iterator[str]:
    again = MemoryLog(world.log.partitions)
    channels = set()
    for stage in STAGES.values():
        source = incarnation(stage.inbox.name)
        for partition in range(world.log.partitions):
            channels.add(cause.channel(source, partition))
            store = MemoryStore(stage.entities)
            fold = PartitionFold(
                stage, CODEC, source, partition, store, changelog.START, again.append
            )
            fold.apply(world.log.read(stage.inbox.name, partition))
    recorded, replayed = _by_cause(world.log, channels), _by_cause(again, channels)
    for stamp in sorted(recorded.keys() | replayed.keys()):
        if recorded[stamp] != replayed[stamp]:
            yield f"{cause.parse(stamp)}: {recorded[stamp]} became {replayed[stamp]}"


def _by_cause(log: MemoryLog, channels: set[bytes]) -> defaultdict[bytes, set[Sent]]:
    """Return what was sent under each cause on these channels: one record, however often."""
    sent: defaultdict[bytes, set[Sent]] = defaultdict(set)
    names = [topic.name for topic in topics.PUBLIC]
    for name in (*names, *(inbox.dead_letters for inbox in INBOXES)):
        for record in log.records(name):
            stamp = cause_of(record.headers)
            if stamp is not None and stamp[: cause.CHANNEL_BYTES] in channels:
                sent[stamp].add(Sent(name, record.key, record.value, tuple(record.headers)))
    return sent
