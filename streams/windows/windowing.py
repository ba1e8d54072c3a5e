"""Windows as state: tallies merged in, completed by the watermark, restated, and forgotten.

A window is kept past its end for as long as its report says: a fact that comes meanwhile restates
it. What comes later than that is not counted, but for ``too_late``: never in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from schemas.record import Record
from schemas.report import OffsetRange
from schemas.topics import Topic
from streams.kernel.flow import FlowTime
from streams.kernel.stage import Output, State
from streams.windows.tally import Tally

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS


class Window(Record, frozen=True):
    """One window of one report. ``group`` is what it is about beside the shop.

    ``due_ms`` is when the watermark completes it, or, once it is complete, forgets it.
    """

    report: str
    shop_id: int
    group: str
    size_ms: int
    start_ms: int
    due_ms: int
    is_complete: bool
    facts: int
    names: tuple[str, ...]
    amounts: tuple[int, ...]
    latest: tuple[int, ...]
    sources: tuple[OffsetRange, ...]

    @property
    def sums(self) -> dict[str, int]:
        """The sums by name."""
        return dict(zip(self.names, self.amounts, strict=True))

    @property
    def version(self) -> int:
        """Grows with every fact, and with completion."""
        return 2 * self.facts + self.is_complete


class Report(NamedTuple):
    """A report: how long windows of each size are kept past their end, and how one is closed.

    The sizes are multiples of the smallest. ``close`` makes the row of a window.
    """

    topic: Topic
    kept_ms: Mapping[int, int]
    close: Callable[[Window, FlowTime], Record]


class Standing(NamedTuple):
    """The last fields of every row."""

    version: int
    facts: int
    fresh_ms: int
    watermark_ms: int
    is_complete: bool
    sources: tuple[OffsetRange, ...]


def standing(window: Window, time: FlowTime) -> Standing:
    """Return how far the row of ``window`` can be believed."""
    return Standing(
        window.version,
        window.facts,
        time.fresh_ms,
        time.watermark_ms,
        window.is_complete,
        window.sources,
    )


class Windows:
    """Collects tallies between two calls of ``rows``, and folds them into the state there."""

    def __init__(self, reports: Sequence[Report]) -> None:
        self.too_late = 0
        self._reports = {report.topic.name: report for report in reports}
        self._tallies: dict[tuple[str, int, str, int], Tally] = {}
        self._changed: dict[str, Window] = {}

    def tally(self, report: str, size_ms: int, shop_id: int, group: str, event_ms: int) -> Tally:
        """Return where facts of ``event_ms`` are counted; ``size_ms`` is the report's smallest."""
        key = (report, shop_id, group, event_ms - event_ms % size_ms)
        found = self._tallies.get(key)
        if found is None:
            found = self._tallies[key] = Tally()
        return found

    def wake(self, state: State, window: Window, time: FlowTime) -> None:
        """Complete a window, or forget a complete one."""
        key = _key(window)
        if window.is_complete:
            state.delete(Window, key)
            return
        kept_ms = self._reports[window.report].kept_ms[window.size_ms]
        done = msgspec.structs.replace(window, is_complete=True, due_ms=window.due_ms + kept_ms)
        state.put(key, done)
        self._changed[key] = done

    def rows(self, state: State, time: FlowTime) -> list[Output]:
        """Fold in what was collected; return the rows of all windows that changed."""
        for (name, shop_id, group, start_ms), tally in self._tallies.items():
            for size_ms, kept_ms in self._reports[name].kept_ms.items():
                bucket_ms = start_ms - start_ms % size_ms
                self._merge(
                    state, time, _fresh(name, shop_id, group, size_ms, bucket_ms), kept_ms, tally
                )
        self._tallies.clear()
        changed, self._changed = self._changed, {}
        return [
            Output(
                window.report,
                key.partition("/")[2],
                self._reports[window.report].close(window, time),
            )
            for key, window in changed.items()
        ]

    def _merge(
        self, state: State, time: FlowTime, fresh: Window, kept_ms: int, tally: Tally
    ) -> None:
        key = _key(fresh)
        window = state.get(Window, key)
        if window is None:
            if fresh.due_ms + kept_ms <= time.watermark_ms:
                self.too_late += tally.facts
                return
            window = fresh
        merged = _thawed(window)
        merged.merge(tally)
        is_complete, due_ms = window.is_complete, window.due_ms
        if not is_complete and due_ms <= time.watermark_ms:
            is_complete, due_ms = True, due_ms + kept_ms
        self._changed[key] = after = Window(
            window.report,
            window.shop_id,
            window.group,
            window.size_ms,
            window.start_ms,
            due_ms,
            is_complete,
            merged.facts,
            tuple(merged.sums),
            tuple(merged.sums.values()),
            merged.latest,
            merged.ranges(),
        )
        state.put(key, after)


def _fresh(report: str, shop_id: int, group: str, size_ms: int, start_ms: int) -> Window:
    return Window(
        report, shop_id, group, size_ms, start_ms, start_ms + size_ms, False, 0, (), (), (), ()
    )


def _thawed(window: Window) -> Tally:
    tally = Tally()
    tally.sums = window.sums
    tally.latest = window.latest
    tally.facts = window.facts
    tally.spans = {(one.topic, one.partition): (one.first, one.last) for one in window.sources}
    return tally


def _key(window: Window) -> str:
    return f"{window.report}/{window.shop_id}/{window.group}/{window.size_ms}/{window.start_ms}"
