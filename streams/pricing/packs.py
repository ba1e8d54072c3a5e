"""The published packs of every shop, and which of them prices an order."""

from __future__ import annotations

from typing import Protocol

from schemas.promotion import RulePack
from streams.pricing.compiled import CompiledPack, InvalidPack, compile_pack


class Packs(Protocol):
    """Published packs; a snapshot that does not change during one call."""

    def in_force(self, shop_id: int, at_ms: int) -> CompiledPack | None:
        """Return what a shop's carts are priced by at a moment (epoch ms); None: by nothing."""


class Shelf:
    """Packs as they are published; of a shop's, the one published last before then is in force."""

    def __init__(self) -> None:
        self._published: dict[int, list[tuple[int, CompiledPack]]] = {}

    def put(self, pack: RulePack, at_ms: int) -> None:
        """Take in a pack that was published at ``at_ms``; one that cannot be compiled is none."""
        try:
            compiled = compile_pack(pack)
        except InvalidPack:
            return
        others = [
            one
            for one in self._published.get(pack.shop_id, ())
            if (one[1].pack.pack_id, one[1].pack.version) != (pack.pack_id, pack.version)
        ]
        published = sorted([*others, (at_ms, compiled)], key=lambda one: one[0])
        self._published[pack.shop_id] = published

    def in_force(self, shop_id: int, at_ms: int) -> CompiledPack | None:
        """Return the pack published last at ``at_ms`` or before."""
        for published_ms, pack in reversed(self._published.get(shop_id, ())):
            if published_ms <= at_ms:
                return pack
        return None


def pin_of(pack: RulePack) -> str:
    """Return how an order names the version of a pack."""
    return f"{pack.pack_id}@{pack.version}"
