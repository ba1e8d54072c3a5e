"""Finds what is wrong with rules together: circles, contradictions, codes, floors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.promotion import WHOLE_BP, Base, Level, Rule, RulePack
from streams.pricing import vocabulary
from streams.pricing.compiled import LEVELS, in_turn
from streams.pricing.expression import AllOf, Comparison, Tree, conjuncts, names, parse
from streams.pricing.findings import Finding, LintCode, Path
from streams.pricing.solving import allowed, can_hold


class _Read(NamedTuple):
    """A rule with its conditions read, and where it stands in the file."""

    rule: Rule
    path: Path
    items: Tree
    when: Tree

    def finding(self, code: LintCode, field: str, detail: str) -> Finding:
        return Finding(code, self.rule.rule_id, (*self.path, field), detail)


def lint_stacking(pack: RulePack) -> list[Finding]:
    """Return what is wrong with the rules of a pack each of which is well by itself."""
    read = [
        _Read(
            rule,
            ("rules", index),
            parse(rule.items, vocabulary.ITEM),
            parse(rule.when, vocabulary.CART),
        )
        for index, rule in enumerate(pack.rules)
    ]
    by_id = {one.rule.rule_id: one for one in read}
    findings = [*_unknown(read, by_id)]
    if findings:
        return findings
    findings += _requirements(read, by_id)
    if findings:
        return findings
    findings += _unreachable(read, by_id)
    findings += _codes(read)
    if pack.floor_bp is None:
        findings += _without_floor(pack, by_id)
    return findings


def _unknown(read: list[_Read], by_id: dict[str, _Read]) -> Iterator[Finding]:
    for one in read:
        for field in ("excludes", "requires"):
            for other in getattr(one.rule, field):
                if other not in by_id:
                    detail = f"there is no rule {other}; take it out or correct the id"
                    yield one.finding(LintCode.UNKNOWN_RULE, field, detail)
                elif other == one.rule.rule_id:
                    detail = "a rule neither requires nor excludes itself; take it out"
                    yield one.finding(LintCode.CONTRADICTION, field, detail)


def _required(one: _Read, by_id: dict[str, _Read]) -> list[str]:
    """Return the rules that the rule requires, directly or not, the nearest first."""
    found = dict.fromkeys(one.rule.requires)
    waiting = list(found)
    while waiting:
        for other in by_id[waiting.pop(0)].rule.requires:
            if other not in found:
                found[other] = None
                waiting.append(other)
    return list(found)


def _requirements(read: list[_Read], by_id: dict[str, _Read]) -> Iterator[Finding]:
    for one in read:
        required = _required(one, by_id)
        if one.rule.rule_id in required:
            others = ", ".join(other for other in required if other != one.rule.rule_id)
            detail = f"it requires itself by way of {others}; drop one requirement of the circle"
            yield one.finding(LintCode.CYCLE, "requires", detail)
            continue
        for other in required:
            rule = by_id[other].rule
            if LEVELS.index(rule.level) > LEVELS.index(one.rule.level):
                detail = (
                    f"{other} has its turn later (level {rule.level} after {one.rule.level}); "
                    "require it the other way round"
                )
                yield one.finding(LintCode.TOO_LATE, "requires", detail)
            elif _conflict(one.rule, rule) and _may_meet(one, by_id[other]):
                detail = (
                    f"it requires {other} and may not stand with it; drop the requirement, the "
                    "exclusion or the group"
                )
                yield one.finding(LintCode.CONTRADICTION, "requires", detail)


def _conflict(one: Rule, other: Rule) -> bool:
    return (
        bool(one.group and one.group == other.group)
        or other.rule_id in one.excludes
        or one.rule_id in other.excludes
    )


def _may_meet(one: _Read, other: _Read) -> bool:
    """Tell whether both can be about the same goods of the same cart at the same time."""
    a, b = one.rule, other.rule
    ends = [until for until in (a.effective_until_ms, b.effective_until_ms) if until]
    if ends and max(a.effective_from_ms, b.effective_from_ms) >= min(ends):
        return False
    for name in ("item.sku_id", "item.category"):
        of_one, of_other = allowed(one.items, name), allowed(other.items, name)
        if of_one is not None and of_other is not None and not of_one & of_other:
            return False
    return can_hold(AllOf((*_of_cart(one), *_of_cart(other))), vocabulary.CART)


def _of_cart(one: _Read) -> Iterator[Tree]:
    """Yield the terms that mean the same for every rule: not those about a rule's own goods."""
    for term in conjuncts(one.when):
        if not any(name.startswith("items.") for name in names(term)):
            yield term


