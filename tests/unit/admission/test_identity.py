"""Numbers that follow from what they name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.order import CartLine, PlaceOrderIntent
from streams.admission.identity import (
    ALPHABET,
    ORDER_NO_LENGTH,
    derive_order_no,
    derive_trace_id,
    fingerprint_of,
)

INTENT = PlaceOrderIntent(7, 1_001, "k", (CartLine(1, 2, 3), CartLine(4, 5, 6)), 36, 0)
IDS = st.integers(1, 10**9)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def test_an_order_no_is_the_same_for_ever() -> None:
    assert derive_order_no(7, 1_001, "cart-42") == "09JA4N9P1DN99N2J"


def test_the_alphabet_has_no_letters_that_look_alike() -> None:
    assert len(set(ALPHABET)) == 32
    assert not set(ALPHABET) & set("ILOU")


@given(IDS, IDS, KEYS)
def test_an_order_no_is_sixteen_of_the_alphabet(shop_id: int, user_id: int, key: str) -> None:
    order_no = derive_order_no(shop_id, user_id, key)
    assert len(order_no) == ORDER_NO_LENGTH
    assert set(order_no) <= set(ALPHABET)
    assert derive_order_no(shop_id, user_id, key) == order_no


@given(st.tuples(IDS, IDS, KEYS), st.tuples(IDS, IDS, KEYS))
def test_other_shops_buyers_and_keys_have_other_numbers(
    one: tuple[int, int, str], other: tuple[int, int, str]
) -> None:
    assert (derive_order_no(*one) == derive_order_no(*other)) == (one == other)


def test_the_parts_of_a_name_do_not_run_together() -> None:
    names = [(1, 11, "1"), (11, 1, "1"), (1, 1, "11"), (1, 1, "1/1"), (1, 1, "/1")]
    assert len({derive_order_no(*name) for name in names}) == len(names)


def test_all_bits_of_the_digest_count() -> None:
    numbers = [derive_order_no(1, 1, str(n)) for n in range(2_000)]
    assert len(set(numbers)) == len(numbers)
    for place in range(ORDER_NO_LENGTH):
        assert {number[place] for number in numbers} == set(ALPHABET)


def test_a_derived_trace_id_is_a_trace_id_and_nothing_else() -> None:
    trace_id = derive_trace_id("09JA4N9P1DN99N2J")
    assert len(trace_id) == 32
    assert set(trace_id) <= set("0123456789abcdef")
    assert trace_id == derive_trace_id("09JA4N9P1DN99N2J") != derive_trace_id("09JA4N9P1DN99N2K")


def test_a_repeat_with_new_times_and_traces_has_the_same_fingerprint() -> None:
    again = replace(INTENT, placed_at_ms=99, trace_id="a" * 32)
    assert fingerprint_of(again) == fingerprint_of(INTENT)
    assert len(fingerprint_of(INTENT)) == 16


def test_the_order_of_the_lines_does_not_matter() -> None:
    turned = replace(INTENT, lines=INTENT.lines[::-1])
    assert fingerprint_of(turned) == fingerprint_of(INTENT)


def test_every_part_of_the_body_counts() -> None:
    others = [
        replace(INTENT, total_fen=37),
        replace(INTENT, currency="USD"),
        replace(INTENT, pay_channel="wechat"),
        replace(INTENT, pay_channel="alipay"),
        replace(INTENT, flow="presale"),
        replace(INTENT, lines=INTENT.lines[:1]),
        replace(INTENT, lines=(*INTENT.lines, INTENT.lines[0])),
        replace(INTENT, lines=(CartLine(1, 2, 4), INTENT.lines[1])),
        replace(INTENT, lines=(CartLine(1, 3, 3), INTENT.lines[1])),
        replace(INTENT, lines=(CartLine(9, 2, 3), INTENT.lines[1])),
    ]
    assert len({fingerprint_of(intent) for intent in (INTENT, *others)}) == 1 + len(others)
