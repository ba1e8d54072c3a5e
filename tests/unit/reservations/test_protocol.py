"""The rules of try, confirm, cancel, extend and expire, one by one, on plain records."""

from __future__ import annotations

from typing import TypedDict

import pytest

from streams.reservations.phases import REPEAT, Again, Phase, Reason
from streams.reservations.protocol import (
    AMOUNT_MAX,
    FENCED,
    TTL_MAX_MS,
    Changed,
    Extended,
    Held,
    Refused,
    Released,
    Spent,
    cancel_hold,
    change_capacity,
    confirm_hold,
    expire_hold,
    extend_hold,
    set_capacity,
    try_hold,
)
from streams.reservations.records import RETENTION_MS, Hold, Resource, ended, prolonged

NOW_MS = 1_000
DUE_MS = 5_000
BUDGET = Resource(version=7, on_hand=100, held=40)  # 60 available


class Body(TypedDict):
    resource_id: str
    owner: str


BODY = Body(resource_id="budget", owner="order-1")
OTHER_BODIES = [
    Body(resource_id="budget", owner="order-2"),
    Body(resource_id="coupon", owner="order-1"),
]
HELD = Hold(
    hold_id="h",
    **BODY,
    amount=30,
    spent=0,
    phase=Phase.HELD,
    due_ms=DUE_MS,
    version=5,
    on_hand=100,
    held=40,
    trace_id="trace",
)
CONFIRMED = ended(HELD, Phase.CONFIRMED, 30, 6, 70, 10, NOW_MS)
CANCELLED = ended(HELD, Phase.CANCELLED, 0, 6, 100, 10, NOW_MS)
EXPIRED = ended(HELD, Phase.EXPIRED, 0, 6, 100, 10, NOW_MS)
FENCE = Hold(
    hold_id="h",
    **BODY,
    amount=0,
    spent=0,
    phase=Phase.FENCED,
    due_ms=DUE_MS,
    version=0,
    on_hand=0,
    held=0,
    trace_id="",
)
EVERY_HOLD = [HELD, CONFIRMED, CANCELLED, EXPIRED, FENCE]


def ask(
    hold: Hold | None = None,
    resource: Resource | None = BUDGET,
    body: Body = BODY,
    amount: int = 30,
    ttl_ms: int = 500,
    now_ms: int = NOW_MS,
) -> Held | Again | Refused:
    return try_hold(hold, resource, **body, amount=amount, ttl_ms=ttl_ms, now_ms=now_ms)


# --- try -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, 30, 60])
def test_a_try_sets_aside_what_is_available(amount: int) -> None:
    assert ask(amount=amount) == Held(8, 100, 40 + amount, 0, amount, NOW_MS + 500)


@pytest.mark.parametrize("amount", [61, 100, AMOUNT_MAX])
def test_a_try_beyond_what_is_available_is_refused_and_says_what_is(amount: int) -> None:
    assert ask(amount=amount) == Refused(Reason.INSUFFICIENT, 60)


def test_a_try_of_nothing_known_is_refused() -> None:
    assert ask(resource=None) == Refused(Reason.UNKNOWN_RESOURCE)


@pytest.mark.parametrize("amount", [0, -1, AMOUNT_MAX + 1])
@pytest.mark.parametrize("hold", [None, *EVERY_HOLD])
def test_an_amount_out_of_range_is_refused_before_anything_else(
    hold: Hold | None, amount: int
) -> None:
    assert ask(hold, amount=amount, ttl_ms=0) == Refused(Reason.INVALID_AMOUNT)


@pytest.mark.parametrize("ttl_ms", [0, -1, TTL_MAX_MS + 1])
def test_a_time_to_live_out_of_range_is_refused(ttl_ms: int) -> None:
    assert ask(HELD, ttl_ms=ttl_ms) == Refused(Reason.INVALID_TTL)


@pytest.mark.parametrize(
    ("hold", "answer"),
    [
        (HELD, REPEAT),
        (CONFIRMED, Refused(Reason.ALREADY_CONFIRMED)),
        (CANCELLED, Refused(Reason.ALREADY_CANCELLED)),
        (EXPIRED, Refused(Reason.HOLD_EXPIRED)),
        (FENCE, Refused(Reason.FENCED)),
    ],
)
def test_a_second_try_repeats_a_live_hold_and_names_the_end_of_an_ended_one(
    hold: Hold, answer: Again | Refused
) -> None:
    assert ask(hold, resource=None) == answer


def test_a_fence_refuses_a_late_try_of_any_amount() -> None:
    assert ask(FENCE, amount=59) == Refused(Reason.FENCED)


@pytest.mark.parametrize("hold", [HELD, CONFIRMED, CANCELLED, EXPIRED])
def test_a_try_of_another_amount_is_a_conflict(hold: Hold) -> None:
    assert ask(hold, amount=31) == Refused(Reason.CONFLICT)


# --- the body of the try guards every request ----------------------------------------------------


