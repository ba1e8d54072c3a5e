"""Finds what is wrong with a pack before anybody is priced with it.

A pack without findings compiles, and every rule of it can apply to some cart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from schemas.promotion import WHOLE_BP, Effect, Level, Rule, RulePack
from streams.pricing import vocabulary
from streams.pricing.examples import run_examples
from streams.pricing.expression import BadExpression, parse
from streams.pricing.findings import Finding, LintCode, Path
from streams.pricing.lint_stacking import lint_stacking

MAX_RULES = 1_000
"""Rules of a pack: 1,000 of 500 bytes are half of the megabyte that a record may have."""

_ID = re.compile("[a-z0-9][a-z0-9_.-]{0,63}")
_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}\*?")

_EFFECTS_OF = {
    Level.ITEM: ("amount_off", "percent_off", "fixed_price", "nth_item", "deposit_inflation"),
    Level.ORDER: ("amount_off", "percent_off", "fixed_price", "nth_item"),
    Level.COUPON: ("amount_off", "percent_off", "fixed_price", "nth_item"),
    Level.POINTS: ("points_multiplier",),
    Level.FREIGHT: ("free_freight",),
    Level.GIFT: ("gift",),
}


def lint(pack: RulePack, now_ms: int) -> tuple[Finding, ...]:
    """Return every mistake, by the order of the pack.

    Values and conditions first: what rules mean together is looked at only when each means
    something by itself; the examples are priced only when all else is well. ``now_ms`` (epoch ms)
    is what rules may be over by.
    """
    findings = [*_lint_pack(pack)]
    for index, rule in enumerate(pack.rules):
        findings += _lint_rule(rule, index, now_ms)
    if not findings:
        findings += lint_stacking(pack)
    if not findings:
        findings += run_examples(pack)
    return tuple(findings)


def _lint_pack(pack: RulePack) -> Iterable[Finding]:
    def bad(field: str, detail: str) -> Finding:
        return Finding(LintCode.BAD_PACK, "", (field,), detail)

    if not _ID.fullmatch(pack.pack_id):
        yield bad("pack_id", "write 1 to 64 small letters, digits, '_', '.' or '-'")
    if pack.shop_id < 1:
        yield bad("shop_id", "write the shop's id, 1 or more")
    if not re.fullmatch("[A-Z]{3}", pack.currency):
        yield bad("currency", "write three capital letters (ISO 4217), e.g. CNY")
    if not -12 * 60 <= pack.utc_offset_minutes <= 14 * 60:
        yield bad("utc_offset_minutes", "write -720 to 840; Beijing is 480")
    if pack.floor_bp is not None and not 0 <= pack.floor_bp <= WHOLE_BP:
        yield bad("floor_bp", f"write 0 to {WHOLE_BP}: 1,000 leaves a tenth of the list price")
    if pack.fen_per_point < 0:
        yield bad("fen_per_point", "write 0 (no points) or more")
    if not 1 <= len(pack.rules) <= MAX_RULES:
        yield bad("rules", f"{len(pack.rules)} rules; write 1 to {MAX_RULES}")
    seen: set[str] = set()
    for index, rule in enumerate(pack.rules):
        if rule.rule_id in seen:
            detail = f"{rule.rule_id} is there twice; give each rule an id of its own"
            yield Finding(LintCode.BAD_RULE, rule.rule_id, ("rules", index, "rule_id"), detail)
        seen.add(rule.rule_id)


def _lint_rule(rule: Rule, index: int, now_ms: int) -> list[Finding]:
    findings: list[Finding] = []

    def bad(field: str, detail: str, code: LintCode = LintCode.BAD_RULE) -> None:
        findings.append(Finding(code, rule.rule_id, ("rules", index, field), detail))

    if not _ID.fullmatch(rule.rule_id):
        bad("rule_id", "write 1 to 64 small letters, digits, '_', '.' or '-'")
    for field in ("budget_fen", "quota", "per_user", "effective_from_ms", "effective_until_ms"):
        if getattr(rule, field) < 0:
            bad(field, "write 0 (no bound) or more")
    if rule.floor_bp is not None and not 0 <= rule.floor_bp <= WHOLE_BP:
        bad("floor_bp", f"write 0 to {WHOLE_BP}: 1,000 leaves a tenth of the list price")
    if 0 < rule.effective_until_ms <= max(rule.effective_from_ms, now_ms):
        what = (
            "before it begins" if rule.effective_until_ms <= rule.effective_from_ms else "already"
        )
        bad("effective_until", f"it is over {what}; set a later end", LintCode.UNREACHABLE)
    if rule.level is Level.COUPON and not rule.coupon:
        bad("coupon", "a COUPON rule needs a code, or the beginning of codes followed by *")
    if rule.coupon and rule.level not in (Level.COUPON, Level.FREIGHT):
        bad("coupon", "only COUPON and FREIGHT rules take codes; move the rule to one of them")
    if rule.coupon and not _CODE.fullmatch(rule.coupon):
        bad("coupon", "write 1 to 64 letters, digits, '_' or '-', and * at most at the end")
    if rule.requires and rule.level is Level.ITEM:
        bad("requires", "an ITEM rule has its turn first; use exclusions or a later level")
    for field, names in (("items", vocabulary.ITEM), ("when", vocabulary.CART)):
        try:
            parse(getattr(rule, field), names)
        except BadExpression as error:
            bad(field, str(error), LintCode.BAD_CONDITION)
    findings += _lint_effect(rule, ("rules", index, "effect"))
    return findings


def _lint_effect(rule: Rule, path: Path) -> Iterable[Finding]:
    def bad(detail: str, *field: str) -> Finding:
        return Finding(LintCode.BAD_EFFECT, rule.rule_id, (*path, *field), detail)

    effect = rule.effect
    there = [name for name in Effect.__struct_fields__ if getattr(effect, name) is not None]
    if len(there) != 1:
        found = ", ".join(there) or "none"
        yield bad(f"a rule has exactly one effect, found: {found}; make rules of their own of them")
        return
    (name,) = there
    if name not in _EFFECTS_OF[rule.level]:
        fitting = ", ".join(_EFFECTS_OF[rule.level])
        yield bad(f"{name} is no effect of level {rule.level}; those are: {fitting}", name)
    for field, value, least, most in _values(effect):
        if not least <= value <= most:
            yield bad(f"{value} for {field}; write {least} to {most}", name, field)
    deposit = effect.deposit_inflation
    if deposit is not None and deposit.counts_as_fen <= deposit.deposit_fen:
        yield bad("a deposit counts as more than it is; raise counts_as_fen", name, "counts_as_fen")


_MOST_FEN = 10**12
_MOST = 1_000_000


def _values(effect: Effect) -> Iterable[tuple[str, int, int, int]]:
    """Return (field, value, least, most) of the effect's values."""
    if (amount := effect.amount_off) is not None:
        yield "fen", amount.fen, 1, _MOST_FEN
        yield "every_fen", amount.every_fen, 0, _MOST_FEN
        yield "times", amount.times, 0, _MOST
    if (percent := effect.percent_off) is not None:
        yield "bp", percent.bp, 1, WHOLE_BP
        yield "up_to_fen", percent.up_to_fen, 0, _MOST_FEN
    if (fixed := effect.fixed_price) is not None:
        yield "fen", fixed.fen, 0, _MOST_FEN
        yield "units", fixed.units, 1, _MOST
    if (nth := effect.nth_item) is not None:
        yield "nth", nth.nth, 2, _MOST
        yield "bp", nth.bp, 1, WHOLE_BP
    if (gift := effect.gift) is not None:
        yield "sku_id", gift.sku_id, 1, 2**63 - 1
        yield "qty", gift.qty, 1, _MOST
    if (free := effect.free_freight) is not None:
        yield "up_to_fen", free.up_to_fen, 0, _MOST_FEN
    if (points := effect.points_multiplier) is not None:
        yield "bp", points.bp, 0, 100 * WHOLE_BP
    if (deposit := effect.deposit_inflation) is not None:
        yield "deposit_fen", deposit.deposit_fen, 1, _MOST_FEN
        yield "counts_as_fen", deposit.counts_as_fen, 1, _MOST_FEN
