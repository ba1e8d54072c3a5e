"""The stage is total: every message judged, every fact folded and told, every record kept."""

from __future__ import annotations

import typing

import pytest

from schemas.codec import local_codec
from schemas.inventory import StockReason
from schemas.record import Record
from schemas.stream import Tick
from schemas.topics import INVENTORY_COMMANDS, INVENTORY_EVENTS, ORDER_COMMANDS, changelog
from streams.engine.memory import MemoryHost
from streams.inventory import facts, react
from streams.inventory.answers import STOCK_REASONS
from streams.inventory.decide import DECIDERS
from streams.inventory.evolve import EVOLVERS
from streams.inventory.react import REACTORS
from streams.inventory.stage import INVENTORY, inventory_stage
from streams.inventory.state import Sku, Stock, StockEntry, StockHold
from streams.kernel.errors import InvalidMessage, StageDefect
from streams.reservations.phases import Reason
from tests.unit.inventory.warehouse import (
    SKU,
    START_MS,
    TTL_MS,
    Warehouse,
    cancel,
    confirm,
    extend,
    restock,
    stocked,
    try_,
)

PRIVATE = {facts.Repeated, facts.HoldForgotten, facts.EntryForgotten}
RECORDS = dict.fromkeys(
    (
        *INVENTORY_COMMANDS.records,
        *INVENTORY_EVENTS.records,
        *changelog(INVENTORY.name, INVENTORY.entities).records,
    )
)
CODEC = local_codec(tuple(RECORDS))


def test_every_message_of_the_inbox_is_judged() -> None:
    assert set(DECIDERS) == set(INVENTORY_COMMANDS.records) - {Tick}


def test_every_fact_is_folded_and_told() -> None:
    assert set(EVOLVERS) == set(INVENTORY_EVENTS.records) | PRIVATE == set(REACTORS)


def test_every_answer_is_accepted_by_the_inbox_of_orders() -> None:
    answers = set(typing.get_args(react.HoldFact))
    assert set(typing.get_args(facts.HoldAnswer)) < answers <= set(ORDER_COMMANDS.records)


def test_every_reason_has_a_public_name_or_cannot_be_an_answer() -> None:
    invalid = {Reason.INVALID_AMOUNT, Reason.INVALID_TTL}
    never = {Reason.EXCEEDS_HOLD, Reason.NOT_DUE}  # no partial confirms; timers come in time
    assert set(Reason) - set(STOCK_REASONS) == invalid | never
    assert set(STOCK_REASONS.values()) == set(StockReason)


def test_a_message_of_another_stage_is_invalid() -> None:
    with pytest.raises(InvalidMessage, match="UNKNOWN_MESSAGE"):
        Warehouse().send(Tick(1))


def test_a_hold_whose_stock_is_gone_stops_the_worker() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3))
    warehouse.state.delete(Stock, f"{SKU}/east")
    for message in (confirm(), cancel()):
        with pytest.raises(StageDefect, match="hold h1 does not fit"):
            warehouse.send(message)
    with pytest.raises(StageDefect, match="hold h1 does not fit"):
        warehouse.wait(TTL_MS)


def test_an_alarm_of_a_record_without_a_timer_stops_the_worker() -> None:
    sku = Sku(SKU, 7, ("east",))
    with pytest.raises(StageDefect, match="Sku has no timer"):
        INVENTORY.wake(Warehouse().state, sku, START_MS)


def test_every_kind_of_state_survives_its_encoding() -> None:
    warehouse = stocked(east=10)
    warehouse.send(try_(3), try_(1, "h2", "o2"), confirm("h2", "o2"), cancel("h3", "o3"))
    kept = warehouse.kept()
    assert {type(record) for record in kept} == {Sku, Stock, StockHold, StockEntry}
    assert [CODEC.decode(CODEC.encode(record)) for record in kept] == kept


@pytest.mark.parametrize("checkpointed", [0, 1, 2, 3, 4, 5])
def test_a_takeover_after_any_message_ends_in_the_same_facts(checkpointed: int) -> None:
    messages: list[Record] = [
        restock(10),
        try_(3),
        extend(3 * TTL_MS),
        try_(2, "h2", "o2"),
        confirm("h2", "o2"),
    ]

    def run(*, crash: bool) -> list[Record]:
        host = MemoryHost([inventory_stage()], CODEC, partitions=1)
        for number, message in enumerate(messages):
            host.send(INVENTORY_COMMANDS.name, str(SKU), message)
            host.run()
            if number + 1 == checkpointed:
                host.checkpoint()
        if crash:
            host.crash()
        host.advance(3 * TTL_MS)  # the extended hold expires
        return host.facts(INVENTORY_EVENTS.name)

    assert run(crash=True) == run(crash=False)
    assert len(run(crash=False)) == 6
