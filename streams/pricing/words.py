"""What became of a rule, in words for people."""

from __future__ import annotations

from streams.pricing.outcome import Need, Outcome, RefusalReason, Verdict

_BECAUSE = {
    RefusalReason.CONDITION: "does not hold: {detail}",
    RefusalReason.OUTRANKED: "not together with {detail}",
    RefusalReason.REQUIRES: "only with {detail}",
    RefusalReason.AT_FLOOR: "the price is as low as it may be",
    RefusalReason.NO_DISCOUNT: "takes nothing off this cart",
    RefusalReason.NOT_YET: "is not valid yet",
    RefusalReason.OVER: "is over",
    RefusalReason.COUPON_EXPIRED: "has expired",
    RefusalReason.COUPON_NOT_NEEDED: "the price is no lower with it",
    RefusalReason.COUPON_UNKNOWN: "is not known",
    RefusalReason.NO_SUCH_GOODS: "is for goods that are not in the cart",
}


def explain(outcome: Outcome) -> str:
    """Return one line: ``free-freight: spend 20.00 more``. Amounts are in the major unit."""
    name = outcome.rule_id or "coupon"
    if outcome.coupon:
        name += f" ({outcome.coupon})"
    if outcome.verdict is Verdict.APPLIED:
        told = f"{yuan(outcome.discount_fen)} off" if outcome.discount_fen else "applied"
    elif outcome.verdict is Verdict.NEEDS:
        told = " and ".join(map(_need, outcome.needs))
    else:
        assert outcome.reason is not None
        told = _BECAUSE[outcome.reason].format(detail=outcome.detail)
    return f"{name}: {told}"


def yuan(fen: int) -> str:
    """Return an amount in the major unit of a currency that has a hundred minor ones."""
    return f"{fen // 100}.{fen % 100:02}"


def _need(need: Need) -> str:
    on = " on its goods" if need.of_items else ""
    if need.unit == "fen":
        return f"spend {yuan(need.amount)} more{on}"
    what = {"units": "unit", "kinds": "kind of goods"}[need.unit]
    plural = what.replace("unit", "units").replace("kind ", "kinds ") if need.amount > 1 else what
    return f"add {need.amount} more {plural}{' of its goods' if need.of_items else ''}"
