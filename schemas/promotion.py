"""Messages of promotions: ``promotion.packs`` is compacted, every version of a pack stands.

Money is in minor units of the pack's currency (fen), times are epoch milliseconds UTC, shares are
in basis points (1 bp = 0.01 %, 10,000 = all of it). docs/pricing.md says what the rules mean.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.record import Record

WHOLE_BP = 10_000
"""All of it, in basis points."""


class Level(StrEnum):
    """When a rule has its turn; the levels follow one another as they stand here."""

    ITEM = "ITEM"  # the price of each good by itself
    ORDER = "ORDER"  # of goods together
    COUPON = "COUPON"  # the same, for who presents a code
    POINTS = "POINTS"  # what the buyer earns
    FREIGHT = "FREIGHT"
    GIFT = "GIFT"


class Base(StrEnum):
    """Which amounts a rule looks at and takes its share of."""

    ORIGINAL = "ORIGINAL"  # list prices
    DISCOUNTED = "DISCOUNTED"  # what the rules before have left


class AmountOff(Record, frozen=True):
    """``fen`` off; at ITEM a unit, else once, or once for every ``every_fen``, ``times`` at most.

    0 for ``every_fen`` or ``times``: none.
    """

    fen: int
    every_fen: int = 0
    times: int = 0


class PercentOff(Record, frozen=True):
    """``bp`` of the base off, never more than ``up_to_fen`` (0: no bound)."""

    bp: int
    up_to_fen: int = 0


class FixedPrice(Record, frozen=True):
    """Every ``units`` units together cost ``fen``; the dearest are taken first."""

    fen: int
    units: int = 1


class NthItem(Record, frozen=True):
    """Of every ``nth`` units one, the cheapest, has ``bp`` of its price off."""

    nth: int
    bp: int


class Gift(Record, frozen=True):
    """``qty`` units of a sku for nothing."""

    sku_id: int
    qty: int = 1


class FreeFreight(Record, frozen=True):
    """Freight costs nothing, or ``up_to_fen`` less (0: no bound)."""

    up_to_fen: int = 0


class PointsMultiplier(Record, frozen=True):
    """Points are earned ``bp`` / 10,000 times: 20,000 doubles them."""

    bp: int


class DepositInflation(Record, frozen=True):
    """A deposit of ``deposit_fen`` a unit counts as ``counts_as_fen`` of its price."""

    deposit_fen: int
    counts_as_fen: int


class Effect(Record, frozen=True):
    """What a rule does: exactly one of these."""

    amount_off: AmountOff | None = None
    percent_off: PercentOff | None = None
    fixed_price: FixedPrice | None = None
    nth_item: NthItem | None = None
    gift: Gift | None = None
    free_freight: FreeFreight | None = None
    points_multiplier: PointsMultiplier | None = None
    deposit_inflation: DepositInflation | None = None


class Rule(Record, frozen=True):
    """One promotion.

    ``items`` says which goods it is about (empty: all), ``when`` what must hold (empty: nothing);
    both in the language of streams/pricing/expression.py. ``coupon`` is a code, or the beginning of
    codes followed by ``*``. Rules of one ``group``, and rules that exclude each other, never take
    part in the price of the same goods. ``requires`` names rules without which it does not apply.
    0 for ``budget_fen``, ``quota``, ``per_user`` and the times: no bound. ``floor_bp`` is the share
    of the list price that it leaves of every good; None: the pack's.
    """

    rule_id: str
    level: Level
    effect: Effect
    title: str = ""
    items: str = ""
    when: str = ""
    coupon: str = ""
    group: str = ""
    excludes: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    priority: int = 0
    base: Base = Base.DISCOUNTED
    budget_fen: int = 0
    quota: int = 0
    per_user: int = 0
    effective_from_ms: int = 0
    effective_until_ms: int = 0
    floor_bp: int | None = None


class ExampleLine(Record, frozen=True):
    """A line of an example: ``qty`` units at a list price."""

    sku_id: int
    qty: int
    unit_price_fen: int
    category: str = ""


class ExampleMember(Record, frozen=True):
    """The buyer of an example; ``orders`` are those paid before."""

    level: int = 0
    growth: int = 0
    orders: int = 0
    tags: tuple[str, ...] = ()


class Example(Record, frozen=True):
    """A cart and what it must cost under the pack, freight included.

    ``rules`` are those that must apply (None: not looked at), in any order.
    """

    name: str
    lines: tuple[ExampleLine, ...]
    total_fen: int
    at_ms: int
    rules: tuple[str, ...] | None = None
    coupons: tuple[str, ...] = ()
    member: ExampleMember | None = None
    channel: str = ""
    flow: str = "standard"
    freight_fen: int = 0


class RulePack(Record, frozen=True):
    """All promotions of a shop that are priced together, in one version.

    ``version`` is 1, 2, 3 ... as published, 0 for a draft. ``floor_bp`` is the share of its list
    price that every good keeps whatever applies; None: not declared. ``fen_per_point`` is what
    earns one point (0: no points). Days and hours are those of ``utc_offset_minutes``.
    """

    pack_id: str
    shop_id: int
    rules: tuple[Rule, ...]
    version: int = 0
    currency: str = "CNY"
    utc_offset_minutes: int = 480
    floor_bp: int | None = None
    fen_per_point: int = 0
    examples: tuple[Example, ...] = ()