def _unreachable(read: list[_Read], by_id: dict[str, _Read]) -> Iterator[Finding]:
    turns = {rule.rule_id: n for n, rule in enumerate(in_turn(one.rule for one in read))}
    for one in read:
        for field, tree, known in (
            ("items", one.items, vocabulary.ITEM),
            ("when", one.when, vocabulary.CART),
        ):
            if not can_hold(tree, known):
                detail = "no cart can make this true; correct it or drop the rule"
                yield one.finding(LintCode.UNREACHABLE, field, detail)
        for required in one.rule.requires:
            if not _may_apply_together(one, by_id[required]):
                detail = f"{required} never applies at the same time; correct either"
                yield one.finding(LintCode.UNREACHABLE, "requires", detail)
        for other in read:
            if _always_outranks(other, one, turns, read):
                detail = (
                    f"{other.rule.rule_id} always stands instead of it and gives no less; drop "
                    "the rule or narrow the other one"
                )
                yield one.finding(LintCode.UNREACHABLE, "rule_id", detail)
                break


def _may_apply_together(one: _Read, other: _Read) -> bool:
    everything = AllOf(())
    return _may_meet(one._replace(items=everything), other._replace(items=everything))


def _always_outranks(
    strong: _Read, weak: _Read, turns: dict[str, int], read: Iterable[_Read]
) -> bool:
    """Tell whether ``strong`` stands wherever ``weak`` could, and takes off no less."""
    a, b = strong.rule, weak.rule
    if strong is weak or a.level is not b.level or not _conflict(a, b):
        return False
    if a.coupon or a.requires or a.budget_fen or a.quota or a.per_user or a.base is not b.base:
        return False
    if strong.when not in (AllOf(()), weak.when) or strong.items not in (AllOf(()), weak.items):
        return False
    if a.effective_from_ms > b.effective_from_ms:
        return False
    if a.effective_until_ms and not 0 < b.effective_until_ms <= a.effective_until_ms:
        return False
    if (a.floor_bp or 0) > (b.floor_bp or 0):
        return False
    if any(_conflict(a, o.rule) and not _conflict(b, o.rule) for o in read if o.rule not in (a, b)):
        return False
    more = _takes_more(a, b)
    return more > 0 or (more == 0 and turns[a.rule_id] < turns[b.rule_id])


def _takes_more(a: Rule, b: Rule) -> int:
    """Return > 0 when ``a`` takes off more of every cart, 0 as much, < 0 when neither is sure."""
    one, other = a.effect, b.effect
    if one == other:
        return 0
    if one.percent_off is not None and other.percent_off is not None:
        is_bounded = one.percent_off.up_to_fen
        return -1 if is_bounded else one.percent_off.bp - other.percent_off.bp
    if one.amount_off is not None and other.amount_off is not None:
        same = (one.amount_off.every_fen, one.amount_off.times) == (
            other.amount_off.every_fen,
            other.amount_off.times,
        )
        return one.amount_off.fen - other.amount_off.fen if same else -1
    if one.fixed_price is not None and other.fixed_price is not None:
        same = one.fixed_price.units == other.fixed_price.units
        return other.fixed_price.fen - one.fixed_price.fen if same else -1
    return -1


def _codes(read: list[_Read]) -> Iterator[Finding]:
    """Sorted by their beginnings, codes that overlap are neighbours of a prefix."""
    coded = sorted(
        (one for one in read if one.rule.coupon),
        key=lambda one: (one.rule.coupon.rstrip("*"), not one.rule.coupon.endswith("*")),
    )
    prefix: _Read | None = None
    before: _Read | None = None
    for one in coded:
        code = one.rule.coupon
        other = None
        if prefix is not None and code.startswith(prefix.rule.coupon[:-1]):
            other = prefix
        elif before is not None and before.rule.coupon == code:
            other = before
        if other is not None:
            detail = (
                f"{code} and {other.rule.coupon} of rule {other.rule.rule_id} take the same "
                "codes; give them beginnings of their own"
            )
            yield one.finding(LintCode.OVERLAPPING_CODES, "coupon", detail)
        elif code.endswith("*"):
            prefix = one
        before = one


