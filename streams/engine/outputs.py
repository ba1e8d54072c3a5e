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

_TRACE_ID_CHARS = 32  # W3C Trace Context, section 3.2.2.3


class Outputs:
    """Turns outputs of one source partition into Kafka records with cause, trace and envelope.

    Public facts carry the CloudEvents 1.0 attributes (Kafka protocol binding, binary mode).
    """

    def __init__(self, source: str, channel: bytes, codec: Codec, outbox: Outbox) -> None:
        self._encode = codec.encode
        self._outbox = outbox
        self._channel = channel
        # The rest of a span id is offset and output index; "| 1" because it must not be all zero.
        self._span_head = f"{channel[7] | 1:02x}{channel[11]:02x}"
        self._source = ("ce_source", f"/orderstream/{source}".encode())
        self._types: dict[type[Record], tuple[str, bytes]] = {}
        self._time: tuple[int, tuple[str, bytes]] = (-1, ("ce_time", b""))
        self._last: Record | None = None
        self._last_value = b""

    def send(self, output: Output, offset: int, index: int, now_ms: int, *, is_fact: bool) -> None:
        """Append one output; ``index`` counts the outputs of the inbox record at ``offset``."""
        topic, key, message = output
        if message is not self._last:  # a fact that is also a reply is encoded once
            self._last_value = self._encode(message)
            self._last = message
        stamp = self._channel + cause.pack_position(offset, index)
        stamp_hex = stamp.hex()
        headers: list[tuple[str, bytes]] = [(cause.HEADER, stamp)]
        trace_id: str = message.trace_id  # type: ignore[attr-defined]  # every message has one
        if len(trace_id) == _TRACE_ID_CHARS:
            # 10 hex digits of the offset and 2 of the index tell the spans of one trace apart.
            span = f"{self._span_head}{stamp_hex[30:40]}{stamp_hex[46:]}"
            headers.append(("traceparent", f"00-{trace_id}-{span}-01".encode()))
        if is_fact:
            headers += (
                ("ce_specversion", b"1.0"),
                ("ce_id", stamp_hex.encode()),
                self._source,
                self._type(type(message)),
                self._timestamp(now_ms),
            )
        self._outbox(topic, key, self._last_value, headers)

    def dead_letter(
        self, topic: Topic, partition: int, record: InboxRecord, error: InvalidMessage, index: int
    ) -> None:
        """Append the original record, with where it stood and why nobody understood it."""
        headers = [
            *((name, value) for name, value in record.headers if name != cause.HEADER),
            (cause.HEADER, self._channel + cause.pack_position(record.offset, index)),
            ("dlq_topic", topic.name.encode()),
            ("dlq_partition", str(partition).encode()),
            ("dlq_offset", str(record.offset).encode()),
            ("dlq_code", error.code.encode()),
            ("dlq_reason", error.detail.encode()),
        ]
        self._outbox(topic.dead_letters, record.key, record.value, headers)

    def _type(self, kind: type[Record]) -> tuple[str, bytes]:
        header = self._types.get(kind)
        if header is None:
            header = self._types[kind] = ("ce_type", full_name(kind).encode())
        return header

    def _timestamp(self, now_ms: int) -> tuple[str, bytes]:
        if self._time[0] != now_ms:
            text = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
            self._time = (now_ms, ("ce_time", text.replace("+00:00", "Z").encode()))
        return self._time[1]
