"""When a round is passed, and what the report says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from topologies.chaos.proof import Bite
from topologies.chaos.report import Outcome, as_json, worst_stall_s
from topologies.chaos.schedule import Fault, Strike

KILLED = Bite(Fault.KILL, {"killed": 1, "took_over": 12, "read_again": 99})
PASSED = Outcome(
    number=1,
    strikes=(Strike(Fault.KILL, 3.0, 0, 0.5),),
    bites=(KILLED,),
    orders=1_000,
    missing=0,
    doubled=0,
    worst_create_ms=7_400.0,
    p99_create_ms=90.0,
    exits={},
    audit={"exit_code": 0, "ok": True},
    verify={"exit_code": 0, "inbox_records": 9_000},
    seconds=40.0,
)


def test_a_round_is_passed_when_its_fault_bit_and_nobody_found_anything() -> None:
    assert PASSED.failures == ()


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        (
            {"bites": (Bite(Fault.KILL, {"killed": 1, "took_over": 12}),)},
            "kill did not bite: no read_again",
        ),
        ({"orders": 0}, "the load failed"),
        ({"missing": 2}, "2 orders came to no end"),
        ({"doubled": 1}, "1 orders became two"),
        ({"exits": {70: 1, 75: 2}}, "1 workers found a promise broken (exit code 70)"),
        ({"audit": {"exit_code": 1}}, "the auditor ended with exit code 1"),
        ({"verify": {"exit_code": 2}}, "replay verify ended with exit code 2"),
        (
            {"verify": {"exit_code": 0, "inbox_records": 999}},
            "replay verify saw only 999 inbox records",
        ),
    ],
)
def test_a_round_is_failed_for_each_single_reason(change: dict[str, Any], failure: str) -> None:
    assert replace(PASSED, **change).failures == (failure,)


def test_a_worker_that_another_one_fenced_may_end_and_come_back() -> None:
    assert replace(PASSED, exits={75: 1}).failures == ()


def test_the_stall_of_a_fault_is_told_from_rounds_of_it_alone() -> None:
    both = (*PASSED.strikes, Strike(Fault.SKEW, 9.0, 1, 0.5))
    rounds = [
        PASSED,
        replace(PASSED, worst_create_ms=8_123.0),
        replace(PASSED, worst_create_ms=20_000.0, strikes=both),
    ]

    assert worst_stall_s(rounds) == {"kill": 8.12}


def test_the_report_says_how_to_run_it_again_and_what_was_left_out() -> None:
    failed = replace(PASSED, number=2, missing=1)

    report = as_json([PASSED, failed], 7, {Fault.REDIS: "not used"}, "orderstream chaos --seed 7")

    assert report["ok"] is False
    assert report["command"] == "orderstream chaos --seed 7"
    assert report["left_out"] == {"redis": "not used"}
    assert report["orders"] == 2_000
    assert [one["failures"] for one in report["rounds"]] == [[], ["1 orders came to no end"]]
