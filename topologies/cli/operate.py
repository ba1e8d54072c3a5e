"""Commands that take a hand in an order: `orders retry|skip|force|pause|resume`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topologies.cli.connection import (
    JsonOption,
    KafkaOption,
    RegistryOption,
    kafka_address,
    registry_url,
    servers,
)

if TYPE_CHECKING:
    from topologies.operating import Answer

OrderArgument = Annotated[str, typer.Argument(help="The order's number.")]
OperatorOption = Annotated[str, typer.Option(help="Your name: it stands in the fact.")]
ReasonOption = Annotated[str, typer.Option(help="Why, in a few words: it stands in the fact.")]
WaitOption = Annotated[float, typer.Option(min=0, help="Seconds to wait for the answer.")]

_WAIT_S = 15.0  # a worker that died is replaced within 10 s

_HELP = {
    "retry": "Ask again for the answer that an order waits for.",
    "skip": "Treat the step of an order as answered, where goods and money stay right.",
    "force": "Drive an order to its end: refunded when it was paid, else cancelled.",
    "pause": "Stop the timers of an order until it is resumed.",
    "resume": "Let the timers of a paused order run again.",
}


def register(group: typer.Typer) -> None:
    """Add the commands of this module to the group `orders`."""
    for name in _HELP:
        group.command(name, help=_help(name))(_command(name))


def _help(name: str) -> str:
    return (
        f"{_HELP[name]}\n\n"
        "It is an intent with your name; the orders stage judges it, and its answer is shown. "
        "docs/orders.md says where it is allowed.\n\n"
        f"Example: orderstream orders {name} C8Q1ET4KW8P0J0HP --operator mei --reason "
        '"gateway was down"\n\n'
        "Exit codes: 0 done; 1 refused, no such order, or no answer in time; 2 wrong usage; "
        "3 no broker or registry."
    )


def _command(name: str) -> Any:
    def command(
        order_no: OrderArgument,
        operator: OperatorOption,
        reason: ReasonOption,
        wait: WaitOption = _WAIT_S,
        kafka: KafkaOption = None,
        registry: RegistryOption = None,
        as_json: JsonOption = False,
    ) -> None:
        from schemas.order import OperatorAction
        from schemas.registry import connected_codec
        from topologies.operating import operate

        action = OperatorAction(name.upper())
        broker, schemas = kafka_address(kafka), registry_url(registry)
        with servers():
            codec = connected_codec(schemas)
            answer = operate(broker, codec, order_no, action, operator, reason, wait)
        if answer is None:
            print(f"orderstream: nothing is known of order {order_no}", file=sys.stderr)
            raise typer.Exit(1)
        print(json.dumps(_answer_json(answer)) if as_json else _answer_text(answer, order_no))
        if not answer.facts or _is_refused(answer):
            raise typer.Exit(1)

    return command


def _is_refused(answer: Answer) -> bool:
    from schemas.order import OrderRefused

    return isinstance(answer.facts[0].record, OrderRefused)


def _answer_text(answer: Answer, order_no: str) -> str:
    from topologies.explain.sentences import sentence

    if answer.facts:
        records = [fact.record for fact in answer.facts if fact.record is not None]
        return "\n".join(f"{who}: {says}" for who, says in map(sentence, records))
    if answer.refused:
        return f"refused by admission: {answer.refused}"
    if answer.is_taken:
        return f"no fact followed so far: it is so already, or see: orderstream explain {order_no}"
    return (
        f"no answer yet; the intent stands at {answer.intent}: is a worker running "
        "(orderstream status)?"
    )


def _answer_json(answer: Answer) -> dict[str, Any]:
    import msgspec

    from schemas.record import full_name

    return {
        "intent": str(answer.intent),
        "refused": answer.refused or None,
        "taken": answer.is_taken or bool(answer.facts),
        "facts": [
            {
                "at": str(fact.place),
                "record": full_name(type(fact.record)),
                "fields": msgspec.to_builtins(fact.record),
            }
            for fact in answer.facts
            if fact.record is not None
        ],
    }
