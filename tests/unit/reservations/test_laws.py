"""Any sequence of requests keeps the books of a resource: a property test of the pure engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.reservations.phases import Phase, Request
from streams.reservations.protocol import (
    Changed,
    Extended,
    Fenced,
    Held,
    Movement,
    Released,
    Spent,
    cancel_hold,
    change_capacity,
    confirm_hold,
    expire_hold,
    extend_hold,
    try_hold,
)
from streams.reservations.records import Hold, Resource, ended, prolonged

RESOURCE_ID = "quota"


@dataclass
class Books:
    """Folds outcomes the way a stage does, and keeps accounts of its own beside them."""

    resource: Resource | None = None
    holds: dict[str, Hold] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    promised: dict[str, int] = field(default_factory=dict)  # live holds, by what was moved
    ends: list[str] = field(default_factory=list)

    def move(self, outcome: Movement) -> None:
        self.movements.append(outcome)
        self.resource = Resource(outcome.version, outcome.on_hand, outcome.held)

    def end(self, hold: Hold, phase: Phase, outcome: Movement, now_ms: int) -> None:
        self.move(outcome)
        spent = -outcome.delta_on_hand
        after = outcome.version, outcome.on_hand, outcome.held
        self.holds[hold.hold_id] = ended(hold, phase, spent, *after, now_ms)
        self.ends.append(hold.hold_id)
        assert self.promised.pop(hold.hold_id) == -outcome.delta_held

    def ask(
        self, request: Request, hold_id: str, owner: str, amount: int, ttl_ms: int, now_ms: int
    ) -> object:
        """Judge one request, fold its outcome, and return the outcome."""
        hold, resource = self.holds.get(hold_id), self.resource
        body: dict[str, Any] = {"resource_id": RESOURCE_ID, "owner": owner, "now_ms": now_ms}
        outcome: object
        if request is Request.TRY:
            outcome = try_hold(hold, resource, **body, amount=amount, ttl_ms=ttl_ms)
            if isinstance(outcome, Held):
                self.move(outcome)
                self.promised[hold_id] = amount
                due_ms = outcome.expires_at_ms
                self.holds[hold_id] = fresh(hold_id, owner, amount, Phase.HELD, due_ms)
        elif request is Request.CONFIRM:
            outcome = confirm_hold(hold, resource, **body, amount=amount)
            if isinstance(outcome, Spent):
                assert hold is not None
                assert outcome.spent + outcome.returned == hold.amount
                self.end(hold, Phase.CONFIRMED, outcome, now_ms)
        elif request is Request.CANCEL:
            outcome = cancel_hold(hold, resource, **body)
            if isinstance(outcome, Fenced):
                self.holds[hold_id] = fresh(hold_id, owner, 0, Phase.FENCED, now_ms + ttl_ms)
            if isinstance(outcome, Released):
                assert hold is not None
                self.end(hold, Phase.CANCELLED, outcome, now_ms)
        elif request is Request.EXTEND:
            outcome = extend_hold(hold, **body, ttl_ms=ttl_ms)
            if isinstance(outcome, Extended):
                assert hold is not None
                self.holds[hold_id] = prolonged(hold, outcome.expires_at_ms)
        else:
            outcome = expire_hold(hold, resource, now_ms=now_ms)
            if isinstance(outcome, Released):
                assert hold is not None
                self.end(hold, Phase.EXPIRED, outcome, now_ms)
        return outcome


def fresh(hold_id: str, owner: str, amount: int, phase: Phase, due_ms: int) -> Hold:
    return Hold(hold_id, RESOURCE_ID, owner, amount, 0, phase, due_ms, 0, 0, 0, "")


steps = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(Request),
            st.sampled_from(["h1", "h2", "h3"]),
            st.sampled_from(["o1", "o1", "o1", "o2"]),
            st.integers(-1, 7),
            st.integers(0, 40),
        ),
        st.integers(-8, 12),  # a change of capacity
    ),
    max_size=60,
)


@given(steps, st.lists(st.integers(0, 15), min_size=60, max_size=60))
def test_the_books_balance_after_any_sequence_of_requests(
    script: list[tuple[Request, str, str, int, int] | int], waits_ms: list[int]
) -> None:
    books, now_ms = Books(), 0
    for step, wait_ms in zip(script, waits_ms, strict=False):
        now_ms += wait_ms
        if isinstance(step, int):
            change = change_capacity(books.resource, step)
            if isinstance(change, Changed):
                books.move(change)
        else:
            books.ask(*step, now_ms)
        resource = books.resource
        if resource is None:
            assert not books.promised
            continue
        assert 0 <= resource.held <= resource.on_hand
        assert resource.available == resource.on_hand - resource.held
        assert resource.held == sum(books.promised.values())
        assert resource.on_hand == sum(m.delta_on_hand for m in books.movements)
        assert resource.held == sum(m.delta_held for m in books.movements)
    assert [m.version for m in books.movements] == list(range(1, len(books.movements) + 1))
    assert len(set(books.ends)) == len(books.ends)


@given(steps)
def test_a_request_that_had_effect_has_none_when_it_comes_again_at_once(
    script: list[tuple[Request, str, str, int, int] | int],
) -> None:
    books = Books(resource=Resource(version=1, on_hand=20, held=0))
    for now_ms, step in enumerate(script):
        if isinstance(step, int):
            continue
        books.ask(*step, now_ms)
        before = books.resource, dict(books.holds), len(books.movements)
        again = books.ask(*step, now_ms)
        assert not isinstance(again, Movement | Fenced | Extended)
        assert (books.resource, books.holds, len(books.movements)) == before
