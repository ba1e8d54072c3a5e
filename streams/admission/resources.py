"""Admits grants and issues of promotions by operators, and claims of coupons by users."""

from __future__ import annotations

import re
from typing import TypeVar

from msgspec.structs import replace

from schemas.resource import ClaimCoupon, GrantCapacity, IssueCoupons
from streams.admission.fields import check_owner, check_trace
from streams.admission.identity import derive_trace_id
from streams.admission.problems import InvalidIntent, Problem, ProblemCode

AnyIntent = GrantCapacity | IssueCoupons | ClaimCoupon
R = TypeVar("R", bound=AnyIntent)

MAX_GRANT = 10**14
"""Units or fen of one grant: a trillion yuan. Ten of them reach what a resource may have."""

MAX_COUPONS = 100_000_000
"""Coupons of one issue, as many as the units of one delivery."""

MAX_REF_LENGTH = 128
"""Characters of a document's number or a claim key, as of a client key."""

_LOT = re.compile("[A-Za-z0-9_.-]{1,64}")
_RESOURCE = re.compile("(coupon|budget|quota|limit):([0-9]+)/[A-Za-z0-9_./-]{1,160}")
_OPERATOR = re.compile("[A-Za-z0-9_.@-]{1,64}")


def admit_promotion(intent: R) -> R:
    """Return the intent, with a trace id.

    Whether there is such a resource or lot, and enough of it, is for the promotions stage to judge.
    Raises InvalidIntent with every problem, in the order: shop and user, ref or key, resource or
    lot, amounts, operator, time, trace.
    """
    problems: list[Problem] = []
    ref = intent.claim_key if isinstance(intent, ClaimCoupon) else intent.ref
    check_owner(intent.shop_id, intent.user_id if isinstance(intent, ClaimCoupon) else 1, problems)
    if not 1 <= len(ref) <= MAX_REF_LENGTH or not ref.isprintable():
        detail = f"send 1 to {MAX_REF_LENGTH} printable characters, new for each"
        field = "claim_key" if isinstance(intent, ClaimCoupon) else "ref"
        _bad(field, detail, problems)
    if isinstance(intent, GrantCapacity):
        _check_grant(intent, problems)
    elif not _LOT.fullmatch(intent.lot):
        _bad("lot", "send its name: 1 to 64 letters, digits, '_', '.' or '-'", problems)
    if isinstance(intent, IssueCoupons):
        _check_issue(intent, problems)
    if not isinstance(intent, ClaimCoupon):
        if not _OPERATOR.fullmatch(intent.operator):
            detail = "say who does this: 1 to 64 letters, digits, '_', '.', '@' or '-'"
            _bad("operator", detail, problems)
        if intent.expires_at_ms < 0:
            _bad("expires_at_ms", "send epoch milliseconds, or 0: no end", problems)
    check_trace(intent.trace_id, problems)
    if problems:
        raise InvalidIntent(tuple(problems))
    if intent.trace_id:
        return intent
    name = intent.resource_id if isinstance(intent, GrantCapacity) else intent.lot
    text = f"{type(intent).__name__}/{intent.shop_id}/{name}/{ref}"
    return replace(intent, trace_id=derive_trace_id(text))


def _check_grant(intent: GrantCapacity, problems: list[Problem]) -> None:
    form = _RESOURCE.fullmatch(intent.resource_id)
    if form is None or form[2] != str(intent.shop_id):
        detail = f"send coupon:, budget:, quota: or limit:, then {intent.shop_id}/ and its name"
        _bad("resource_id", detail, problems)
    if intent.delta == 0 or abs(intent.delta) > MAX_GRANT:
        _bad("delta", f"send a change of at most {MAX_GRANT} that is not 0", problems)
    if intent.user_id < 0:
        _bad("user_id", "send whose it is, or 0: anybody's", problems)


def _check_issue(intent: IssueCoupons, problems: list[Problem]) -> None:
    for field, amount in (("qty", intent.qty), ("per_user", intent.per_user)):
        if not 1 <= amount <= MAX_COUPONS:
            _bad(field, f"{amount}; send 1 to {MAX_COUPONS}", problems)


def _bad(field: str, detail: str, problems: list[Problem]) -> None:
    problems.append(Problem(ProblemCode.BAD_PROMOTION, field, detail))
