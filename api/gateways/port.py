"""The port of every gateway: a callback's headers and bytes in, a report or a reason out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from schemas.payment import GatewayReport


class Reason(StrEnum):
    """Why a callback is not believed. The guards stand in this order."""

    MALFORMED = "MALFORMED"
    STALE = "STALE"  # its time is too far from ours
    UNKNOWN_KEY = "UNKNOWN_KEY"  # signed by a key that nobody gave us, or may not be used
    BAD_SIGNATURE = "BAD_SIGNATURE"
    NOT_OURS = "NOT_OURS"  # another merchant's, or another app's
    UNSUPPORTED = "UNSUPPORTED"  # genuine, but not about a payment or refund of ours
    BAD_AMOUNT = "BAD_AMOUNT"  # no amount of money, or in a currency that the gateway cannot take


@dataclass(frozen=True, slots=True)
class Rejected:
    """A callback that is not believed. ``detail`` is for the log: it repeats nothing secret."""

    reason: Reason
    detail: str


class Answer(NamedTuple):
    """What the gateway is answered, as its protocol wants it."""

    status: int
    body: bytes = b""
    media_type: str = "text/plain"


class Gateway(Protocol):
    """Verifies one gateway's callbacks.

    A report is genuine and ours; whether its payment exists, is asked that amount and has been
    reported before is judged by the payments stage, in any order and with any repeats.
    """

    @property
    def name(self) -> str:
        """Names the gateway in the callback's URL and in reports."""

    @property
    def headers(self) -> frozenset[str]:
        """The headers (lower case) that it reads: these are stored, and no others."""

    @property
    def accepted(self) -> Answer:
        """The answer after which it does not call again."""

    @property
    def refused(self) -> Answer:
        """The answer to what is not believed."""

    def verify(
        self, headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> GatewayReport | Rejected:
        """Judge a callback that came at ``now_ms`` (epoch ms); names of headers are lower case."""
