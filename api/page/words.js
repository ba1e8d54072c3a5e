// What people read: statuses, facts, problems, money and times.

/** Status -> what the page calls it, how it feels, and what it means for the buyer. */
const STATUSES = {
  ACCEPTED: ["Accepted", "wait", "Your order is safe and will be looked at in a moment."],
  RESERVING: ["Reserving", "wait", "Your goods are being set aside."],
  CREATED: ["Waiting for payment", "act", "Everything is set aside for you."],
  PAYING: ["Paying", "wait", "The gateway has been asked. If it says no, choose another way to pay."],
  PAID: ["Paid", "good", "The money is here. Your goods are being taken from the shelf."],
  FULFILLING: ["Preparing", "good", "Your goods are being packed."],
  PARTLY_SHIPPED: ["Partly shipped", "good", "A part of it is on its way."],
  SHIPPED: ["Shipped", "good", "It is on its way to you."],
  COMPLETED: ["Completed", "good", "You have it. Thank you."],
  CANCELLING: ["Cancelling", "wait", "Your goods are going back on sale."],
  CANCELLED: ["Cancelled", "end", "Nothing is owed."],
  EXPIRED: ["Expired", "end", "It was not paid in time. Nothing is owed."],
  REJECTED: ["Rejected", "bad", "Not everything could be set aside, so nothing was."],
  REFUNDING: ["Refunding", "wait", "The money is on its way back."],
  PARTLY_REFUNDED: ["Partly refunded", "end", "A part of the money is back."],
  REFUNDED: ["Refunded", "end", "The money is back."],
  PARKED: ["With a person", "bad", "Somebody at the shop has to look at it. Nothing is lost."],
};

export function status(name) {
  const [label, tone, says] = STATUSES[name] ?? [name, "end", ""];
  return { label, tone, says };
}

export const UNPAID = new Set(["CREATED", "PAYING"]);
export const REFUNDABLE = new Set(["PAID", "FULFILLING", "PARTLY_SHIPPED", "SHIPPED", "COMPLETED", "PARTLY_REFUNDED"]);

export const CHANNELS = [
  ["sim", "Pay at once", "The money comes immediately"],
  ["sim-late", "Pay late", "It takes some seconds"],
  ["sim-decline", "Be declined", "The bank says no"],
  ["sim-twice", "Be charged twice", "The second charge goes back by itself"],
  ["sim-never", "Never pay", "Nothing comes until the order expires"],
];

/** The way of an order that goes well, and the facts that reach each step. */
export const STEPS = [
  ["Placed", ["OrderPlaced"]],
  ["Reserved", ["OrderCreated"]],
  ["Paid", ["OrderPaid"]],
  ["Preparing", ["OrderConfirmed"]],
  ["Shipped", ["OrderPartlyShipped", "OrderShipped"]],
  ["Completed", ["OrderCompleted"]],
];

/** Return a fact of a timeline in words: a headline and, if there is more to say, a line below it. */
export function fact({ fact: name, details: told }, order) {
  const amount = (fen) => money(fen, told.currency ?? order.currency);
  const parcel = () => [told.carrier, told.waybill_no].filter(Boolean).join(" ");
  const tellers = {
    OrderPlaced: () => ["Order placed", `${amount(told.total_fen)}`],
    OrderCreated: () => ["Goods set aside", `Pay by ${clock(told.expires_at_ms)}`],
    OrderRejected: () => ["Rejected", ""],
    OrderAmended: () => ["Order changed", `${amount(told.total_fen)}`],
    OrderPaymentOpened: () => ["Payment opened", `${amount(told.amount_fen)} over ${told.channel}`],
    OrderPaid: () => ["Paid", `${amount(told.total_fen)}, payment ${told.pay_no}`],
    OrderConfirmed: () => ["Goods taken from stock", ""],
    OrderPartlyShipped: () => ["A parcel left", parcel()],
    OrderShipped: () => ["Shipped", parcel()],
    OrderCompleted: () => ["Completed", ""],
    OrderCancelling: () => ["Cancelling", reason(told.reason)],
    OrderCancelled: () => ["Cancelled", reason(told.reason)],
    OrderExpired: () => ["Expired", reason(told.reason)],
    OrderRefunding: () => ["Refund begun", [amount(told.amount_fen), reason(told.reason)].filter(Boolean).join(", ")],
    OrderPartlyRefunded: () => ["Part of the money is back", amount(told.amount_fen)],
    OrderRefunded: () => ["Money is back", amount(told.amount_fen)],
    OrderParked: () => ["Handed to a person", reason(told.reason)],
    OrderOperated: () => ["The shop stepped in", reason(told.reason)],
    OrderRefused: () => ["A request was refused", reason(told.reason)],
    OrderRepeated: () => ["A request came again", "Nothing changed"],
  };
  return (tellers[name] ?? (() => [name, ""]))();
}

