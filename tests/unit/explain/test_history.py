"""An order's records are found where they can be and nowhere else, each once."""

from __future__ import annotations

from schemas import topics
from schemas.order import CancelOrder
from schemas.topics import Kind
from tests.unit.explain.shop import SHOP, TRACE, Shop


def test_only_the_partitions_that_can_hold_the_orders_records_are_read() -> None:
    shop = Shop()
    order_no = shop.place(1)

    shop.events(order_no)

    own, sku = shop.partition_of("", order_no), shop.partition_of("", "1")
    of_the_order = [topic for topic in topics.PUBLIC if topic.key == "order_no"]
    of_its_sku = [topics.INVENTORY_COMMANDS, topics.INVENTORY_EVENTS]
    ways_in = [topic for topic in topics.PUBLIC if topic.kind is Kind.INTENTS]
    letters_of_its_sku = [topics.INVENTORY_COMMANDS, topics.INVENTORY_INTENTS]
    assert len(shop.reads) == len(set(shop.reads))
    assert set(shop.reads) == {
        *((topic.name, own) for topic in of_the_order if topic not in ways_in),
        *((topic.name, sku) for topic in of_its_sku),
        *((t.dead_letters, own) for t in of_the_order if t.kind is not Kind.EVENTS),
        *((topic.dead_letters, sku) for topic in letters_of_its_sku),
        # Nobody but its producer knows the key of an intent that was refused.
        *((topics.ORDER_INTENTS.dead_letters, p) for p in range(shop.partitions(""))),
    }


def test_another_orders_records_take_no_part() -> None:
    shop = Shop()
    order_no, other = shop.place(1), shop.place(1, key="two")

    records = [event.record for event in shop.events(order_no)]

    assert records
    assert all(getattr(record, "order_no", order_no) == order_no for record in records)
    assert other not in str(records)


def test_what_a_stage_sent_again_after_a_crash_is_told_once() -> None:
    shop = Shop()
    shop.host.checkpoint()
    order_no = shop.place(1)
    before = shop.story(order_no)

    shop.host.crash()
    shop.host.run()

    after = shop.story(order_no)
    assert [line.says for line in after.lines] == [line.says for line in before.lines]


def test_an_event_knows_the_inbox_record_that_made_it() -> None:
    shop = Shop()
    order_no = shop.place(1)
    events = {type(event.record).__name__: event for event in shop.events(order_no)}
    source = events["OrderPlaced"].source
    assert source == events["PlaceOrder"].place


def test_a_dead_letter_concerns_the_order_that_it_names() -> None:
    shop = Shop()
    order_no = shop.place(1)
    shop.ask(CancelOrder(order_no, SHOP, -1, "no", TRACE))
    (letter,) = (event for event in shop.events(order_no) if event.refused is not None)
    assert letter.place.topic == "order.intents.dlq"
    assert letter.refused == ("BAD_USER", "user_id: send the buyer's id, 1 or more (BAD_USER)")
    assert letter.record == CancelOrder(order_no, SHOP, -1, "no", TRACE)
