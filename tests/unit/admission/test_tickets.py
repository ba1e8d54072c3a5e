"""What an operator may say about a ticket from outside."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.payment import ResolveTicket, TicketResolution
from schemas.topics import PAYMENT_COMMANDS, PAYMENT_INTENTS
from streams.admission import InvalidIntent, admit, derive_trace_id
from streams.kernel.stage import Output
from streams.pricing import ListPrice

NO = "0123456789ABCDEF"
TRACE = "a" * 32
RESOLVE = ResolveTicket(f"{NO}-T1", NO, 7, "mia@shop", TicketResolution.RETRY, "asked them", TRACE)


class NoPrices:
    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        raise AssertionError("nothing here has a price")


def test_a_resolution_goes_to_the_payments_stage_under_its_order() -> None:
    assert PAYMENT_INTENTS.records == (ResolveTicket,)
    assert admit(RESOLVE, NoPrices(), 0) == Output(PAYMENT_COMMANDS.name, NO, RESOLVE)


def test_a_resolution_without_a_trace_gets_that_of_its_order() -> None:
    traced = replace(RESOLVE, trace_id=derive_trace_id(NO))
    assert admit(replace(RESOLVE, trace_id=""), NoPrices(), 0).message == traced


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (replace(RESOLVE, order_no="?"), ["order_no"]),
        (replace(RESOLVE, shop_id=0), ["shop_id"]),
        (replace(RESOLVE, ticket_no=""), ["ticket_no"]),
        (replace(RESOLVE, operator=""), ["operator"]),
        (replace(RESOLVE, operator="a b"), ["operator"]),
        (replace(RESOLVE, resolution=TicketResolution.ANSWERED), ["resolution"]),
        (replace(RESOLVE, note="x" * 201), ["note"]),
        (replace(RESOLVE, trace_id="?"), ["trace_id"]),
        (
            replace(RESOLVE, shop_id=-1, operator="", ticket_no="x" * 65),
            ["shop_id", "ticket_no", "operator"],
        ),
    ],
)
def test_every_bad_field_is_named(message: ResolveTicket, fields: list[str]) -> None:
    with pytest.raises(InvalidIntent) as error:
        admit(message, NoPrices(), 0)
    assert [problem.field for problem in error.value.problems] == fields