/** Return a code such as `NOT_PAID` as words; a phrase stays as it is. */
export function reason(text = "") {
  return /^[A-Z0-9_]+$/.test(text) ? capital(text.toLowerCase().replaceAll("_", " ")) : text;
}

/** Return a problem in words: what is wrong, each detail, and what to tell the shop's people. */
export function problem(error, titleOf) {
  const lines = [
    ...error.missing.map((one) => shortage(one, titleOf(one.sku_id))),
    ...error.errors.map((one) => sentence(one.detail)),
  ];
  return { says: saying(error), lines, code: [error.code, error.traceId && `trace ${error.traceId}`].filter(Boolean).join(" · ") };
}

function saying(error) {
  if (error.status === 0) return "The shop cannot be reached. Try again: nothing will be done twice.";
  if (error.code === "INVENTORY_SHORTAGE") return "Not everything is in stock, so nothing was ordered.";
  if (error.code === "PRICE_CHANGED") return "Prices have changed. Look at the new total and order again.";
  if (error.code === "RATE_LIMITED") return `That was too much at once. Try again in ${error.retryAfterS || 1} s.`;
  if (error.code === "UNAVAILABLE") return "The shop is not taking requests just now. Try again in a moment.";
  return sentence(error.message);
}

function shortage({ reason: why, requested, available }, title) {
  if (why === "UNKNOWN_SKU") return `${title} is not sold any more.`;
  if (why !== "INSUFFICIENT") return `${title}: ${reason(why)}.`;
  if (available <= 0) return `${title} is sold out.`;
  return `${title}: only ${available} left, you asked for ${requested}.`;
}

function sentence(text) {
  const words = text.trim();
  if (!words) return "";
  return capital(words) + (/[.!?]$/.test(words) ? "" : ".");
}

const capital = (text) => text && text[0].toUpperCase() + text.slice(1);

// --- money and times ---------------------------------------------------------------------------

const formats = new Map();

/** Return an amount in minor units as people write it. */
export function money(minor, currency = "CNY") {
  if (!formats.has(currency)) {
    const format = new Intl.NumberFormat("en", { style: "currency", currency, currencyDisplay: "narrowSymbol" });
    formats.set(currency, [format, 10 ** format.resolvedOptions().maximumFractionDigits]);
  }
  const [format, unit] = formats.get(currency);
  return format.format(minor / unit);
}

const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** Return the time of day, to the minute, of epoch milliseconds or an RFC 3339 text. */
export const clock = (at) => minute.format(new Date(at));

/** Return the time of day, to the second. */
export const second = (at) => time.format(new Date(at));

/** Return when it was: the time, and the day unless it is today. */
export function when(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? minute.format(date) : `${day.format(date)}, ${minute.format(date)}`;
}

/** Return a stretch of time in its largest units. */
export function lasting(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${seconds} s`;
}

/** Return what came between two steps: milliseconds as such while they matter. */
export function gap(ms) {
  if (ms < 1_000) return `+${ms} ms`;
  return ms < 10_000 ? `+${(ms / 1000).toFixed(1)} s` : `+${lasting(ms)}`;
}
