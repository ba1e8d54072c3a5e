"""What a process has used of the machine, from Linux's ``/proc``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_USER_TICKS, _SYSTEM_TICKS = 11, 12  # after the command's closing parenthesis (proc_pid_stat(5))
_MB = 1000 * 1000


class Usage(NamedTuple):
    """Processor time so far, and the most memory that was resident at once."""

    cpu_s: float
    peak_mb: float


def usage(pid: int) -> Usage:
    """Return what a process has used; nothing at all when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return Usage(0.0, 0.0)
    return Usage(cpu_s(stat), peak_mb(status))


def cpu_s(stat: str) -> float:
    """Return user and system seconds from the text of ``/proc/<pid>/stat``."""
    # The command, in parentheses, may hold spaces and parentheses itself.
    fields = stat[stat.rindex(")") + 2 :].split()
    return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / _TICKS_PER_S


def peak_mb(status: str) -> float:
    """Return ``VmHWM`` in megabytes from the text of ``/proc/<pid>/status``; 0.0 without one."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / _MB
    return 0.0
