"""A what-if as JSON, as tables, and as one page with charts that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import accumulate
from typing import Any

from rich.table import Table

from streams.pricing.words import yuan
from topologies.replay.whatif import Moved, Report

ROWS = 20
"""Rules, combinations and categories that a table shows; JSON has all of them."""

_POINTS = 200  # of a curve: more than a chart of 600 pixels can show apart is not kept
_REFUSED = 20  # refused orders that JSON names
_WIDTH, _HEIGHT, _BAR = 600, 160, 18


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as JSON-like values; money in fen, times in epoch ms."""
    return {
        "draft": report.draft,
        "orders": report.orders,
        "changed": report.changed,
        "before_fen": report.before_fen,
        "after_fen": report.after_fen,
        "difference_fen": report.difference_fen,
        "by_rule": dict(_ranked(report.by_rule)),
        "by_rules": [
            {"rules": list(rules), "difference_fen": fen} for rules, fen in _ranked(report.by_rules)
        ],
        "by_category": dict(_ranked(report.by_category)),
        "by_buyer": dict(_ranked(report.by_buyer)),
        "winners": [_moved(one) for one in report.winners],
        "losers": [_moved(one) for one in report.losers],
        "refused": len(report.refused),
        "refused_fen": sum(one.total_fen for one in report.refused),
        "first_refused": [one._asdict() for one in report.refused[:_REFUSED]],
        "budgets": {
            name: {"capacity_fen": report.capacities[name], "used": _thinned(points)}
            for name, points in report.burned.items()
        },
        "over_time": _thinned(_summed(report.over_time)),
        "priced_otherwise_than_recorded": report.astray,
    }


def tables(report: Report) -> Iterator[Table]:
    """Yield the tables of a report, the total first."""
    total = Table("", "before", "after", "difference", title=f"what if: {report.draft}")
    money = yuan(report.before_fen), yuan(report.after_fen), signed(report.difference_fen)
    total.add_row(f"{report.orders:,} orders", *money)
    total.add_row(f"{report.changed:,} cost something else", "", "", "")
    if report.refused:
        worth_fen = sum(one.total_fen for one in report.refused)
        total.add_row(f"{len(report.refused):,} would be refused", "", yuan(worth_fen), "")
    if report.astray:
        total.add_row(f"{report.astray:,} not reproduced by their own pack", "", "", "")
    yield total
    for title, amounts in _breakdowns(report):
        if amounts:
            table = Table(title, "difference")
            for name, fen in amounts[:ROWS]:
                table.add_row(name, signed(fen))
            yield table
    for title, found in _extremes(report):
        if found:
            table = Table(title, "before", "after", "difference", "rules")
            for one in found:
                money = yuan(one.before_fen), yuan(one.after_fen), signed(one.difference_fen)
                table.add_row(one.order_no, *money, ", ".join(one.rules))
            yield table
    if report.burned:
        table = Table("budget", "used", "of", "")
        for name, points in report.burned.items():
            used_fen, capacity_fen = points[-1][1], report.capacities[name]
            share = f"{used_fen * 100 // capacity_fen} %"
            table.add_row(name, yuan(used_fen), yuan(capacity_fen), share)
        yield table


def page(report: Report) -> str:
    """Return the report as HTML; its charts are SVG in the page."""
    told = (
        f"{report.orders:,} orders: {yuan(report.before_fen)} before, {yuan(report.after_fen)} "
        f"after; {report.changed:,} cost something else, {len(report.refused):,} would be refused."
    )
    parts = [
        f"<h1>What if: {escape(report.draft)}</h1>",
        f"<p class=total>{signed(report.difference_fen)}</p><p>{told}</p>",
    ]
    if report.over_time:
        curve = _curve(_thinned(_summed(report.over_time)), None)
        parts += ["<h2>Difference over time, summed up</h2>", curve]
    for title, amounts in _breakdowns(report):
        if amounts:
            parts += [f"<h2>By {escape(title)}</h2>", _bars(amounts[:ROWS])]
    for name, points in report.burned.items():
        parts += [f"<h2>{escape(name)}</h2>", _curve(_thinned(points), report.capacities[name])]
    for title, found in _extremes(report):
        if found:
            parts += [f"<h2>{escape(title)}</h2>", _rows(found)]
    style = (
        "body{font:15px system-ui,sans-serif;max-width:760px;margin:2em auto;color:#223}"
        ".total{font-size:2.4em;margin:0}td,th{padding:2px 10px;text-align:right}"
        "svg{width:100%;background:#f6f7f9}text{font-size:11px}"
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        f"<title>What if: {escape(report.draft)}</title><style>{style}</style>"
        f"{''.join(parts)}</html>\n"
    )


