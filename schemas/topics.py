"""Every topic, once: key, records, partitions, retention and dead letter.

Three kinds of topic and no fourth: ``<domain>.intents`` (public way in, untrusted),
``<domain>.commands`` (the inbox of one stage, written by this system only) and ``<domain>.events``
(public facts). A stage's state is kept in its compacted ``<stage>.changelog``. What flows make of
the facts: rows of live windows in ``report.<name>``, and ``alert.events``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from schemas import (
    alert,
    catalog,
    inventory,
    order,
    payment,
    promotion,
    report,
    resource,
    stream,
    webhook,
)
from schemas.record import Record

DAY_MS = 24 * 3600 * 1000


class Kind(Enum):
    """What a topic is for; decides its Kafka configuration."""

    INTENTS = "intents"
    COMMANDS = "commands"
    EVENTS = "events"
    TABLE = "table"  # compacted facts: the last record per key stands
    REPORT = "report"  # rows: the newest version per key stands, old windows go
    CHANGELOG = "changelog"
    DEAD_LETTERS = "dead letters"
    RAW = "raw"  # what came from outside, byte for byte: evidence, not messages


@dataclass(frozen=True)
class Topic:
    """A topic. ``records`` are the types that may appear in it; ``key`` says what the key is."""

    name: str
    kind: Kind
    key: str
    records: tuple[type[Record], ...]
    retention_ms: int = 7 * DAY_MS

    @property
    def dead_letters(self) -> str:
        """Name of the topic that takes what cannot be understood."""
        return f"{self.name}.dlq"

    @property
    def dead_letter_cap_per_minute(self) -> int:
        """How many dead letters a worker may write in a minute before it stops instead.

        Only this system writes an inbox: ten a second there are a fault of ours, not bad data. In
        public, anybody may send rubbish; 1,000 a second look like a schema that broke everybody.
        """
        return 60_000 if self.kind is Kind.INTENTS else 600

    @property
    def config(self) -> dict[str, str]:
        """Kafka's configuration of this topic, less the replication."""
        if self.kind in (Kind.CHANGELOG, Kind.TABLE):
            return {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2"}
        config = {"cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        if self.kind is Kind.REPORT:
            config["cleanup.policy"] = "compact,delete"
        if self.kind in (Kind.INTENTS, Kind.COMMANDS):
            # The log, not a producer's clock, says what time it is.
            config["message.timestamp.type"] = "LogAppendTime"
        return config


_ORDER_REQUESTS = (
    order.PayOrder,
    order.CancelOrder,
    order.ShipOrder,
    order.CompleteOrder,
    order.RefundOrder,
    order.OperateOrder,
)
_STOCK_ENTRIES = (
    inventory.Restock,
    inventory.AdjustStock,
    inventory.TransferStock,
    inventory.CountStock,
    inventory.SetStockRules,
)

_RESOURCE_ENTRIES = (resource.GrantCapacity, resource.IssueCoupons, resource.ClaimCoupon)

ORDER_INTENTS = Topic(
    "order.intents",
    Kind.INTENTS,
    "order_no or client key",
    (order.PlaceOrderIntent, order.AmendOrderIntent, *_ORDER_REQUESTS),
)
ORDER_EVENTS = Topic(
    "order.events",
    Kind.EVENTS,
    "order_no",
    (
        order.OrderPlaced,
        order.OrderCreated,
        order.OrderRejected,
        order.OrderAmended,
        order.OrderPaymentOpened,
        order.OrderPaid,
        order.OrderConfirmed,
        order.OrderPartlyShipped,
        order.OrderShipped,
        order.OrderCompleted,
        order.OrderCancelling,
        order.OrderCancelled,
        order.OrderExpired,
        order.OrderRefunding,
        order.OrderPartlyRefunded,
        order.OrderRefunded,
        order.OrderParked,
        order.OrderOperated,
        order.OrderRepeated,
        order.OrderRefused,
    ),
)
INVENTORY_INTENTS = Topic(
    "inventory.intents", Kind.INTENTS, "sku_id", (inventory.ExtendHold, *_STOCK_ENTRIES)
)
INVENTORY_COMMANDS = Topic(
    "inventory.commands",
    Kind.COMMANDS,
    "sku_id",
    (
        inventory.TryHold,
        inventory.ConfirmHold,
        inventory.CancelHold,
        inventory.ExtendHold,
        inventory.ReturnStock,
        *_STOCK_ENTRIES,
        stream.Tick,
    ),
)
INVENTORY_EVENTS = Topic(
    "inventory.events",
    Kind.EVENTS,
    "sku_id",
    (
        inventory.StockHeld,
        inventory.StockDeducted,
        inventory.StockReleased,
        inventory.StockReturned,
        inventory.StockReceived,
        inventory.StockAdjusted,
        inventory.StockTransferred,
        inventory.StockCounted,
        inventory.StockBackordered,
        inventory.BackorderServed,
        inventory.BackorderConfirmed,
        inventory.BackorderReleased,
        inventory.BuyerCounted,
        inventory.StockRulesSet,
        inventory.StockRefused,
        inventory.HoldExtended,
        inventory.HoldFenced,
        inventory.HoldEndRefused,
        inventory.StockEntryRefused,
    ),
)
PAYMENT_INTENTS = Topic("payment.intents", Kind.INTENTS, "order_no", (payment.ResolveTicket,))
PAYMENT_COMMANDS = Topic(
    "payment.commands",
    Kind.COMMANDS,
    "order_no",
    (
        payment.RequestPayment,
        payment.RequestRefund,
        payment.ClosePayments,
        payment.GatewayReport,
        payment.ResolveTicket,
        stream.Tick,
    ),
)
PAYMENT_EVENTS = Topic(
    "payment.events",
    Kind.EVENTS,
    "order_no",
    (
        payment.PaymentRequested,
        payment.PaymentSucceeded,
        payment.PaymentFailed,
        payment.PaymentClosed,
        payment.PaymentSurplus,
        payment.RefundRequested,
        payment.RefundSucceeded,
        payment.RefundFailed,
        payment.RefundOverpaid,
        payment.PaymentQueried,
        payment.RefundQueried,
        payment.PaymentTicketOpened,
        payment.PaymentTicketClosed,
        payment.PaymentRefused,
    ),
)
PAYMENT_CALLBACKS = Topic(
    "payment.callbacks",
    Kind.RAW,
    "hash of the body",
    (),
    # A dispute about a payment is opened within 180 days.
    retention_ms=180 * DAY_MS,
)
"""Each callback of a gateway before anybody believed it: its body, and as headers ``gateway`` and
those of its HTTP headers that its signature needs."""
PROMOTION_INTENTS = Topic("promotion.intents", Kind.INTENTS, "resource", _RESOURCE_ENTRIES)
PROMOTION_COMMANDS = Topic(
    "promotion.commands",
    Kind.COMMANDS,
    "resource",
    (
        resource.TryPromotion,
        resource.ConfirmPromotion,
        resource.CancelPromotion,
        resource.ReturnPromotion,
        *_RESOURCE_ENTRIES,
        stream.Tick,
    ),
)
PROMOTION_EVENTS = Topic(
    "promotion.events",
    Kind.EVENTS,
    "resource",
    (
        resource.CapacityGranted,
        resource.CouponsIssued,
        resource.CouponClaimed,
        resource.PromotionHeld,
        resource.PromotionSpent,
        resource.PromotionReleased,
        resource.PromotionReturned,
        resource.PromotionRefused,
        resource.PromotionFenced,
        resource.PromotionEndRefused,
        resource.PromotionEntryRefused,
    ),
)
ORDER_COMMANDS = Topic(
    "order.commands",
    Kind.COMMANDS,
    "order_no",
    (
        order.PlaceOrder,
        order.AmendOrder,
        *_ORDER_REQUESTS,
        # replies: the facts of the stages that were asked
        inventory.StockHeld,
        inventory.StockRefused,
        inventory.StockDeducted,
        inventory.StockReleased,
        inventory.StockBackordered,
        inventory.BackorderConfirmed,
        inventory.BackorderReleased,
        inventory.HoldExtended,
        inventory.HoldFenced,
        inventory.HoldEndRefused,
        resource.PromotionHeld,
        resource.PromotionSpent,
        resource.PromotionReleased,
        resource.PromotionRefused,
        resource.PromotionFenced,
        resource.PromotionEndRefused,
        payment.PaymentSucceeded,
        payment.PaymentFailed,
        payment.PaymentClosed,
        payment.RefundSucceeded,
        payment.RefundFailed,
        payment.PaymentRefused,
        stream.Tick,
    ),
)
CATALOG_EVENTS = Topic(
    "catalog.events", Kind.TABLE, "sku_id", (catalog.SkuListed, catalog.SkuDelisted)
)
WEBHOOK_ENDPOINTS = Topic(
    "webhook.endpoints",
    Kind.TABLE,
    "endpoint_id",
    (webhook.WebhookSubscribed, webhook.WebhookUnsubscribed),
)
PROMOTION_PACKS = Topic(
    "promotion.packs", Kind.TABLE, "shop_id/pack_id/version", (promotion.RulePack,)
)

_WINDOW_KEY = "shop_id/group/size_ms/start_ms"
REPORT_SALES = Topic("report.sales", Kind.REPORT, _WINDOW_KEY, (report.SalesWindow,))
REPORT_FUNNEL = Topic("report.funnel", Kind.REPORT, _WINDOW_KEY, (report.FunnelWindow,))
REPORT_FULFILMENT = Topic("report.fulfilment", Kind.REPORT, _WINDOW_KEY, (report.FulfilmentWindow,))
REPORT_TOP_SKUS = Topic("report.top-skus", Kind.REPORT, _WINDOW_KEY, (report.TopSkusWindow,))
REPORT_STOCK = Topic("report.stock", Kind.REPORT, _WINDOW_KEY, (report.StockWindow,))
ALERT_EVENTS = Topic(
    "alert.events", Kind.EVENTS, "shop_id/sku_id", (alert.AlertRaised, alert.AlertCleared)
)

PUBLIC = (
    ORDER_INTENTS,
    ORDER_COMMANDS,
    ORDER_EVENTS,
    INVENTORY_INTENTS,
    INVENTORY_COMMANDS,
    INVENTORY_EVENTS,
    PAYMENT_INTENTS,
    PAYMENT_COMMANDS,
    PAYMENT_EVENTS,
    PAYMENT_CALLBACKS,
    PROMOTION_INTENTS,
    PROMOTION_COMMANDS,
    PROMOTION_EVENTS,
    CATALOG_EVENTS,
    WEBHOOK_ENDPOINTS,
    REPORT_SALES,
    REPORT_FUNNEL,
    REPORT_FULFILMENT,
    REPORT_TOP_SKUS,
    REPORT_STOCK,
    ALERT_EVENTS,
    PROMOTION_PACKS,
)


def changelog(stage: str, entities: tuple[type[Record], ...]) -> Topic:
    """Return the topic that keeps the state of ``stage``, made of ``entities``."""
    return Topic(f"{stage}.changelog", Kind.CHANGELOG, "entity/id", (*entities, stream.Progress))


def dead_letters(topic: Topic) -> Topic:
    """Return the topic for what ``topic`` carried and nobody understood; kept for 30 days."""
    return Topic(topic.dead_letters, Kind.DEAD_LETTERS, topic.key, topic.records, 30 * DAY_MS)
