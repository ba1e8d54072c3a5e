"""What a comparison found, for people and for scripts: the first difference with both sides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.codec import Codec
from schemas.errors import InvalidMessage, Retryable
from schemas.record import Record, full_name
from topologies.replay.comparing import Difference, Sent
from topologies.replay.state import Snapshot
from topologies.replay.verifying import Verdict


def as_json(verdict: Verdict, codec: Codec) -> dict[str, Any]:
    """Return a verdict as JSON-like values."""
    return {
        "stage": verdict.stage,
        "partition": verdict.partition,
        "identical": verdict.ok,
        "inbox_records": verdict.records,
        "outputs_compared": verdict.outputs,
        "resent": verdict.resent,
        "resent_unchecked": verdict.resent_unchecked,
        "differences": {str(kind): count for kind, count in verdict.counts.items()},
        "stopped_early": verdict.is_astray,
        "first": _difference_json(verdict.first, codec) if verdict.first else None,
    }


def lines(verdict: Verdict, codec: Codec) -> Iterator[str]:
    """Yield a verdict as lines of text."""
    seen = f"{verdict.records:,} inbox records, {verdict.outputs:,} outputs"
    if verdict.resent:
        seen += f", {verdict.resent:,} sent again"
    if verdict.resent_unchecked:
        seen += f" ({verdict.resent_unchecked:,} of them too late to check)"
    name = f"{verdict.stage}/{verdict.partition}"
    if verdict.first is None:
        yield f"{name}: identical ({seen})"
        return
    counts = ", ".join(f"{count:,} {kind}" for kind, count in verdict.counts.items())
    stopped = "; stopped there" if verdict.is_astray else ""
    yield f"{name}: NOT identical ({seen}): {counts}{stopped}"
    yield from difference_lines(verdict.first, codec)


def difference_lines(difference: Difference, codec: Codec) -> Iterator[str]:
    """Yield a difference: which output, both sides decoded, and the fields that differ."""
    yield (
        f"  first: output {difference.output} of inbox offset {difference.offset} "
        f"{difference.kind}{': ' if difference.why else ''}{difference.why}"
    )
    for side, sent in (("recorded", difference.recorded), ("replayed", difference.replayed)):
        if sent is not None:
            yield f"    {side}  {_place(sent)} key {_key(sent)}: {_content(sent, codec)}"
    for name, was, now in _fields(difference, codec):
        yield f"    {name}: recorded {was!r}, replayed {now!r}"


def snapshot_json(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as JSON-like values."""
    return {
        "stage": snapshot.stage,
        "partition": snapshot.partition,
        "key": snapshot.key,
        "offset": snapshot.offset,
        "at_ms": snapshot.at_ms,
        "records": [
            {"record": type(record).__name__, "key": key, "value": msgspec.to_builtins(record)}
            for key, record in snapshot.records
        ],
    }


def snapshot_lines(snapshot: Snapshot) -> Iterator[str]:
    """Yield a snapshot as lines of text: a record, then its fields."""
    at = datetime.fromtimestamp(snapshot.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    place = f"{snapshot.stage}/{snapshot.partition} after offset {snapshot.offset}"
    yield f"{snapshot.key} in {place}, {at}"
    if not snapshot.records:
        yield "  nothing is known of it"
    for key, record in snapshot.records:
        yield f"  {type(record).__name__} {key}"
        for name in record.__struct_fields__:
            yield f"    {name:<18} {_text(name, getattr(record, name))}"


def _text(name: str, value: Any) -> str:
    if name.endswith("_ms") and isinstance(value, int) and value > 0:
        at = datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds")
        return f"{value} ({at})"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "-"
    return str(value)


def _difference_json(difference: Difference, codec: Codec) -> dict[str, Any]:
    return {
        "kind": str(difference.kind),
        "inbox_offset": difference.offset,
        "output": difference.output,
        "why": difference.why,
        "recorded": _sent_json(difference.recorded, codec),
        "replayed": _sent_json(difference.replayed, codec),
        "fields": {
            name: {"recorded": was, "replayed": now}
            for name, was, now in _fields(difference, codec)
        },
    }


def _sent_json(sent: Sent | None, codec: Codec) -> dict[str, Any] | None:
    if sent is None:
        return None
    found = _decoded(sent, codec)
    return {
        "topic": sent.topic,
        "partition": sent.at[0] if sent.at else None,
        "offset": sent.at[1] if sent.at else None,
        "key": _key(sent),
        "record": full_name(type(found)) if isinstance(found, Record) else None,
        "value": msgspec.to_builtins(found) if isinstance(found, Record) else found,
        "headers": _headers(sent),
    }


def _fields(difference: Difference, codec: Codec) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, recorded, replayed) of what differs when both sides are there."""
    was, now = difference.recorded, difference.replayed
    if was is None or now is None:
        return
    if was.topic != now.topic:
        yield "topic", was.topic, now.topic
    if was.key != now.key:
        yield "key", _key(was), _key(now)
    yield from _changes("header ", _headers(was), _headers(now))
    before, after = _decoded(was, codec), _decoded(now, codec)
    if type(before) is type(after) and isinstance(before, Record) and isinstance(after, Record):
        yield from _changes("", msgspec.to_builtins(before), msgspec.to_builtins(after))


def _changes(
    prefix: str, was: dict[str, Any], now: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for name in {**was, **now}:
        if was.get(name) != now.get(name):
            yield prefix + name, was.get(name), now.get(name)


def _decoded(sent: Sent, codec: Codec) -> Record | str:
    try:
        return codec.decode(sent.value)
    except (InvalidMessage, Retryable):
        return (sent.value or b"").hex()


def _content(sent: Sent, codec: Codec) -> str:
    found = _decoded(sent, codec)
    return str(found) if isinstance(found, Record) else f"bytes {found}"


def _headers(sent: Sent) -> dict[str, str]:
    return {
        name: value.hex() if name == "cause" else value.decode(errors="replace")
        for name, value in sent.headers
    }


def _key(sent: Sent) -> str | None:
    return None if sent.key is None else sent.key.decode(errors="replace")


def _place(sent: Sent) -> str:
    return f"{sent.topic}/{sent.at[0]}/{sent.at[1]}" if sent.at else sent.topic
