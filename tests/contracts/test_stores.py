"""What every store promises a stage partition: the contract suite of stores."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.engine.store import NewStore, PartitionState, Store
from tests.contracts.stores import STORES, new_store
from tests.contracts.toy import Bell, Purse

KINDS = (Purse, Bell)


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    return new_store(request.param, tmp_path)


@pytest.fixture
def store(make: NewStore) -> Store:
    return make(KINDS)


def purse(key: str, total: int = 1, due_ms: int = 0) -> Purse:
    return Purse(key, total, 1, 0, due_ms)


def test_a_new_store_is_empty(store: Store) -> None:
    table = store.table(Purse)
    assert (len(table), list(table.items()), table.get("a")) == (0, [], None)


def test_the_last_record_under_a_key_stands(store: Store) -> None:
    table = store.table(Purse)
    table["a"] = purse("a", 1)
    table["a"] = purse("a", 2)
    assert (len(table), table.get("a")) == (1, purse("a", 2))


def test_what_was_removed_is_absent_and_may_come_back(store: Store) -> None:
    table = store.table(Purse)
    table["a"] = purse("a")
    table.pop("a", None)
    table.pop("a", None)
    table.pop("never there", None)
    assert (len(table), list(table.items()), table.get("a")) == (0, [], None)
    table["a"] = purse("a", 7)
    assert (len(table), list(table.items())) == (1, [("a", purse("a", 7))])


def test_kinds_do_not_share_keys(store: Store) -> None:
    store.table(Purse)["a"] = purse("a")
    store.table(Bell)["a"] = Bell(3)
    assert list(store.table(Purse).items()) == [("a", purse("a"))]
    store.table(Purse).pop("a", None)
    assert list(store.table(Bell).items()) == [("a", Bell(3))]


def test_stores_share_nothing(make: NewStore) -> None:
    one, other = make(KINDS), make(KINDS)
    one.table(Purse)["a"] = purse("a")
    assert (len(one.table(Purse)), len(other.table(Purse))) == (1, 0)


def test_any_text_is_a_key(store: Store) -> None:
    table = store.table(Purse)
    keys = ("", "7/east", "é", "订单", "\x00", "\U0010ffff", "a" * 300)
    for key in keys:
        table[key] = purse(key)
    assert dict(table.items()) == {key: purse(key) for key in keys}
    assert [table.get(key) for key in keys] == [purse(key) for key in keys]


def test_many_records_come_back_as_they_were(store: Store) -> None:
    table = store.table(Purse)
    for n in range(3_000):
        table[f"{n}"] = purse(f"{n}", n)
    for n in range(0, 3_000, 3):
        table.pop(f"{n}", None)
    for n in range(1, 3_000, 3):
        table[f"{n}"] = purse(f"{n}", -n)
    left = {f"{n}": purse(f"{n}", -n if n % 3 == 1 else n) for n in range(3_000) if n % 3}
    assert (len(table), dict(table.items())) == (len(left), left)
    assert [table.get(f"{n}") for n in range(3_000)] == [left.get(f"{n}") for n in range(3_000)]


def test_timers_of_a_store_that_was_filled_before_fire_in_order(store: Store) -> None:
    for key, due_ms in (("b", 30), ("a", 30), ("c", 10), ("d", 0), ("e", 99)):
        store.table(Purse)[key] = purse(key, due_ms=due_ms)
    state = PartitionState(store, KINDS)
    fired = []
    while (due := state.next_due(50)) is not None:
        fired.append(due[0])
    assert fired == ["c", "a", "b"]


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(("put", "put", "pop", "get", "items")),
        st.sampled_from(KINDS),
        st.sampled_from("abcdefg"),
        st.integers(-1, 1 << 40),
    ),
    max_size=60,
)


@settings(
    max_examples=25,  # to open a database takes a while, hence no deadline either
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=_STEPS)
def test_a_store_is_a_dict_for_each_kind_after_any_steps(
    make: NewStore, steps: list[tuple[str, type[Purse] | type[Bell], str, int]]
) -> None:
    store = make(KINDS)
    model: dict[type[Purse] | type[Bell], dict[str, Purse | Bell]] = {kind: {} for kind in KINDS}
    for step, kind, key, number in steps:
        table, expected = store.table(kind), model[kind]
        if step == "put":
            expected[key] = purse(key, number) if kind is Purse else Bell(number)
            table[key] = expected[key]
        elif step == "pop":
            table.pop(key, None)
            expected.pop(key, None)
        elif step == "get":
            assert table.get(key) == expected.get(key)
        else:
            assert dict(table.items()) == expected
        assert len(table) == len(expected)
    assert [dict(store.table(kind).items()) for kind in KINDS] == [model[kind] for kind in KINDS]
