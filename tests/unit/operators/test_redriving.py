"""What becomes of a dead letter, before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from schemas.errors import InvalidMessage
from schemas.order import CartLine, PayOrder, PlaceOrderIntent
from schemas.payment import GatewayReport, GatewayStatus
from schemas.record import Record
from streams.admission import derive_order_no
from streams.pricing import ListPrice
from tests.unit.explain.shop import BUYER, CODEC, PRICE_FEN, SHOP, TRACE
from topologies import editing
from topologies.dead_letters import REDRIVES, DeadLetter
from topologies.redriving import MAX_REDRIVES, Edit, Judge, Plan, Verdict

NOW_MS = 1_790_000_000_000
NO = derive_order_no(SHOP, BUYER, "key")
INTENT = PlaceOrderIntent(
    SHOP, BUYER, "key", (CartLine(1, 2, PRICE_FEN),), 2 * PRICE_FEN, NOW_MS, trace_id=TRACE
)
REPORT = GatewayReport(
    NO, f"{NO}-1", "", "sim", "", GatewayStatus.SUCCEEDED, 1, "CNY", NOW_MS, TRACE
)


class Prices:
    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return ListPrice(PRICE_FEN, "CNY")


def letter(record: Record | None = INTENT, topic: str = "order.intents") -> DeadLetter:
    value = CODEC.encode(record) if record is not None else b"rubbish"
    return DeadLetter(f"{topic}/0/7", "CODE", "why", b"key", NOW_MS, value, (), 0)


def plan(
    one: DeadLetter, *, edit: Edit | None = None, inbox: bool = False, now_ms: int = NOW_MS
) -> Plan:
    return Judge(CODEC, Prices(), now_ms, edit=edit, inbox=inbox).plan(one)


def test_an_intent_that_admission_takes_today_goes_where_it_came_from_as_it_is() -> None:
    one = letter()
    assert plan(one) == Plan(
        one, Verdict.READY, f"admitted as PlaceOrder {NO}", "order.intents", one.value
    )


def test_an_intent_that_admission_would_refuse_again_is_left_unless_forced() -> None:
    found = plan(letter(changed(INTENT, total_fen=1)))
    assert found.verdict is Verdict.REFUSED
    assert "the cart costs 3998, not 1" in found.why
    assert (found.may_go(force=False), found.may_go(force=True)) == (False, True)


def test_an_intent_that_grew_too_old_is_refused_by_the_time_of_today() -> None:
    assert plan(letter(), now_ms=NOW_MS + 25 * 3600 * 1000).verdict is Verdict.REFUSED


def test_what_cannot_be_read_is_left_even_when_forced() -> None:
    found = plan(letter(record=None))
    assert found.verdict is Verdict.UNREADABLE
    assert found.why.endswith("(NOT_AVRO)")
    assert not found.may_go(force=True)


def test_a_letter_that_was_sent_again_is_not_sent_twice_by_accident() -> None:
    found = plan(replace(letter(), redriven=("mei", NOW_MS)))
    assert (found.verdict, found.why) == (Verdict.ALREADY_REDRIVEN, "sent again by mei already")
    assert found.may_go(force=True)


@pytest.mark.parametrize(
    ("count", "verdict"),
    [(MAX_REDRIVES - 1, Verdict.READY), (MAX_REDRIVES, Verdict.TOO_OFTEN)],
)
def test_a_record_that_comes_back_every_time_is_left_after_the_third(
    count: int, verdict: Verdict
) -> None:
    one = replace(letter(), headers=((REDRIVES, str(count).encode()),))
    assert plan(one).verdict is verdict


def test_a_command_of_an_inbox_goes_through_the_public_way_in() -> None:
    found = plan(letter(PayOrder(NO, SHOP, BUYER, "wechat", TRACE), "order.commands"))
    assert (found.verdict, found.to) == (Verdict.READY, "order.intents")


def test_a_message_that_no_way_in_takes_goes_to_its_inbox_only_when_that_is_said() -> None:
    one = letter(REPORT, "payment.commands")
    assert plan(one).verdict is Verdict.INBOX_ONLY
    found = plan(one, inbox=True)
    assert (found.verdict, found.to) == (Verdict.READY, "payment.commands")


def test_an_edited_record_is_judged_and_sent_as_it_was_left() -> None:
    wrong = changed(INTENT, total_fen=1)

    def edit(record: Record) -> Record:
        return editing.with_fields(record, [f"total_fen={2 * PRICE_FEN}"])

    found = plan(letter(wrong), edit=edit)

    assert found.verdict is Verdict.READY
    assert CODEC.decode(found.value) == INTENT


def test_fields_are_set_by_their_path_and_keep_their_types() -> None:
    found = editing.with_fields(INTENT, ["lines.0.qty=3", "client_key=7-a", "pay_channel=null"])
    line = CartLine(1, 3, PRICE_FEN)
    assert found == changed(INTENT, lines=(line,), client_key="7-a", pay_channel=None)


@pytest.mark.parametrize(
    "change", ["total_fen", "total=1", "lines.1.qty=2", "lines.x.qty=2", "total_fen=many"]
)
def test_a_change_that_makes_no_record_is_named(change: str) -> None:
    with pytest.raises(InvalidMessage) as raised:
        editing.with_fields(INTENT, [change])
    assert raised.value.code == "BAD_EDIT"


def test_the_editor_gets_the_record_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "sed -i s/wechat/alipay/")
    asked = PayOrder(NO, SHOP, BUYER, "wechat", TRACE)
    assert editing.in_editor(asked) == changed(asked, channel="alipay")


@pytest.mark.parametrize("editor", ["false", "sed -i 1d", "no-such-editor-here"])
def test_an_editor_that_leaves_no_record_is_named(
    monkeypatch: pytest.MonkeyPatch, editor: str
) -> None:
    monkeypatch.setenv("VISUAL", editor)
    with pytest.raises(InvalidMessage):
        editing.in_editor(INTENT)
