"""A worker process of test_effects: notes every call in a file, takes its time, and reports."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import zlib
from collections import defaultdict
from pathlib import Path

from schemas import topics
from schemas.codec import Codec, local_codec
from schemas.errors import Retryable
from schemas.payment import GatewayReport, GatewayStatus, PaymentRequested
from schemas.topics import Kind, Topic
from streams.engine.effects import EffectSettings, EffectWorker, Send
from streams.kernel.stage import Output

SLOW_S = 3.0


def codec() -> Codec:
    """Return what worker and test read and write with."""
    return local_codec((*topics.PAYMENT_EVENTS.records, GatewayReport))


def is_slow(pay_no: str) -> bool:
    """Tell whether a call takes SLOW_S; the others take a few milliseconds."""
    return zlib.crc32(pay_no.encode()) % 5 == 0


def fails_first(pay_no: str) -> bool:
    """Tell whether the first call of each process fails."""
    return zlib.crc32(pay_no.encode()) % 7 == 1


def _gateway(notes: Path, inbox: str) -> EffectWorker:
    wanted = json.loads(sys.argv[1])
    tries: defaultdict[str, int] = defaultdict(int)

    async def pay(fact: PaymentRequested, send: Send) -> None:
        with notes.open("a") as file:
            file.write(f"{fact.pay_no}\n")
        tries[fact.pay_no] += 1
        if fails_first(fact.pay_no) and tries[fact.pay_no] == 1:
            raise Retryable("the gateway is away")
        await asyncio.sleep(SLOW_S if is_slow(fact.pay_no) else 0.005)
        report = GatewayReport(
            order_no=fact.order_no,
            pay_no=fact.pay_no,
            refund_no="",
            gateway="test",
            gateway_txn_no=f"T-{fact.pay_no}",
            status=GatewayStatus.SUCCEEDED,
            amount_fen=fact.amount_fen,
            currency=fact.currency,
            occurred_at_ms=0,
            trace_id=fact.trace_id,
        )
        send(Output(inbox, report.order_no, report))

    source = Topic(wanted["source"], Kind.EVENTS, "order_no", topics.PAYMENT_EVENTS.records)
    settings = EffectSettings(
        kafka=wanted["kafka"],
        group=wanted["group"],
        source=source,
        max_in_flight=wanted["max_in_flight"],
        commit_ms=50,
        retry_ms=20,
    )
    return EffectWorker(settings, codec(), {PaymentRequested: pay})


async def _run() -> None:
    wanted = json.loads(sys.argv[1])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await _gateway(Path(wanted["notes"]), wanted["inbox"]).run(stop)


if __name__ == "__main__":
    asyncio.run(_run())