def signed(fen: int) -> str:
    """Return a difference in the major unit: ``-12.00``, ``+0.05``, ``0.00``."""
    sign = "-" if fen < 0 else "+" if fen else ""
    return sign + yuan(abs(fen))


def _breakdowns(report: Report) -> tuple[tuple[str, list[tuple[str, int]]], ...]:
    together = [(" + ".join(rules) or "(no rule)", fen) for rules, fen in _ranked(report.by_rules)]
    categories = [(name or "(none)", fen) for name, fen in _ranked(report.by_category)]
    return (
        ("rule", _ranked(report.by_rule)),
        ("rules together", together),
        ("category", categories),
        ("buyer", _ranked(report.by_buyer)),
    )


def _extremes(report: Report) -> tuple[tuple[str, Sequence[Moved]], ...]:
    return ("biggest winners", report.winners), ("biggest losers", report.losers)


def _ranked(amounts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    """Return what is not 0, the biggest loss first."""
    return sorted(((name, fen) for name, fen in amounts.items() if fen), key=lambda one: one[::-1])


def _moved(one: Moved) -> dict[str, Any]:
    return {**one._asdict(), "difference_fen": one.difference_fen}


def _summed(amounts: Mapping[int, int]) -> list[tuple[int, int]]:
    times = sorted(amounts)
    return list(zip(times, accumulate(amounts[at] for at in times), strict=True))


def _thinned(points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    step = max(1, len(points) // _POINTS)
    kept = list(points[::step])
    return kept if kept[-1:] == list(points[-1:]) else [*kept, points[-1]]


def _bars(amounts: Iterable[tuple[str, int]]) -> str:
    rows = list(amounts)
    most = max(abs(fen) for _, fen in rows)
    parts = []
    for n, (name, fen) in enumerate(rows):
        width = max(1, abs(fen) * _WIDTH // 2 // most)
        color = "#c33" if fen < 0 else "#383"
        y = n * (_BAR + 16)
        parts.append(
            f'<text x="4" y="{y + 12}">{escape(name)}: {signed(fen)}</text>'
            f'<rect x="4" y="{y + 15}" width="{width}" height="{_BAR - 6}" fill="{color}"/>'
        )
    height = len(rows) * (_BAR + 16) + 4
    return f'<svg viewBox="0 0 {_WIDTH} {height}">{"".join(parts)}</svg>'


def _curve(points: Sequence[tuple[int, int]], capacity: int | None) -> str:
    """Return amounts over time as steps; ``capacity`` is a line that they should stay below."""
    first_ms, last_ms = points[0][0], points[-1][0]
    amounts = [0, *(fen for _, fen in points), *([capacity] if capacity is not None else [])]
    low, high = min(amounts), max(amounts)
    span_ms, span = max(1, last_ms - first_ms), max(1, high - low)

    def y_of(fen: int) -> int:
        return 10 + (high - fen) * (_HEIGHT - 30) // span

    way = f"M0 {y_of(0)}" + "".join(
        f"H{(at - first_ms) * _WIDTH // span_ms}V{y_of(fen)}" for at, fen in points
    )
    limit = ""
    if capacity is not None:
        limit = f'<path d="M0 {y_of(capacity)}H{_WIDTH}" stroke="#c33"/>'
    told = f"{_day(first_ms)} to {_day(last_ms)}: {signed(points[-1][1])}"
    if capacity is not None:
        told += f" of {yuan(capacity)}"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}">{limit}'
        f'<path d="{way}" fill="none" stroke="#246"/>'
        f'<text x="4" y="{_HEIGHT - 4}">{told}</text></svg>'
    )


def _rows(found: Sequence[Moved]) -> str:
    head = "<tr><th>order<th>before<th>after<th>difference<th>rules"
    rows = "".join(
        f"<tr><td>{escape(one.order_no)}<td>{yuan(one.before_fen)}<td>{yuan(one.after_fen)}"
        f"<td>{signed(one.difference_fen)}<td>{escape(', '.join(one.rules))}"
        for one in found
    )
    return f"<table>{head}{rows}</table>"


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
