"""Applies a compiled pack to a cart at list prices, and says what became of every rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.order import AppliedRule, PricedLine
from schemas.promotion import WHOLE_BP, Level, Rule, RulePack
from streams.pricing.basket import Basket, discounted, fill, scopes
from streams.pricing.cart import PricedCart
from streams.pricing.compiled import MONEY, CompiledPack, CompiledRule
from streams.pricing.outcome import (
    Claim,
    ClaimKind,
    GiftUnits,
    Need,
    Outcome,
    Promotions,
    RefusalReason,
    Verdict,
)
from streams.pricing.search import Candidates, Priced, best_price
from streams.pricing.shopper import Coupon, Shopper
from streams.pricing.turns import Turn, unmet


def promote(
    lines: Sequence[PricedLine],
    categories: Sequence[str],
    freight_fen: int,
    currency: str,
    compiled: CompiledPack,
    shopper: Shopper,
) -> PricedCart:
    """Return the best price of ``lines``, which are at list prices, each of a category."""
    basket = fill(lines, categories, freight_fen, compiled, shopper)
    found, outcomes = _candidates(basket, compiled, shopper)
    candidates = found.candidates
    priced, exhaustive = best_price(candidates)
    judged = _Judged(compiled, candidates, priced)
    for rules in candidates.item_rules:
        for rule in rules:
            if rule.position not in outcomes:
                outcomes[rule.position] = judged.item(rule)
    for turn in priced.turns:
        outcomes[turn.position] = judged.money(turn)
    extras = [(rule, judged.extra(rule)) for rule in found.extras]
    outcomes.update((rule.position, outcome) for rule, outcome in extras)
    told = [(compiled.rules[position].rule, outcomes[position]) for position in sorted(outcomes)]
    applied = [one for one in told if one[1].verdict is Verdict.APPLIED]
    given = [rule for rule, outcome in extras if outcome.verdict is Verdict.APPLIED]
    promotions = Promotions(
        pack_id=compiled.pack.pack_id,
        version=compiled.pack.version,
        outcomes=(*(outcome for _, outcome in told), *found.unused),
        claims=_claims(compiled.pack, applied, shopper),
        gifts=_gifts(given),
        points=_points(compiled, candidates, priced, given),
        deposit_fen=_deposit(compiled, basket, priced),
        exhaustive=exhaustive,
    )
    return PricedCart(
        lines=discounted(lines, basket, priced.amounts.running),
        rules=tuple(AppliedRule(one.rule_id, one.discount_fen) for _, one in applied),
        total_fen=priced.total_fen,
        currency=currency,
        freight_fen=priced.amounts.freight_fen,
        promotions=promotions,
    )


class _Found(NamedTuple):
    """Rules that may take part: in the price, as ``extras``; coupons that nothing can come of."""

    candidates: Candidates
    extras: list[CompiledRule]
    unused: list[Outcome]


def _candidates(
    basket: Basket, compiled: CompiledPack, shopper: Shopper
) -> tuple[_Found, dict[int, Outcome]]:
    """Return the rules that may take part, and the outcomes of those that cannot, by position."""
    of_rules = scopes(basket, compiled)
    coupons, unused = _coupons(compiled, shopper, of_rules)
    candidates = Candidates(compiled, basket, of_rules, [[] for _ in basket.skus], [], coupons)
    extras: list[CompiledRule] = []
    outcomes: dict[int, Outcome] = {}
    now_ms = shopper.now_ms
    for position, goods in of_rules.items():
        compiled_rule = compiled.rules[position]
        rule = compiled_rule.rule
        if rule.coupon and position not in coupons:
            continue
        if now_ms < rule.effective_from_ms or 0 < rule.effective_until_ms <= now_ms:
            if rule.coupon:
                early = now_ms < rule.effective_from_ms
                reason = RefusalReason.NOT_YET if early else RefusalReason.OVER
                outcomes[position] = _refused(compiled_rule, reason, "", coupons.pop(position).code)
            continue
        if compiled_rule.terms:
            outcome = _hopeless(compiled_rule, basket, goods, coupons.get(position))
            if outcome is not None:
                outcomes[position] = outcome
                coupons.pop(position, None)
                continue
        candidates.goods[position] = sum([1 << good for good in goods])
        if rule.level is Level.ITEM:
            for good in goods:
                candidates.item_rules[good].append(compiled_rule)
        elif rule.level in MONEY:
            candidates.money.append(compiled_rule)
        else:
            extras.append(compiled_rule)
    return _Found(candidates, extras, unused), outcomes


def _hopeless(
    rule: CompiledRule, basket: Basket, goods: Sequence[int], coupon: Coupon | None
) -> Outcome | None:
    """Return the outcome of a rule that cannot apply, whatever other rules take off.

    None: it can, as far as its terms do not move with discounts; the others are for its turn.
    """
    basket.look(goods, basket.amounts)
    if all(term.check(basket.env) for term in rule.terms if not (rule.moves and term.moves)):
        return None
    failed, needs = unmet(rule, basket)
    code = coupon.code if coupon is not None else ""
    return _failed(rule, failed, needs, code)


def _coupons(
    compiled: CompiledPack, shopper: Shopper, of_rules: dict[int, tuple[int, ...]]
) -> tuple[dict[int, Coupon], list[Outcome]]:
    """Return the coupon for each rule that takes one, and the outcomes of the others.

    Of several for one rule: the one that expires first, then the first by code.
    """
    coupons: dict[int, Coupon] = {}
    unused: list[Outcome] = []
    presented = dict.fromkeys(shopper.coupons)
    for coupon in sorted(presented, key=lambda c: (c.expires_at_ms or 2**63, c.code)):
        position = _rule_of(compiled, coupon.code)
        reason: RefusalReason | None = None
        if position is None:
            reason = RefusalReason.COUPON_UNKNOWN
        elif 0 < coupon.expires_at_ms <= shopper.now_ms:
            reason = RefusalReason.COUPON_EXPIRED
        elif position not in of_rules:
            reason = RefusalReason.NO_SUCH_GOODS
        elif position in coupons:
            reason = RefusalReason.COUPON_NOT_NEEDED
        else:
            coupons[position] = coupon
        if reason is not None:
            rule_id = "" if position is None else compiled.rules[position].rule.rule_id
            unused.append(Outcome(rule_id, Verdict.REFUSED, reason=reason, coupon=coupon.code))
    return coupons, unused


def _rule_of(compiled: CompiledPack, code: str) -> int | None:
    """Return the rule that takes a code: the first by turns, a whole code before a beginning."""
    if code in compiled.codes:
        return compiled.codes[code][0]
    return next((p for prefix, p in compiled.prefixes if code.startswith(prefix)), None)


class _Judged:
    """Says what became of the candidates of a priced cart."""

    def __init__(self, compiled: CompiledPack, candidates: Candidates, priced: Priced) -> None:
        self._compiled = compiled
        self._candidates = candidates
        self._priced = priced
        self._off_items: dict[int, int] = {}
        for item in priced.items:
            for position, discount_fen in item.taken:
                self._off_items[position] = self._off_items.get(position, 0) + discount_fen
        self._stand = priced.applied

    def item(self, rule: CompiledRule) -> Outcome:
        """Return the outcome of an ITEM rule."""
        discount_fen = self._off_items.get(rule.position, 0)
        if discount_fen:
            return Outcome(rule.rule.rule_id, Verdict.APPLIED, discount_fen)
        return self._without_effect(rule, at_floor=False, code="")

    def money(self, turn: Turn) -> Outcome:
        """Return the outcome of an ORDER, COUPON or FREIGHT rule."""
        rule = self._compiled.rules[turn.position]
        coupon = self._candidates.coupons.get(turn.position)
        code = coupon.code if coupon is not None else ""
        if turn.discount_fen:
            return Outcome(rule.rule.rule_id, Verdict.APPLIED, turn.discount_fen, coupon=code)
        if turn.failed:
            return _failed(rule, turn.failed, turn.needs, code)
        if not turn.held:
            return self._requires(rule, code)
        if turn.taken:
            at_floor = rule.cart_discount is not None and not turn.room_fen
            return self._without_effect(rule, at_floor=at_floor, code=code)
        rival = self._rival(rule)
        if rival is None and code:
            return _refused(rule, RefusalReason.COUPON_NOT_NEEDED, "", code)
        return _refused(rule, RefusalReason.OUTRANKED, rival or "", code)

    def extra(self, rule: CompiledRule) -> Outcome:
        """Return the outcome of a POINTS or GIFT rule: it applies unless one before bars it."""
        priced, position = self._priced, rule.position
        basket = self._candidates.basket
        if rule.requires & ~self._stand:
            return self._requires(rule, "")
        if rule.moves:
            basket.look(self._candidates.scopes[position], priced.amounts.running)
            failed, needs = unmet(rule, basket)
            if failed:
                return _failed(rule, failed, needs, "")
        rival = self._rival(rule)
        if rival is not None:
            return _refused(rule, RefusalReason.OUTRANKED, rival, "")
        self._stand |= 1 << position
        return Outcome(rule.rule.rule_id, Verdict.APPLIED)

    def _without_effect(self, rule: CompiledRule, *, at_floor: bool, code: str) -> Outcome:
        rival = self._rival(rule)
        if rival is not None:
            return _refused(rule, RefusalReason.OUTRANKED, rival, code)
        reason = RefusalReason.AT_FLOOR if at_floor else RefusalReason.NO_DISCOUNT
        return _refused(rule, reason, "", code)

    def _requires(self, rule: CompiledRule, code: str) -> Outcome:
        missing = rule.requires & ~self._stand
        first = (missing & -missing).bit_length() - 1
        detail = self._compiled.rules[first].rule.rule_id
        return _refused(rule, RefusalReason.REQUIRES, detail, code)

    def _rival(self, rule: CompiledRule) -> str | None:
        """Return the first rule that stands and that this one may not stand with."""
        goods = self._candidates.goods
        standing = rule.conflicts & self._stand
        while standing:
            first = (standing & -standing).bit_length() - 1
            if goods[first] & goods[rule.position]:
                return self._compiled.rules[first].rule.rule_id
            standing &= standing - 1
        return None


def _failed(rule: CompiledRule, failed: str, needs: tuple[Need, ...], code: str) -> Outcome:
    rule_id = rule.rule.rule_id
    if needs:
        return Outcome(rule_id, Verdict.NEEDS, detail=failed, needs=needs, coupon=code)
    return _refused(rule, RefusalReason.CONDITION, failed, code)


def _refused(rule: CompiledRule, reason: RefusalReason, detail: str, code: str) -> Outcome:
    return Outcome(rule.rule.rule_id, Verdict.REFUSED, reason=reason, detail=detail, coupon=code)


def _claims(
    pack: RulePack, applied: Sequence[tuple[Rule, Outcome]], shopper: Shopper
) -> tuple[Claim, ...]:
    """Return what the order has to hold for the rules that apply, in their order."""
    claims: list[Claim] = []
    for rule, outcome in applied:
        resource = f"{pack.shop_id}/{pack.pack_id}/{rule.rule_id}"
        if outcome.coupon:
            claims.append(Claim(ClaimKind.COUPON, f"{pack.shop_id}/{outcome.coupon}", 1, 1))
        if rule.budget_fen and outcome.discount_fen:
            claims.append(Claim(ClaimKind.BUDGET, resource, outcome.discount_fen, rule.budget_fen))
        if rule.quota:
            claims.append(Claim(ClaimKind.QUOTA, resource, 1, rule.quota))
        if rule.per_user:
            of_user = f"{resource}/{shopper.user_id}"
            claims.append(Claim(ClaimKind.PER_USER, of_user, 1, rule.per_user))
    return tuple(claims)


def _gifts(given: Sequence[CompiledRule]) -> tuple[GiftUnits, ...]:
    return tuple(
        GiftUnits(rule.rule.rule_id, gift.sku_id, gift.qty)
        for rule in given
        if (gift := rule.rule.effect.gift) is not None
    )


def _points(
    compiled: CompiledPack, candidates: Candidates, priced: Priced, given: Sequence[CompiledRule]
) -> int:
    """Return the points that the goods earn: multipliers of the same goods add what is above 1."""
    fen_per_point = compiled.pack.fen_per_point
    if not fen_per_point:
        return 0
    multipliers = [WHOLE_BP] * len(priced.amounts.running)
    for rule in given:
        if (points := rule.rule.effect.points_multiplier) is not None:
            for good in candidates.scopes[rule.position]:
                multipliers[good] += points.bp - WHOLE_BP
    weighted = sum(
        fen * max(0, bp) for fen, bp in zip(priced.amounts.running, multipliers, strict=True)
    )
    return weighted // (WHOLE_BP * fen_per_point)


def _deposit(compiled: CompiledPack, basket: Basket, priced: Priced) -> int:
    """Return what is to be paid first, for units with a deposit; never more than they cost."""
    total_fen = 0
    for good, item in enumerate(priced.items):
        of_good = 0
        for position, _ in item.taken:
            deposit = compiled.rules[position].rule.effect.deposit_inflation
            if deposit is not None:
                of_good += deposit.deposit_fen * basket.units[good]
        total_fen += min(of_good, priced.amounts.running[good])
    return total_fen
