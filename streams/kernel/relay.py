"""The contract of a stateless stage: it judges records and passes them on, one for one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from schemas.record import Record
from schemas.topics import Topic
from streams.kernel.stage import Output


@runtime_checkable
class Relay(Protocol):
    """Reads ``source``, a topic that anybody may write, and forwards what is sound."""

    @property
    def name(self) -> str:
        """Short name, for logs and metrics."""

    @property
    def source(self) -> Topic:
        """The topic that it reads."""

    def forward(self, message: Record, now_ms: int) -> Output:
        """Return what to pass on; raise InvalidMessage to refuse with a reason.

        ``now_ms`` is the broker's log-append time of the record. The answer must not depend on
        anything that a repeat after a crash would see otherwise, or the repeat may be refused where
        the first was passed on.
        """
