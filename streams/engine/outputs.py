"""Outputs as Kafka records: value, cause, trace context and, on facts, CloudEvents."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.codec import Codec
from schemas.errors import InvalidMessage
from schemas.record import Record, full_name
from schemas.topics import Topic
from streams.engine import cause
from streams.engine.records import InboxRecord, Outbox
from streams.kernel.stage import Output

_SPEC_VERSION = ("ce_specversion", b"1.0")
_TRACE_ID_CHARS = 32  # W3C Trace Context, section 3.2.2.3


class Outputs:
    """Turns outputs of one source partition into Kafka records with cause, trace and envelope.

    Public facts carry the CloudEvents 1.0 attributes (Kafka protocol binding, binary mode).
    """

    def __init__(self, source: str, channel: bytes, codec: Codec, outbox: Outbox) -> None:
        self._codec = codec
        self._outbox = outbox
        self._channel = channel
        # The rest of a span id is the offset; "| 1" because it must not be all zero.
        self._span_head = f"{channel[7] | 1:02x}{channel[10]:02x}{channel[11]:02x}"
        self._span: tuple[int, str, tuple[str, bytes]] = (-1, "", ("traceparent", b""))
        # With the offset and the index of the output in ce_id it is unique, as CloudEvents demands.
        self._source = ("ce_source", f"/orderstream/{source}/{channel.hex()}".encode())
        self._types: dict[type[Record], tuple[str, bytes]] = {}
        self._time: tuple[int, tuple[str, bytes]] = (-1, ("ce_time", b""))
        self._second = (-1, "")
        self._last: Record | None = None
        self._last_value = b""

    def send(self, output: Output, offset: int, index: int, now_ms: int, *, is_fact: bool) -> None:
        """Append one output; ``index`` counts the outputs of the inbox record at ``offset``."""
        topic, key, message = output
        if message is not self._last:  # a fact that is also a reply is encoded once
            self._last_value = self._codec.encode(message)
            self._last = message
        stamp = self._channel + cause.pack_position(offset, index)
        trace_id: str = message.trace_id  # type: ignore[attr-defined]  # every message has one
        span = self._span
        if span[0] != offset or span[1] != trace_id:
            span = self._new_span(offset, trace_id)
        if is_fact:
            headers = [
                (cause.HEADER, stamp),
                span[2],
                _SPEC_VERSION,
                ("ce_id", f"{offset}.{index}".encode()),
                self._source,
                self._types.get(type(message)) or self._type(type(message)),
                self._time[1] if self._time[0] == now_ms else self._timestamp(now_ms),
            ]
        else:
            headers = [(cause.HEADER, stamp), span[2]]
        self._outbox(topic, key, self._last_value, headers)

    def dead_letter(
        self, topic: Topic, partition: int, record: InboxRecord, error: InvalidMessage, index: int
    ) -> None:
        """Append the original record, with where it stood and why nobody understood it."""
        headers = [
            *[header for header in record.headers if header[0] != cause.HEADER],
            (cause.HEADER, self._channel + cause.pack_position(record.offset, index)),
            ("dlq_topic", topic.name.encode()),
            ("dlq_partition", str(partition).encode()),
            ("dlq_offset", str(record.offset).encode()),
            ("dlq_code", error.code.encode()),
            ("dlq_reason", error.detail.encode()),
        ]
        self._outbox(topic.dead_letters, record.key, record.value, headers)

    def _new_span(self, offset: int, trace_id: str) -> tuple[int, str, tuple[str, bytes]]:
        """Return the trace context of one inbox record's outputs: applying it is the span.

        A record without a proper trace id (a tick, a foreign one) starts a trace of its own.
        """
        span_id = self._span_head + (offset & 0xFFFFFFFFFF).to_bytes(5, "big").hex()
        known = trace_id if len(trace_id) == _TRACE_ID_CHARS else span_id * 2
        self._span = (offset, trace_id, ("traceparent", f"00-{known}-{span_id}-01".encode()))
        return self._span

    def _type(self, kind: type[Record]) -> tuple[str, bytes]:
        header = self._types[kind] = ("ce_type", full_name(kind).encode())
        return header

    def _timestamp(self, now_ms: int) -> tuple[str, bytes]:
        second, ms = divmod(now_ms, 1000)
        if second != self._second[0]:
            at = datetime.fromtimestamp(second, UTC)
            self._second = (second, at.strftime("%Y-%m-%dT%H:%M:%S"))
        self._time = (now_ms, ("ce_time", f"{self._second[1]}.{ms:03d}Z".encode()))
        return self._time[1]
