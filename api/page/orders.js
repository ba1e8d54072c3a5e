// The buyer's orders: the list, and one order with all that may be done about it.

import { newKey } from "./api.js";
import { at, keyed, make, show, tell } from "./dom.js";
import { drawProblem } from "./problem.js";
import { Refund } from "./refund.js";
import { CHANNELS, REFUNDABLE, STEPS, UNPAID, clock, fact, gap, lasting, money, reason, second, status, when } from "./words.js";

/** Draws the orders of `state`. */
export class Orders {
  #drawn = null;

  constructor(state) {
    this.state = state;
    this.refund = new Refund(state);
    at("orders-more").addEventListener("click", () => state.moreOrders().catch(() => {}));
    at("channels").replaceChildren(...CHANNELS.map(channel));
    at("pay-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = new FormData(at("pay-form")).get("channel");
      state.act(state.shown, "payments", { channel: chosen });
    });
    setInterval(() => this.#drawDeadline(), 1_000);
  }

  draw() {
    this.#drawList();
    this.#drawOrder();
  }

  #drawList() {
    const orders = this.state.sorted();
    keyed(at("orders-list"), orders, (order) => order.order_no, ({ order_no: number }) => listed(number));
    for (const link of at("orders-list").querySelectorAll("a")) {
      if (link.hash === `#order/${this.state.shown}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    show(at("orders-empty"), !orders.length);
    show(at("orders-more"), Boolean(this.state.nextOrders));
  }

  #drawOrder() {
    const { state } = this;
    const number = state.shown;
    if (!number) return;
    const order = state.orders.get(number);
    tell(at("order-number"), number);
    drawProblem(at("order-problem"), state.problems.get(number), state);
    for (const part of ["order-steps", "order-says", "timeline", "order-trace"]) show(at(part), Boolean(order));
    if (!order) {
      tell(at("order-title"), state.problems.has(number) ? "No such order" : "One moment …");
      show(at("pay-form"), false);
      for (const part of ["order-actions", "order-lines", "order-sums"]) at(part).replaceChildren();
      return;
    }
    const entries = state.timelines.get(number) ?? [];
    const named = status(order.status);
    at("order-view").dataset.tone = named.tone;
    at("order-view").dataset.status = order.status;
    if (this.#drawn !== `${number} ${order.status}`) {
      this.#drawn = `${number} ${order.status}`;
      at("order-title").replaceChildren(named.label, chinese(order.status_text));
    }
    tell(at("order-says"), [named.says, because(order, state)].filter(Boolean).join(" "));
    drawSteps(entries, named.tone);
    this.#drawPay(order);
    this.#drawActions(order);
    drawLines(order, state);
    drawTimeline(order, entries);
    tell(at("order-trace"), order.trace_id ? `Trace ${order.trace_id}` : "");
  }

  #drawPay(order) {
    const { state } = this;
    if (!show(at("pay-form"), UNPAID.has(order.status))) return;
    const isAgain = order.status === "PAYING";
    const amount = money(order.total_fen, order.currency);
    tell(at("pay"), isAgain ? `Ask again for ${amount}` : `Pay ${amount}`);
    at("pay").disabled = state.busy.has(order.order_no);
    this.#drawDeadline();
  }

  #drawDeadline() {
    const order = this.state.orders.get(this.state.shown);
    if (!order?.expire_time || !UNPAID.has(order.status)) {
      tell(at("pay-until"), "");
      return;
    }
    const leftMs = Date.parse(order.expire_time) - Date.now();
    tell(at("pay-until"), leftMs > 0 ? `Until ${clock(order.expire_time)}, ${lasting(leftMs)} left` : "It is about to expire");
  }

  #drawActions(order) {
    const { state } = this;
    const wanted = [];
    if (UNPAID.has(order.status)) {
      wanted.push(["Cancel order", "plain", () => state.act(order.order_no, "cancel", { reason: "changed my mind" })]);
    }
    if (order.status === "SHIPPED") {
      wanted.push(["I have received it", "primary", () => state.act(order.order_no, "complete", {})]);
    }
    if (REFUNDABLE.has(order.status)) {
      wanted.push(["Ask for a refund", "plain", () => this.refund.open(order.order_no, newKey())]);
    }
    keyed(at("order-actions"), wanted, ([label]) => `${order.order_no} ${label}`, ([label, kind, run]) => {
      const node = make("button", { type: "button", className: kind, textContent: label });
      node.addEventListener("click", run);
      return { node, update: () => { node.disabled = state.busy.has(order.order_no); } };
    });
  }
}

function channel([value, label, says], index) {
  const input = make("input", { type: "radio", name: "channel", value, checked: index === 0 });
  return make("label", { className: "channel" }, input,
    make("span", {}, make("b", { textContent: label }), make("small", { textContent: says })));
}

function chinese(text) {
  return make("span", { className: "zh", lang: "zh", textContent: text });
}

function listed(number) {
  const label = make("span", { className: "badge" });
  const text = chinese("");
  const what = make("span", { className: "number", textContent: number });
  const at_ = make("span", { className: "quiet" });
  const price = make("span", { className: "price" });
  const link = make("a", { href: `#order/${number}`, className: "row" },
    make("span", { className: "what" }, make("span", { className: "name" }, label, text), make("span", { className: "quiet" }, what, " · ", at_)),
    price);
  const update = (order) => {
    const named = status(order.status);
    tell(label, named.label);
    label.dataset.tone = named.tone;
    tell(text, order.status_text);
    tell(at_, when(order.placed_at));
    tell(price, money(order.total_fen, order.currency));
  };
  return { node: make("li", {}, link), update };
}

/** Say why an order ended as it did. */
function because(order, state) {
  if (order.refusals.length) {
    return order.refusals.map(({ resource_id: sku, requested, available }) => {
      const left = available > 1 ? `only ${available} were` : available === 1 ? "only 1 was" : "none was";
      return `${state.titleOf(Number(sku))}: ${left} left, you asked for ${requested}.`;
    }).join(" ");
  }
  return order.reason && ["CANCELLED", "CANCELLING", "REFUNDING", "REFUNDED", "PARKED"].includes(order.status)
    ? `Reason: ${reason(order.reason)}.` : "";
}

function drawSteps(entries, tone) {
  const facts = new Set(entries.map((entry) => entry.fact));
  const reached = STEPS.map(([, names]) => names.some((name) => facts.has(name)));
  const last = reached.lastIndexOf(true);
  const hasEnded = ["bad", "end"].includes(tone);
  const steps = STEPS.map(([label], index) => ({
    label,
    state: index <= last ? "done" : hasEnded ? "never" : "ahead",
    isLast: index === last,
  }));
  keyed(at("order-steps"), steps, (step) => step.label, ({ label }) => {
    const node = make("li", {}, make("span", { textContent: label }));
    return {
      node,
      update: (step) => {
        node.dataset.state = step.state;
        if (step.isLast) node.setAttribute("aria-current", "step");
        else node.removeAttribute("aria-current");
      },
    };
  });
}

function drawLines(order, state) {
  keyed(at("order-lines"), order.lines, (line) => `${order.order_no} ${line.sku_id}`, () => {
    const cells = [make("td"), make("td", { className: "price" }), make("td", { className: "price" })];
    const update = (line) => {
      tell(cells[0], state.titleOf(line.sku_id));
      tell(cells[1], `× ${line.qty}`);
      tell(cells[2], money(line.payable_fen ?? line.qty * line.unit_price_fen, order.currency));
    };
    return { node: make("tr", {}, ...cells), update };
  });
  const sums = [["Total", order.total_fen], ["Paid", order.paid_fen], ["Given back", order.refunded_fen]];
  keyed(at("order-sums"), sums.filter(([name, fen]) => fen || name === "Total"), ([name]) => name, ([name]) => {
    const amount = make("td", { className: "price" });
    return {
      node: make("tr", {}, make("th", { scope: "row", colSpan: 2, textContent: name }), amount),
      update: ([, fen]) => tell(amount, money(fen, order.currency)),
    };
  });
}

function drawTimeline(order, entries) {
  const steps = entries.map((entry, index) => ({ entry, index, before: entries[index - 1] }));
  keyed(at("timeline"), steps, ({ index }) => `${order.order_no} ${index}`, ({ entry, before }) => {
    const [headline, more] = fact(entry, order);
    const node = make("li", {},
      make("time", { dateTime: entry.at, title: entry.at, textContent: second(entry.at) }),
      make("div", {}, make("b", { textContent: headline }), more ? make("span", { className: "quiet", textContent: more }) : ""),
      make("span", { className: "gap", textContent: before ? gap(Date.parse(entry.at) - Date.parse(before.at)) : "" }));
    node.dataset.fact = entry.fact;
    return { node, update: () => {} };
  });
}
