"""What a stage knew at a past moment is what it knew then."""

from __future__ import annotations

import pytest

from schemas import topics
from schemas.order import PlaceOrder
from schemas.record import Record
from streams.inventory.state import Stock, StockHold
from streams.orders.state import FinishedOrder, Order, OrderStatus
from tests.unit.replay.shop import LIMITS, SKU, Shop
from topologies.pipeline import stages
from topologies.replay import reporting
from topologies.replay.state import Moment, Snapshot, moment, of_order, snapshot

ORDERS, INVENTORY, *_ = stages(LIMITS)


def seen(shop: Shop, order_no: str, until: Moment = Moment()) -> list[Snapshot]:  # noqa: B008  # immutable
    return of_order(shop.log, shop.codec, stages(LIMITS), order_no, until)


def test_an_order_its_money_and_its_sku_are_shown_as_they_were_at_every_instant() -> None:
    shop = Shop()
    shop.place("OTHER")
    then = []
    shop.place("ONE", ms=0)
    for _ in range(5):
        shop.wait(1_000)
        then.append((shop.host.log.clock_ms, live(shop)))
    shop.wait(1_000)
    shop.complete("ONE")
    then.append((shop.host.log.clock_ms, live(shop)))
    shop.wait(1_000)
    shop.place("LATER")

    for at_ms, expected in then:
        found = seen(shop, "ONE", Moment(at_ms=at_ms))
        assert [record for one in found for record in one.records] == expected
    assert isinstance(then[0][1][0][1], Order)
    assert isinstance(then[-1][1][0][1], FinishedOrder)


def live(shop: Shop) -> list[tuple[str, Record]]:
    """What the host's own folds know of ONE at this moment: a replay has to arrive at it again."""
    found: list[tuple[str, Record]] = []
    for stage, partition_key, names in (
        ("orders", "ONE", ["ONE"]),
        ("payments", "ONE", ["ONE"]),
        ("inventory", str(SKU), [str(SKU), f"{SKU}/east", f"ONE/{SKU}", f"Restock/{SKU}/first"]),
    ):
        fold = shop.host.fold(stage, shop.host.partition_of(partition_key))
        for kind in fold.stage.entities:
            for name in names:
                record = fold.state.get(kind, name)
                if record is not None:
                    found.append((name, record))
    return found


def test_an_offset_is_that_of_the_stages_inbox() -> None:
    shop = Shop()
    shop.place("ONE")
    inbox = shop.host.log.read(topics.ORDER_COMMANDS.name, shop.host.partition_of("ONE"))
    placed = next(r.offset for r in inbox if isinstance(shop.codec.decode(r.value), PlaceOrder))

    before = snapshot(shop.log, shop.codec, ORDERS, "ONE", Moment(offset=placed - 1))
    after = snapshot(shop.log, shop.codec, ORDERS, "ONE", Moment(offset=placed))

    assert (before.offset, before.records) == (placed - 1, ())
    ((key, record),) = after.records
    assert isinstance(record, Order)
    assert (after.offset, key, record.status) == (placed, "ONE", OrderStatus.RESERVING)


def test_without_a_moment_the_newest_state_is_shown() -> None:
    shop = Shop()
    shop.place("ONE")
    shop.complete("ONE")

    found = seen(shop, "ONE")

    ((_, record),) = found[0].records
    assert isinstance(record, FinishedOrder)
    assert record.outcome == OrderStatus.COMPLETED


def test_a_sku_is_shown_with_all_its_holds() -> None:
    shop = Shop()
    shop.place("ONE", channel=None)
    shop.place("TWO", channel=None, qty=3)

    found = snapshot(shop.log, shop.codec, INVENTORY, str(SKU), Moment())

    held = {r.owner: r.amount for _, r in found.records if isinstance(r, StockHold)}
    (stock,) = [r for _, r in found.records if isinstance(r, Stock)]
    assert held == {"ONE": 1, "TWO": 3}
    assert stock.held == 4
    text = "\n".join(reporting.snapshot_lines(found))
    assert f"Stock {SKU}/east" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Moment()),
        ("0", Moment(offset=0)),
        ("4711", Moment(offset=4711)),
        ("1790000000000", Moment(at_ms=1_790_000_000_000)),
        ("2026-09-21T14:13:20", Moment(at_ms=1_790_000_000_000)),
        ("2026-09-21T16:13:20.250+02:00", Moment(at_ms=1_790_000_000_250)),
    ],
)
def test_a_moment_is_an_offset_or_an_instant(text: str | None, expected: Moment) -> None:
    assert moment(text) == expected


def test_what_is_neither_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="yesterday is neither an inbox offset nor"):
        moment("yesterday")
