"""A shop on the memory host: real stages and admission, a gateway played by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from schemas.codec import local_codec
from schemas.inventory import Restock
from schemas.order import (
    AmendOrderIntent,
    CancelOrder,
    CartLine,
    CompleteOrder,
    OperateOrder,
    PayOrder,
    PlaceOrderIntent,
    RefundOrder,
    ShipOrder,
)
from schemas.payment import GatewayReport, GatewayStatus
from schemas.record import Record
from schemas.topics import INVENTORY_INTENTS, ORDER_INTENTS, PAYMENT_COMMANDS
from streams.admission import derive_order_no
from streams.engine.memory import MemoryHost, incarnation
from streams.engine.records import InboxRecord
from streams.orders import OrderLimits
from streams.pricing import ListPrice
from topologies.explain.history import Event, gather
from topologies.explain.story import Story, tell
from topologies.pipeline import all_records, relays, stages

SHOP, BUYER = 7, 1_001
TRACE = "5" * 32
PRICE_FEN = 1_999
LIMITS = OrderLimits()
CODEC = local_codec(all_records())
STEP_MS = 40  # between two things that happen

Request = (
    AmendOrderIntent
    | PayOrder
    | CancelOrder
    | ShipOrder
    | CompleteOrder
    | RefundOrder
    | OperateOrder
)


class _Prices:
    def lookup(self, shop_id: int, sku_id: int) -> ListPrice | None:
        return ListPrice(PRICE_FEN, "CNY") if sku_id < 100 else None


class Shop:
    """Given what buyers and the gateway do, the log that the pipeline leaves behind."""

    def __init__(self, stock: int = 10, limits: OrderLimits = LIMITS) -> None:
        self.host = MemoryHost(stages(limits), CODEC, relays(_Prices()))
        self.reads: list[tuple[str, int]] = []
        self._stages = [stage.name for stage in stages(limits)]
        self._stopped: set[str] = set()
        for sku in (1, 2):
            self.host.send(
                INVENTORY_INTENTS.name, str(sku), Restock(f"first-{sku}", SHOP, sku, "W1", stock)
            )
        self.pass_(STEP_MS)

    # --- what happens

    def pass_(self, ms: int) -> None:
        """Let everybody work who is not stopped, and time pass."""
        self._work()
        self.host.log.clock_ms += ms
        for name in self._stages:
            for partition in range(self.host.log.partitions):
                self.host.tick(name, partition)
        self._work()

    def stop(self, stage: str) -> None:
        """Let a stage work no more: its inbox fills up."""
        self._stopped.add(stage)

    def start(self, stage: str) -> None:
        """Let a stopped stage catch up."""
        self._stopped.remove(stage)
        self._work()

    def _work(self) -> None:
        readers = [at for at in self.host.readers() if at[0] not in self._stopped]
        while sum(self.host.turn(*at) for at in readers):
            pass

    def place(
        self,
        *skus: int,
        key: str = "one",
        qty: int = 2,
        channel: str | None = "wechat",
        price_fen: int = PRICE_FEN,
    ) -> str:
        """Place an order of ``qty`` of each sku; return its number."""
        skus = skus or (1,)
        lines = tuple(CartLine(sku, qty, price_fen) for sku in skus)
        intent = PlaceOrderIntent(
            SHOP,
            BUYER,
            key,
            lines,
            sum(line.qty * line.unit_price_fen for line in lines),
            self.host.log.clock_ms,
            pay_channel=channel,
            trace_id=TRACE,
        )
        self.host.send(ORDER_INTENTS.name, key, intent)
        self.pass_(STEP_MS)
        return derive_order_no(SHOP, BUYER, key)

    def ask(self, request: Request) -> None:
        self.host.send(ORDER_INTENTS.name, request.order_no, request)
        self.pass_(STEP_MS)

    def complete(self, order_no: str) -> None:
        self.ask(CompleteOrder(order_no, SHOP, BUYER, TRACE))

    def gateway_says(
        self,
        order_no: str,
        *,
        status: GatewayStatus = GatewayStatus.SUCCEEDED,
        attempt: int = 1,
        refund: str = "",
        txn_no: str = "T1",
        amount_fen: int = 2 * PRICE_FEN,
    ) -> None:
        """Let the gateway report; ``refund`` is the end of the refund's number, e.g. R1."""
        pay_no = f"{order_no}-{attempt}"
        report = GatewayReport(
            order_no,
            pay_no,
            f"{pay_no}-{refund}" if refund else "",
            "wechat",
            txn_no,
            status,
            amount_fen,
            "CNY",
            self.host.log.clock_ms,
            TRACE,
        )
        self.host.send(PAYMENT_COMMANDS.name, order_no, report)
        self.pass_(STEP_MS)

    def send(self, topic: str, key: str, message: Record) -> None:
        self.host.send(topic, key, message)
        self.pass_(STEP_MS)

    def park(self) -> str:
        """Let an order be parked: it is paid, but inventory does not confirm the sale any more."""
        order_no = self.place(1)
        self.stop("inventory")
        self.gateway_says(order_no)
        for _ in range(10):  # waits of 10 + 20 + 40 + 80 + 120 s
            self.pass_(60_000)
        return order_no

    # --- what is read back

    def events(self, order_no: str) -> list[Event]:
        return gather(self, CODEC, order_no)

    def story(self, order_no: str) -> Story:
        return tell(order_no, self.events(order_no), self.host.log.clock_ms)

    def partitions(self, topic: str) -> int:
        return self.host.log.partitions

    def partition_of(self, topic: str, key: str) -> int:
        return self.host.partition_of(key)

    def read(
        self, places: Collection[tuple[str, int]], since_ms: int
    ) -> Iterator[tuple[str, int, InboxRecord]]:
        self.reads += places
        for topic, partition in places:
            for record in self.host.log.read(topic, partition):
                if record.timestamp >= since_ms:
                    yield topic, partition, record

    def incarnations(self, names: Iterable[str]) -> Mapping[bytes, str]:
        return {incarnation(name): name for name in names}
