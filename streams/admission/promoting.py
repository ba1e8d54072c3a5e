"""What promotions have to do with the admission of an order: who buys, and what it has to hold."""

from __future__ import annotations

from schemas.order import HoldRef, PlaceOrderIntent
from streams.admission.problems import Problem, ProblemCode
from streams.pricing.cart import PricedCart
from streams.pricing.outcome import ClaimKind, Outcome, Verdict
from streams.pricing.shopper import Coupon, Shopper

MAX_COUPONS = 20
"""Coupons of one order: more than the rules of a pack ever let stand together."""

PROMOTION = "promotion"
"""Kind of a hold of a promotion, as the orders stage knows it."""

_OF = {
    ClaimKind.COUPON: "coupon:",
    ClaimKind.BUDGET: "budget:",
    ClaimKind.QUOTA: "quota:",
    ClaimKind.PER_USER: "limit:",
}


def shopper_of(intent: PlaceOrderIntent, now_ms: int) -> Shopper:
    """Return who buys, as a price knows them; what is on is judged by the broker's time.

    A coupon's own end is for the promotions stage to judge, which knows it.
    """
    coupons = tuple(Coupon(code) for code in intent.coupons[:MAX_COUPONS])
    return Shopper(now_ms, intent.user_id, coupons=coupons, flow=intent.flow)


def check_coupons(codes: tuple[str, ...], priced: PricedCart, problems: list[Problem]) -> None:
    """Report each coupon that nothing came of: the buyer would think that it is used."""
    if len(codes) > MAX_COUPONS:
        detail = f"{len(codes)} coupons; send at most {MAX_COUPONS} in one order"
        problems.append(Problem(ProblemCode.UNUSABLE_COUPON, "coupons", detail))
        return
    outcomes = () if priced.promotions is None else priced.promotions.outcomes
    of_code: dict[str, Outcome] = {one.coupon: one for one in outcomes if one.coupon}
    for index, code in enumerate(codes):
        outcome = of_code.get(code)
        if outcome is None or outcome.verdict is not Verdict.APPLIED:
            why = "UNKNOWN" if outcome is None else outcome.reason or outcome.verdict
            detail = f"{code} takes nothing off this cart ({why}); place the order without it"
            problems.append(Problem(ProblemCode.UNUSABLE_COUPON, f"coupons[{index}]", detail))


def promotion_holds(order_no: str, priced: PricedCart) -> tuple[HoldRef, ...]:
    """Return what the order has to hold of the promotions in its price.

    A coupon is there or it is not; of all else there is as much as its rule says.
    """
    if priced.promotions is None:
        return ()
    return tuple(
        HoldRef(
            hold_id=f"{order_no}/{resource_id}",
            kind=PROMOTION,
            resource_id=resource_id,
            amount=claim.amount,
            capacity=0 if claim.kind is ClaimKind.COUPON else claim.capacity,
        )
        for claim in priced.promotions.claims
        for resource_id in (f"{_OF[claim.kind]}{claim.resource_id}",)
    )
