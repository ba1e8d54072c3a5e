"""The time limits and retry limits of an order's life."""

from __future__ import annotations

from dataclasses import dataclass

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class OrderLimits:
    """How long things may take and how often they are tried; times in milliseconds.

    The limits take part in decisions, so **they must stay the same over one log**: a replay, or a
    worker that takes a partition over, reaches the recorded decisions only with the limits that the
    log was written with. Changing one is a migration, at a checkpoint with every worker stopped.

    Raises ValueError when the limits contradict one another.
    """

    payment_window_ms: int = 15 * MINUTE_MS
    """From OrderCreated until the order expires unpaid."""

    hold_grace_ms: int = 10 * MINUTE_MS
    """How much longer than the payment window a hold lives. It covers asking for the other holds
    before and confirming after: at worst 2 x 270 s = 540 s (see ``step_budget_ms``) < 600 s."""

    step_timeout_ms: int = 10 * SECOND_MS
    """Wait before an unanswered step is asked again; doubles each time up to the cap. Another
    worker takes a partition over within 10 s, so a shorter wait would ask in vain."""

    step_timeout_cap_ms: int = 2 * MINUTE_MS

    step_retries: int = 4
    """Waits of 10 + 20 + 40 + 80 + 120 s = 270 s: below the 5 min that a step may last."""

    payment_attempts: int = 20
    """Payment attempts of one order: enough for a client that switches channels, too few to flood a
    gateway."""

    rehold_attempts: int = 3
    """Tries for a hold that a paid order lost. One is enough, unless a stage is away for longer
    than a hold lives, and then again."""

    refunds: int = 20
    """Refunds of one order: its units are seldom more, and each is remembered."""

    amends: int = 20
    """Changes of one order before it is paid: each is remembered."""

    delivery_window_ms: int = 15 * DAY_MS
    """From the last parcel until the order completes by itself. The payments stage remembers kept
    money for 30 days: 15 + 7 to send the goods back + 8 to spare."""

    idempotency_window_ms: int = 24 * HOUR_MS
    """How long a client may repeat a request; admission refuses what was placed earlier."""

    return_window_ms: int = 24 * HOUR_MS
    """How long a completed order may be refunded, at least the idempotency window: it is kept in
    memory for that. 7 days x 100 orders/s x 0.5 kB = 30 GB, so a longer window needs a store on
    disk."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < (0 if name == "step_retries" else 1):
                raise ValueError(f"{name} is {getattr(self, name)}: it must be positive")
        if self.return_window_ms < self.idempotency_window_ms:
            raise ValueError(
                f"return_window_ms is {self.return_window_ms}, less than idempotency_window_ms: "
                "a repeated placement of a completed order would be a new order"
            )
        if self.hold_grace_ms < 2 * self.step_budget_ms:
            raise ValueError(
                f"hold_grace_ms is {self.hold_grace_ms}, less than twice the {self.step_budget_ms} "
                "ms that a step may last: holds could run out under a paid order"
            )

    @property
    def hold_ttl_ms(self) -> int:
        """How long a hold lives: the order expires before its holds do."""
        return self.payment_window_ms + self.hold_grace_ms

    @property
    def step_budget_ms(self) -> int:
        """How long a step may last, all waits together."""
        return sum(self.step_wait_ms(retries) for retries in range(self.step_retries + 1))

    def step_wait_ms(self, retries: int) -> int:
        """Return how long to wait for an answer when the step was asked again ``retries`` times."""
        return min(self.step_timeout_ms << retries, self.step_timeout_cap_ms)
