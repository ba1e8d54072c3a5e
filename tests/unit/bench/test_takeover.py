"""What a worker took over is read from its log."""

from __future__ import annotations

import json

from topologies.bench.site import Takeover, takeover


def line(event: str, second: int, **more: int) -> str:
    return json.dumps({"event": event, "timestamp": f"2026-11-24T12:00:{second:02d}Z", **more})


def test_a_takeover_lasts_from_the_assignment_to_the_last_partition_loaded() -> None:
    log = [
        line("assigned", 1),
        line("took_over", 4, records=10),
        line("took_over", 3, records=20),
        line("stats", 9),
    ]
    assert takeover("\n".join(log)) == Takeover(2, 30, 3.0)


def test_only_the_last_assignment_counts() -> None:
    log = [line("assigned", 1), line("took_over", 2, records=10), line("assigned", 5)]
    assert takeover("\n".join(log)) == Takeover(0, 0, 0.0)


def test_what_was_kept_is_had_as_well() -> None:
    log = [line("assigned", 1), line("kept", 2, records=10), line("took_over", 4, records=5)]
    assert takeover("\n".join(log)) == Takeover(2, 15, 3.0)


def test_lines_of_libraries_and_half_a_line_are_passed_over() -> None:
    log = ["a warning", line("assigned", 1), line("took_over", 2, records=1), '{"event": "to']
    assert takeover("\n".join(log)) == Takeover(1, 1, 1.0)
