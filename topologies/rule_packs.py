"""Published rule packs: every version of each, on a compacted topic."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import to_builtins
from msgspec.structs import replace

from schemas.codec import Codec
from schemas.errors import InvalidMessage
from schemas.promotion import Rule, RulePack
from schemas.topics import PROMOTION_PACKS
from topologies.appending import Appender
from topologies.reading import read


class Published(NamedTuple):
    """A version of a pack on the topic; ``is_new`` is False when it was there already."""

    pack: RulePack
    is_new: bool


def versions(kafka: str, codec: Codec) -> dict[tuple[int, str], list[RulePack]]:
    """Return the versions of each pack, by shop and id, the oldest first.

    Raises KafkaException and ReadStalled; entries that cannot be read are left out.
    """
    found: dict[str, RulePack] = {}
    for message in read(kafka, [PROMOTION_PACKS.name]):
        try:
            record = codec.decode(message.value())
        except InvalidMessage:
            continue
        if isinstance(record, RulePack):
            found[key_of(record)] = record
    packs: dict[tuple[int, str], list[RulePack]] = {}
    for pack in sorted(found.values(), key=lambda pack: (pack.shop_id, pack.pack_id, pack.version)):
        packs.setdefault((pack.shop_id, pack.pack_id), []).append(pack)
    return packs


def publish(kafka: str, codec: Codec, pack: RulePack) -> Published:
    """Publish a linted pack as the version after the last one; the same content is not repeated.

    Raises KafkaException when it is not taken. Two publishers of one pack at the same moment are
    not kept apart: the later record of a version stands.
    """
    before = versions(kafka, codec).get((pack.shop_id, pack.pack_id), [])
    last = before[-1] if before else None
    if last is not None and replace(last, version=0) == replace(pack, version=0):
        return Published(last, is_new=False)
    new = replace(pack, version=last.version + 1 if last is not None else 1)
    Appender(kafka).append(PROMOTION_PACKS.name, key_of(new).encode(), codec.encode(new))
    return Published(new, is_new=True)


def key_of(pack: RulePack) -> str:
    """Return the key of a version: no version replaces another."""
    return f"{pack.shop_id}/{pack.pack_id}/{pack.version}"


def named(published: Mapping[tuple[int, str], Sequence[RulePack]], name: str) -> RulePack | None:
    """Return the pack that ``SHOP/PACK`` (its last version) or ``SHOP/PACK@VERSION`` names."""
    parts = re.fullmatch(r"(\d+)/([^@]+)(?:@(\d+))?", name)
    if parts is None:
        return None
    shop_id, pack_id, version = parts.groups()
    packs = published.get((int(shop_id), pack_id), ())
    if version is None:
        return packs[-1] if packs else None
    return next((pack for pack in packs if pack.version == int(version)), None)


class Change(NamedTuple):
    """What is different: of ``what`` (a rule's id, or the pack), its field, before and after."""

    what: str
    field: str
    before: Any
    after: Any


def changes(old: RulePack, new: RulePack) -> list[Change]:
    """Return what is different, the pack's own values first, then its rules by id."""
    found: list[Change] = []
    for name in RulePack.__struct_fields__:
        if name not in ("rules", "examples", "version"):
            found += _change("pack", name, getattr(old, name), getattr(new, name))
    before = {rule.rule_id: rule for rule in old.rules}
    after = {rule.rule_id: rule for rule in new.rules}
    for rule_id in sorted(before.keys() | after.keys()):
        one, other = before.get(rule_id), after.get(rule_id)
        if one is None or other is None:
            there = "there" if one is not None else "not there"
            found.append(
                Change(rule_id, "rule", there, "there" if other is not None else "not there")
            )
            continue
        for name in Rule.__struct_fields__:
            found += _change(rule_id, name, getattr(one, name), getattr(other, name))
    return found


def _change(what: str, field: str, before: object, after: object) -> list[Change]:
    if before == after:
        return []
    return [Change(what, field, _plain(before), _plain(after))]


def _plain(value: object) -> Any:
    """Return a value as JSON says it, less what is not set."""
    plain = to_builtins(value)
    if isinstance(plain, dict):
        return {name: one for name, one in plain.items() if one is not None}
    return plain