# --- floors --------------------------------------------------------------------------------------

_FINE = WHOLE_BP**2


def _without_floor(pack: RulePack, by_id: dict[str, _Read]) -> Iterator[Finding]:
    """Find rules that, with others that may stand with them, can take off everything.

    For each rule the strongest companions are taken, one after the other, as long as they may stand
    together. A floor that is declared, also one of 0, is taken for what the shop wants.
    """
    ordered = [by_id[rule.rule_id] for rule in in_turn(pack.rules)]
    strong = sorted(
        (one for one in ordered if _share_bp(one)), key=lambda one: (-_share_bp(one), one.path)
    )
    told: set[str] = set()
    for seed in strong:
        together = [seed]
        for other in strong:
            if other is not seed and all(
                not _conflict(other.rule, one.rule) and _may_meet(other, one) for one in together
            ):
                together.append(other)
        last = _emptied_by([one for one in ordered if one in together])
        if last is None or last.rule.rule_id in told:
            continue
        told.add(last.rule.rule_id)
        others = ", ".join(sorted(o.rule.rule_id for o in together if o is not last)[:5])
        with_them = f" together with {others}" if others else ""
        detail = (
            f"it can take off the whole price{with_them}; declare a floor_bp of the rule or of "
            "the pack (0, if goods may be free), or ask for a minimum amount"
        )
        yield last.finding(LintCode.NO_FLOOR, "effect", detail)


def _emptied_by(together: list[_Read]) -> _Read | None:
    """Return the rule after which nothing is left; None: something is, or that is declared."""
    left = _FINE
    for one in together:
        rule, share = one.rule, _share_bp(one)
        of_running = rule.base is Base.DISCOUNTED and (
            rule.effect.percent_off is not None or rule.level is not Level.ITEM
        )
        after = left - (left * share // WHOLE_BP if of_running else share * WHOLE_BP)
        if rule.floor_bp:
            after = max(after, min(left, rule.floor_bp * WHOLE_BP))
        if after <= 0:
            return one if rule.floor_bp is None else None
        left = after
    return None


def _share_bp(one: _Read) -> int:
    """Return the largest share of the price of its goods that a rule can take off by itself."""
    rule, effect = one.rule, one.rule.effect
    if effect.percent_off is not None:
        return effect.percent_off.bp
    if effect.nth_item is not None:
        return effect.nth_item.bp // effect.nth_item.nth
    if effect.fixed_price is not None:
        return WHOLE_BP - 1 if effect.fixed_price.fen else WHOLE_BP
    if effect.deposit_inflation is not None:
        deposit = effect.deposit_inflation
        return _of_least(deposit.counts_as_fen - deposit.deposit_fen, _least_unit(one))
    if effect.amount_off is not None:
        amount = effect.amount_off
        if amount.every_fen:
            return _of_least(amount.fen, amount.every_fen)
        least = _least_unit(one) if rule.level is Level.ITEM else _least_amount(one)
        return _of_least(amount.fen, least)
    return 0


def _of_least(fen: int, least_fen: int) -> int:
    return min(WHOLE_BP, -(-fen * WHOLE_BP // least_fen)) if least_fen else WHOLE_BP


def _least_unit(one: _Read) -> int:
    return _least(one.items, {"item.unit_price_fen"})


def _least_amount(one: _Read) -> int:
    about_all = one.items == AllOf(())
    return _least(one.when, {"items.fen", "cart.fen"} if about_all else {"items.fen"})


def _least(tree: Tree, of: set[str]) -> int:
    """Return the least value that the condition leaves to one of the names."""
    return max(
        (
            term.value + (term.op == ">")
            for term in conjuncts(tree)
            if isinstance(term, Comparison) and term.name in of and term.op in (">", ">=", "==")
        ),
        default=0,
    )
