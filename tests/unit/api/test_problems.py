"""Errors as clients see them."""

from __future__ import annotations

import pytest

from api.problems import Code, FieldError, Refused, body_of, of_intent, status_of
from api.reasons import DETAILS
from api.trace import trace_of
from streams.admission import InvalidIntent, Problem, ProblemCode
from streams.orders.reasons import OrderReason

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_problem_has_all_that_rfc_9457_asks_for_and_a_code_and_a_trace() -> None:
    refused = Refused(Code.INVENTORY_SHORTAGE, "not enough", missing=[{"sku_id": 1}])

    assert body_of(refused, TRACE) == {
        "type": "urn:orderstream:problem:inventory-shortage",
        "title": "Inventory shortage",
        "status": 409,
        "code": "INVENTORY_SHORTAGE",
        "detail": "not enough",
        "trace_id": TRACE,
        "missing": [{"sku_id": 1}],
    }


def test_a_refused_intent_names_every_field_as_the_request_has_it() -> None:
    problems = (
        Problem(ProblemCode.BAD_KEY, "client_key", "too long"),
        Problem(ProblemCode.PRICE_CHANGED, "lines[0].unit_price_fen", "it costs 2"),
    )
    refused = of_intent(InvalidIntent(problems))

    assert (refused.code, status_of(refused.code)) == ("INVALID_REQUEST", 400)
    assert refused.errors == (
        FieldError("X-Idempotency-Key", "BAD_KEY", "too long"),
        FieldError("lines[0].unit_price_fen", "PRICE_CHANGED", "it costs 2"),
    )


def test_prices_that_have_changed_are_a_conflict() -> None:
    refused = of_intent(InvalidIntent((Problem(ProblemCode.PRICE_CHANGED, "total_fen", "2"),)))
    assert (refused.code, status_of(refused.code)) == ("PRICE_CHANGED", 409)


@pytest.mark.parametrize("reason", OrderReason)
def test_every_reason_of_the_orders_stage_is_told_in_words(reason: OrderReason) -> None:
    assert reason in DETAILS


@pytest.mark.parametrize(
    ("value", "trace_id"),
    [
        (f"00-{TRACE}-00f067aa0ba902b7-01", TRACE),
        (f"cc-{TRACE}-00f067aa0ba902b7-01-what-may-come", TRACE),
        (f"ff-{TRACE}-00f067aa0ba902b7-01", ""),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", ""),
        (f"00-{TRACE}-{'0' * 16}-01", ""),
        (f"00-{TRACE.upper()}-00f067aa0ba902b7-01", ""),
        ("", ""),
    ],
)
def test_a_trace_is_taken_from_a_sound_traceparent(value: str, trace_id: str) -> None:
    assert trace_of([(b"host", b"x"), (b"traceparent", value.encode())]) == trace_id
