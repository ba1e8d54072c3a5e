"""The laws of promotions: movements of coupons, budgets, quotas, limits, and lives of holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from topologies.audit.laws import NOWHERE, At, Findings, Law

Fact = Mapping[str, Any]
OPEN, SPENT, RELEASED = "open", "spent", "released"
MOVEMENTS: Final = frozenset(
    {
        "CapacityGranted",
        "CouponsIssued",
        "CouponClaimed",
        "PromotionHeld",
        "PromotionSpent",
        "PromotionReleased",
        "PromotionReturned",
    }
)
REFUSALS: Final = frozenset({"PromotionRefused", "PromotionEndRefused", "PromotionEntryRefused"})
FACTS: Final = MOVEMENTS | REFUSALS | {"PromotionFenced"}


class Resource:
    """A resource after its last movement; ``granted`` in all, ``spent`` less what came back.

    ``user_id``: whose it is (0: anybody's). ``open`` is what its open holds add up to.
    """

    __slots__ = ("at", "granted", "held", "on_hand", "open", "spent", "user_id", "version")

    def __init__(self) -> None:
        self.version = self.on_hand = self.held = 0
        self.granted = self.spent = self.open = self.user_id = 0
        self.at = NOWHERE


class Use:
    """One hold of a resource; ``end`` is open, spent or released; ``kept`` is what is used up."""

    __slots__ = ("amount", "at", "end", "hold_id", "kept", "order_no", "resource_id")

    def __init__(self, fact: Fact, at: At) -> None:
        self.hold_id, self.order_no = fact["hold_id"], fact["order_no"]
        self.resource_id, self.amount = fact["resource_id"], fact["amount"]
        self.kept, self.end, self.at = 0, OPEN, at


class PromotionBook:
    """Takes the facts of ``promotion.events`` in the order of each partition."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.resources: dict[str, Resource] = {}
        self.uses: dict[str, Use] = {}
        self.by_order: defaultdict[str, list[Use]] = defaultdict(list)
        self._fenced: set[str] = set()
        self._claims: Counter[tuple[str, int]] = Counter()
        self._laws: dict[str, Callable[[Fact, At], None]] = {
            "CapacityGranted": self._granted,
            "CouponsIssued": self._issued,
            "CouponClaimed": self._claimed,
            "PromotionHeld": self._held,
            "PromotionSpent": self._spent,
            "PromotionReleased": self._released,
            "PromotionReturned": self._returned,
            "PromotionFenced": self._hold_fenced,
        }

    def take(self, name: str, fact: Fact, at: At) -> None:
        """Judge one fact of a kind in FACTS; a refusal moves nothing and has nothing to judge."""
        law = self._laws.get(name)
        if law is not None:
            law(fact, at)

    def _move(self, fact: Fact, at: At, on_hand: int, held: int) -> Resource:
        """Apply a movement that should change the resource by these amounts."""
        key = fact["resource_id"]
        resource = self.resources.get(key)
        if resource is None:
            resource = self.resources[key] = Resource()
        after = fact["version"], fact["on_hand"], fact["held"]
        broken = self._findings.broken
        if after[0] != resource.version + 1:
            expected = f"version {resource.version + 1}"
            broken(Law.RESOURCE_VERSION, key, expected, str(after[0]), at)
        if (fact["delta_on_hand"], fact["delta_held"]) != (on_hand, held):
            found = f"{fact['delta_on_hand']:+}/{fact['delta_held']:+}"
            broken(Law.RESOURCE_BALANCE, key, f"deltas {on_hand:+}/{held:+}", found, at)
        balance = resource.on_hand + fact["delta_on_hand"], resource.held + fact["delta_held"]
        if after[1:] != balance:
            expected, found = "on_hand {}, held {}".format(*balance), f"{after[1]}, {after[2]}"
            broken(Law.RESOURCE_BALANCE, key, expected, found, at)
        if not after[1] >= after[2] >= 0:
            found = f"on_hand {after[1]}, held {after[2]}"
            broken(Law.RESOURCE_BOUNDS, key, "on_hand >= held >= 0", found, at)
        resource.version, resource.on_hand, resource.held = after
        resource.at = at
        return resource

    def _granted(self, fact: Fact, at: At) -> None:
        delta = fact["delta_on_hand"]
        resource = self._move(fact, at, delta, 0)
        resource.granted += delta
        resource.user_id = fact["user_id"]

    def _issued(self, fact: Fact, at: At) -> None:
        delta = fact["delta_on_hand"]
        self._move(fact, at, max(delta, 1), 0).granted += delta

    def _claimed(self, fact: Fact, at: At) -> None:
        self._move(fact, at, -1, 0).spent += 1
        coupon_id, user_id = fact["coupon_id"], fact["user_id"]
        if coupon_id in self.resources:
            found = f"{coupon_id}, which is there since {self.resources[coupon_id].at}"
            self._findings.broken(Law.COUPON_CLAIM, coupon_id, "a coupon claimed once", found, at)
        coupon = self.resources[coupon_id] = Resource()
        coupon.version = coupon.on_hand = coupon.granted = 1
        coupon.user_id, coupon.at = user_id, at
        self._claims[fact["resource_id"], user_id] += 1
        claimed = self._claims[fact["resource_id"], user_id]
        if not claimed == fact["claimed"] <= fact["per_user"]:
            expected = f"claim {claimed} of user {user_id}, at most {fact['per_user']}"
            self._findings.broken(
                Law.COUPON_CLAIM, coupon_id, expected, f"claim {fact['claimed']}", at
            )

    def _held(self, fact: Fact, at: At) -> None:
        hold_id, amount, user_id = fact["hold_id"], fact["amount"], fact["user_id"]
        resource = self._move(fact, at, 0, max(amount, 1))
        resource.open += amount
        broken = self._findings.broken
        if hold_id in self.uses or hold_id in self._fenced:
            broken(Law.USE_BEGINS_ONCE, hold_id, "one begin, and none after a fence", "another", at)
        if resource.user_id not in (0, user_id):
            expected, found = f"only user {resource.user_id} holds it", f"user {user_id}"
            broken(Law.USE_OF_OWNER, fact["resource_id"], expected, found, at)
        of_limit = fact["resource_id"].startswith("limit:")
        if of_limit and fact["resource_id"].rpartition("/")[2] != str(user_id):
            broken(Law.USE_OF_OWNER, fact["resource_id"], "its user", f"user {user_id}", at)
        use = self.uses[hold_id] = Use(fact, at)
        self.by_order[use.order_no].append(use)

    def _spent(self, fact: Fact, at: At) -> None:
        amount = fact["amount"]
        resource = self._move(fact, at, -amount, -amount)
        resource.open -= amount
        resource.spent += amount
        use = self._end(fact, at, SPENT)
        if use is not None:
            use.kept = amount

    def _released(self, fact: Fact, at: At) -> None:
        self._move(fact, at, 0, -fact["amount"]).open -= fact["amount"]
        self._end(fact, at, RELEASED)

    def _end(self, fact: Fact, at: At, end: str) -> Use | None:
        hold_id = fact["hold_id"]
        use = self.uses.get(hold_id)
        if use is None or use.end != OPEN:
            found = f"{end}, never begun" if use is None else f"{use.end} at {use.at}, then {end}"
            self._findings.broken(Law.USE_ENDS_ONCE, hold_id, "one end of what began", found, at)
            return None
        told = fact["order_no"], fact["resource_id"], fact["amount"]
        if told != (use.order_no, use.resource_id, use.amount):
            expected = f"{end} as held: {use.order_no}, {use.resource_id}, {use.amount}"
            self._findings.broken(Law.USE_ENDS_ONCE, hold_id, expected, str(told), at)
        use.end, use.at = end, at
        return use

    def _returned(self, fact: Fact, at: At) -> None:
        amount, hold_id = fact["amount"], fact["hold_id"]
        self._move(fact, at, amount, 0).spent -= amount
        use = self.uses.get(hold_id)
        kept = 0 if use is None else use.kept
        if amount != kept or not amount:
            expected = f"the {kept} used up come back, once"
            self._findings.broken(Law.USE_RETURNED, hold_id, expected, str(amount), at)
        if use is not None:
            use.kept, use.at = 0, at

    def _hold_fenced(self, fact: Fact, at: At) -> None:
        hold_id = fact["hold_id"]
        if hold_id in self.uses:
            found = f"begun at {self.uses[hold_id].at}"
            self._findings.broken(
                Law.USE_BEGINS_ONCE, hold_id, "a fence before any begin", found, at
            )
        self._fenced.add(hold_id)

    def settle(self, findings: Findings) -> None:
        """Judge what holds at any moment over all movements read so far."""
        for key, resource in self.resources.items():
            if resource.open != resource.held:
                expected, found = f"{resource.open} held by open holds", str(resource.held)
                findings.broken(Law.RESOURCE_BALANCE, key, expected, found, resource.at)
            used = resource.spent + resource.held
            if used > resource.granted:
                expected = f"at most {resource.granted} used, as granted"
                findings.broken(Law.RESOURCE_BOUNDS, key, expected, str(used), resource.at)