@pytest.mark.parametrize("body", OTHER_BODIES)
@pytest.mark.parametrize("hold", EVERY_HOLD)
def test_the_same_id_with_another_body_is_a_conflict(hold: Hold, body: Body) -> None:
    assert [
        ask(hold, body=body),
        confirm_hold(hold, BUDGET, **body, now_ms=NOW_MS),
        cancel_hold(hold, BUDGET, **body, now_ms=NOW_MS),
        extend_hold(hold, **body, ttl_ms=500, now_ms=NOW_MS),
    ] == [Refused(Reason.CONFLICT)] * 4


# --- confirm -------------------------------------------------------------------------------------


def test_a_confirm_spends_the_whole_hold() -> None:
    outcome = confirm_hold(HELD, BUDGET, **BODY, now_ms=NOW_MS)
    assert outcome == Spent(8, 70, 10, -30, -30)


def test_a_partial_confirm_returns_the_rest() -> None:
    outcome = confirm_hold(HELD, BUDGET, **BODY, amount=12, now_ms=NOW_MS)
    assert outcome == Spent(8, 88, 10, -12, -30)
    assert (outcome.spent, outcome.returned) == (12, 18)


def test_a_confirm_of_more_than_is_held_is_refused() -> None:
    outcome = confirm_hold(HELD, BUDGET, **BODY, amount=31, now_ms=NOW_MS)
    assert outcome == Refused(Reason.EXCEEDS_HOLD)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_confirm_of_nothing_is_refused(amount: int) -> None:
    outcome = confirm_hold(HELD, BUDGET, **BODY, amount=amount, now_ms=NOW_MS)
    assert outcome == Refused(Reason.INVALID_AMOUNT)


@pytest.mark.parametrize(
    ("hold", "answer"),
    [
        (None, Refused(Reason.UNKNOWN_HOLD)),
        (CONFIRMED, REPEAT),
        (CANCELLED, Refused(Reason.ALREADY_CANCELLED)),
        (EXPIRED, Refused(Reason.HOLD_EXPIRED)),
        (FENCE, Refused(Reason.FENCED)),
    ],
)
def test_a_confirm_that_cannot_be_says_why(hold: Hold | None, answer: Again | Refused) -> None:
    assert confirm_hold(hold, BUDGET, **BODY, now_ms=NOW_MS) == answer


def test_a_confirm_of_another_amount_than_was_confirmed_is_a_conflict() -> None:
    partly = ended(HELD, Phase.CONFIRMED, 12, 6, 88, 10, NOW_MS)
    answers = [
        confirm_hold(partly, BUDGET, **BODY, amount=amount, now_ms=NOW_MS)
        for amount in (12, 13, None)
    ]
    assert answers == [REPEAT, Refused(Reason.CONFLICT), Refused(Reason.CONFLICT)]


# --- cancel --------------------------------------------------------------------------------------


def test_a_cancel_gives_the_whole_hold_back() -> None:
    assert cancel_hold(HELD, BUDGET, **BODY, now_ms=NOW_MS) == Released(8, 100, 10, 0, -30)


def test_a_cancel_before_its_try_leaves_a_fence() -> None:
    assert cancel_hold(None, None, **BODY, now_ms=NOW_MS) is FENCED


@pytest.mark.parametrize(
    ("hold", "answer"),
    [
        (CONFIRMED, Refused(Reason.ALREADY_CONFIRMED)),
        (CANCELLED, REPEAT),
        (EXPIRED, Refused(Reason.HOLD_EXPIRED)),
        (FENCE, REPEAT),
    ],
)
def test_a_cancel_after_an_end_repeats_or_says_which(hold: Hold, answer: Again | Refused) -> None:
    assert cancel_hold(hold, None, **BODY, now_ms=NOW_MS) == answer


# --- extend --------------------------------------------------------------------------------------


def test_an_extension_counts_from_now() -> None:
    outcome = extend_hold(HELD, **BODY, ttl_ms=10_000, now_ms=NOW_MS)
    assert outcome == Extended(NOW_MS + 10_000)
    assert prolonged(HELD, NOW_MS + 10_000).due_ms == NOW_MS + 10_000


@pytest.mark.parametrize("ttl_ms", [1, DUE_MS - NOW_MS])
def test_an_extension_never_shortens_a_hold(ttl_ms: int) -> None:
    assert extend_hold(HELD, **BODY, ttl_ms=ttl_ms, now_ms=NOW_MS) is REPEAT


@pytest.mark.parametrize("ttl_ms", [0, -1, TTL_MAX_MS + 1])
def test_an_extension_out_of_range_is_refused(ttl_ms: int) -> None:
    outcome = extend_hold(HELD, **BODY, ttl_ms=ttl_ms, now_ms=NOW_MS)
    assert outcome == Refused(Reason.INVALID_TTL)


