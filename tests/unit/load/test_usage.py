"""Processor time and memory are read from /proc as Linux writes them."""

from __future__ import annotations

import os

from topologies.load.usage import cpu_s, peak_mb, usage

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def test_a_command_with_spaces_and_parentheses_does_not_shift_the_fields() -> None:
    before = "S 1 2 3 4 5 6 7 8 9 10"
    stat = f"42 (a (strange) name) {before} {3 * TICKS_PER_S} {TICKS_PER_S} 0 0 20 0"
    assert cpu_s(stat) == 4.0


def test_peak_memory_is_the_high_water_mark() -> None:
    assert peak_mb("VmRSS:\t 100 kB\nVmHWM:\t  2000 kB\n") == 2.048
    assert peak_mb("Name:\tkthreadd\n") == 0.0


def test_this_process_has_used_something() -> None:
    used = usage(os.getpid())
    assert used.cpu_s > 0
    assert used.peak_mb > 1