@pytest.mark.parametrize(
    ("hold", "reason"),
    [
        (None, Reason.UNKNOWN_HOLD),
        (CONFIRMED, Reason.ALREADY_CONFIRMED),
        (CANCELLED, Reason.ALREADY_CANCELLED),
        (EXPIRED, Reason.HOLD_EXPIRED),
        (FENCE, Reason.FENCED),
    ],
)
def test_only_a_live_hold_is_extended(hold: Hold | None, reason: Reason) -> None:
    assert extend_hold(hold, **BODY, ttl_ms=500, now_ms=NOW_MS) == Refused(reason)


# --- expiry --------------------------------------------------------------------------------------


def test_an_expiry_gives_the_whole_hold_back() -> None:
    assert expire_hold(HELD, BUDGET, now_ms=DUE_MS) == Released(8, 100, 10, 0, -30)


def test_an_expiry_before_its_time_is_refused() -> None:
    assert expire_hold(HELD, BUDGET, now_ms=DUE_MS - 1) == Refused(Reason.NOT_DUE)


@pytest.mark.parametrize(
    ("hold", "answer"),
    [
        (None, Refused(Reason.UNKNOWN_HOLD)),
        (CONFIRMED, Refused(Reason.ALREADY_CONFIRMED)),
        (CANCELLED, Refused(Reason.ALREADY_CANCELLED)),
        (EXPIRED, REPEAT),
        (FENCE, Refused(Reason.FENCED)),
    ],
)
def test_only_a_live_hold_expires(hold: Hold | None, answer: Again | Refused) -> None:
    assert expire_hold(hold, BUDGET, now_ms=DUE_MS * 10) == answer


def test_a_hold_is_over_at_its_time_even_if_its_timer_was_not_served_yet() -> None:
    expired = Refused(Reason.HOLD_EXPIRED)
    assert [
        ask(HELD, now_ms=DUE_MS),
        confirm_hold(HELD, BUDGET, **BODY, now_ms=DUE_MS),
        cancel_hold(HELD, BUDGET, **BODY, now_ms=DUE_MS),
        extend_hold(HELD, **BODY, ttl_ms=500, now_ms=DUE_MS),
    ] == [expired] * 4
    assert confirm_hold(HELD, BUDGET, **BODY, now_ms=DUE_MS - 1) == Spent(8, 70, 10, -30, -30)


# --- memory and capacity -------------------------------------------------------------------------


def test_an_ended_hold_is_due_to_be_forgotten_after_the_retention() -> None:
    after = ended(HELD, Phase.CONFIRMED, 12, 6, 88, 10, NOW_MS)
    assert after == Hold(
        hold_id="h",
        **BODY,
        amount=30,
        spent=12,
        phase=Phase.CONFIRMED,
        due_ms=NOW_MS + RETENTION_MS,
        version=6,
        on_hand=88,
        held=10,
        trace_id="",
    )


def test_a_hold_without_its_resource_is_refused_by_name() -> None:
    assert [
        confirm_hold(HELD, None, **BODY, now_ms=NOW_MS),
        cancel_hold(HELD, None, **BODY, now_ms=NOW_MS),
        expire_hold(HELD, None, now_ms=DUE_MS),
    ] == [Refused(Reason.UNKNOWN_RESOURCE)] * 3


@pytest.mark.parametrize("delta", [5, -60])
def test_capacity_changes_down_to_what_is_held(delta: int) -> None:
    assert change_capacity(BUDGET, delta) == Changed(8, 100 + delta, 40, delta, 0)


def test_capacity_never_falls_below_what_is_held() -> None:
    assert change_capacity(BUDGET, -61) == Refused(Reason.BELOW_HELD, 60)


def test_a_resource_begins_with_its_first_capacity() -> None:
    assert change_capacity(None, 5) == Changed(1, 5, 0, 5, 0)
    assert change_capacity(None, -5) == Refused(Reason.BELOW_HELD, 0)


@pytest.mark.parametrize("delta", [0, AMOUNT_MAX - 99, -AMOUNT_MAX - 1])
def test_a_change_of_nothing_or_beyond_all_bounds_is_refused(delta: int) -> None:
    assert change_capacity(BUDGET, delta) == Refused(Reason.INVALID_AMOUNT)


@pytest.mark.parametrize("on_hand", [3, 7, 10, 12])
def test_a_count_replaces_the_capacity_whatever_it_was(on_hand: int) -> None:
    counted = set_capacity(Resource(version=4, on_hand=10, held=3), on_hand)
    assert counted == Changed(5, on_hand, 3, on_hand - 10, 0)


def test_a_count_below_what_is_held_is_refused_and_says_what_could_go() -> None:
    resource = Resource(version=4, on_hand=10, held=3)
    assert set_capacity(resource, 2) == Refused(Reason.BELOW_HELD, 7)


@pytest.mark.parametrize("on_hand", [-1, AMOUNT_MAX + 1])
def test_a_count_beyond_all_bounds_is_refused(on_hand: int) -> None:
    resource = Resource(version=4, on_hand=10, held=3)
    assert set_capacity(resource, on_hand) == Refused(Reason.INVALID_AMOUNT)
