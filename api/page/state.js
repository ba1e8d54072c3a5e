// What the page knows, and how it learns more. Views draw it; `onChange` is told after each change.

import { newKey } from "./api.js";

const QUOTE_PAUSE_MS = 150;
const CART = "orderstream.cart";
const PLACED = "orderstream.orders";
const REMEMBERED = 20;

/** The shop as one buyer sees it. */
export class State {
  skus = new Map();  // sku_id -> what is on sale, in the shop's order
  nextSkus = null;
  cart = new Map(read(CART)?.lines ?? []);  // sku_id -> units
  quote = null;
  cartProblem = null;
  isPlacing = false;
  orders = new Map();  // order_no -> details
  nextOrders = null;
  timelines = new Map();
  shown = null;  // number of the order that is looked at
  problems = new Map();  // order_no -> what its last request met
  busy = new Set();  // numbers of orders for which a request is under way
  #key = read(CART)?.key ?? "";
  #quoting = 0;
  #asked = 0;
  #fetching = new Set();

  constructor(api, onChange) {
    this.api = api;
    this.onChange = onChange;
  }

  // --- goods -----------------------------------------------------------------------------------

  /** Read what is on sale: all that was read before, and the first page. */
  async loadGoods() {
    const pages = Math.max(1, Math.ceil(this.skus.size / 100));
    let cursor = "";
    for (let page = 0; page < pages && cursor !== null; page++) {
      cursor = await this.#goods(cursor, page === 0);
    }
    this.nextSkus = cursor;
    this.onChange();
  }

  async moreGoods() {
    this.nextSkus = await this.#goods(this.nextSkus, false);
    this.onChange();
  }

  async #goods(cursor, isFirst) {
    const page = await this.api.get(`/skus?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    if (isFirst) this.skus.clear();
    for (const sku of page.skus) this.skus.set(sku.sku_id, sku);
    return page.next_cursor;
  }

  titleOf(skuId) {
    return this.skus.get(skuId)?.title ?? `Sku ${skuId}`;
  }

  // --- cart ------------------------------------------------------------------------------------

  put(skuId, units) {
    if (units > 0) this.cart.set(skuId, units);
    else this.cart.delete(skuId);
    this.#key = "";  // another cart is another order
    this.cartProblem = null;
    this.#remember();
    this.requote(QUOTE_PAUSE_MS);
    this.onChange();
  }

  /** Ask for the price of the cart; of several questions only the last answer counts. */
  requote(pauseMs = 0) {
    clearTimeout(this.#quoting);
    const asked = ++this.#asked;
    if (!this.cart.size) this.quote = null;
    else this.#quoting = setTimeout(() => this.#quote(asked), pauseMs);
  }

  async #quote(asked) {
    const lines = Array.from(this.cart, ([sku_id, qty]) => ({ sku_id, qty }));
    const currency = this.skus.get(lines[0].sku_id)?.currency ?? "CNY";
    let quote = null;
    let problem = null;
    try {
      quote = await this.api.post("/quotes", { lines, currency });
    } catch (error) {
      problem = error;
    }
    if (asked !== this.#asked) return;
    this.quote = quote;
    this.cartProblem = problem ?? this.cartProblem;
    this.onChange();
  }

  /** Order the cart; return the order's number, or null when it was refused. */
  async place() {
    this.#key ||= newKey();
    this.#remember();  // a page that is loaded anew repeats the request, it does not order again
    this.isPlacing = true;
    this.cartProblem = null;
    this.onChange();
    const { lines, total_fen, currency } = this.quote;
    const body = {
      lines: lines.map(({ sku_id, qty, unit_price_fen }) => ({ sku_id, qty, unit_price_fen })),
      total_fen,
      currency,
    };
    try {
      const order = await this.api.post("/orders", body, this.#key);
      this.cart.clear();
      this.quote = null;
      this.#key = "";
      this.#placed(order, body);
      return order.order_no;
    } catch (problem) {
      this.cartProblem = problem;
      if (!problem.isOpen) this.#key = "";  // it is decided: the next try is a new order
      if (problem.code === "PRICE_CHANGED") this.requote();
      return null;
    } finally {
      this.isPlacing = false;
      this.#remember();
      this.onChange();
      this.loadGoods().catch(() => {});
    }
  }

  #placed(order, body) {
    const now = new Date().toISOString();
    const known = this.orders.get(order.order_no);
    if (known?.version) return;
    this.orders.set(order.order_no, {
      ...body, lines: order.priced?.lines ?? body.lines, version: 0, status_text: "", paid_fen: 0, refunded_fen: 0,
      placed_at: now, updated_at: "", expire_time: null, reason: "", refusals: [], channel: "", ...order,
    });
    this.refresh(order.order_no);
  }

  #remember() {
    write(CART, { lines: [...this.cart], key: this.#key });
    const numbers = this.sorted().slice(0, REMEMBERED).map((order) => order.order_no);
    if (numbers.length) write(PLACED, numbers);
  }

  // --- orders ----------------------------------------------------------------------------------

  /** The orders, the newest first. */
  sorted() {
    return [...this.orders.values()].sort((one, other) => (one.placed_at < other.placed_at ? 1 : -1));
  }

  /** Read the newest orders, and those that this tab placed: while Redis is away no list has them. */
  async loadOrders() {
    const page = await this.api.get("/orders?limit=20");
    this.nextOrders ??= page.next_cursor;
    page.orders.forEach((order) => this.#take(order));
    this.onChange();
    const missing = (read(PLACED) ?? []).filter((number) => !this.orders.has(number));
    await Promise.all(missing.map((number) => this.refresh(number)));
  }

  async moreOrders() {
    const page = await this.api.get(`/orders?limit=20&cursor=${encodeURIComponent(this.nextOrders)}`);
    this.nextOrders = page.next_cursor;
    page.orders.forEach((order) => this.#take(order));
    this.onChange();
  }

  /** Take an order's details, unless newer ones are known. */
  #take(order) {
    const known = this.orders.get(order.order_no);
    if (!known || known.version <= order.version) this.orders.set(order.order_no, order);
  }

  /** Look at an order: read it, and what happened to it. */
  look(number) {
    this.shown = number;
    this.onChange();
    if (number) this.refresh(number);
  }

  /** Read an order anew; several wishes at once are one question, and one more behind it. */
  async refresh(number) {
    if (this.#fetching.has(number)) {
      this.#fetching.add(`${number} again`);
      return;
    }
    this.#fetching.add(number);
    try {
      const path = `/orders/${encodeURIComponent(number)}`;
      const isShown = number === this.shown;
      const [order, timeline] = await Promise.all([
        this.api.get(path),
        isShown ? this.api.get(`${path}/timeline`) : null,
      ]);
      this.#take(order);
      if (timeline) this.timelines.set(number, timeline.entries);
      if (this.problems.get(number)?.status === 0) this.problems.delete(number);
    } catch (problem) {
      const isComing = problem.status === 404 && this.orders.has(number);  // accepted, not judged yet
      if (number === this.shown && !isComing) this.problems.set(number, problem);
    } finally {
      this.#fetching.delete(number);
      this.onChange();
      if (this.#fetching.delete(`${number} again`)) this.refresh(number);
    }
  }

  /** Take what the socket tells. Return the order's new status, or null if it is known already. */
  heard({ data, seq, trace_id }) {
    const known = this.orders.get(data.order_no);
    if (known && known.version >= seq) return null;
    if (known) {
      const { status, status_text, updated_at } = data;
      this.orders.set(data.order_no, { ...known, status, status_text, updated_at, version: seq, trace_id });
    }
    this.refresh(data.order_no);
    this.onChange();
    return data.status;
  }

  /** What the socket has to know to go on where it broke off. */
  seen() {
    const orders = [...this.orders.values()].sort((one, other) => (one.updated_at < other.updated_at ? 1 : -1));
    const sinceMs = orders[0]?.updated_at ? Date.parse(orders[0].updated_at) : 0;
    return { orders: orders.map((order) => [order.order_no, order.version]), sinceMs };
  }

  /** Ask for something about an order; return whether it was granted. */
  async act(number, path, body, key = "") {
    this.busy.add(number);
    this.problems.delete(number);
    this.onChange();
    try {
      await this.api.post(`/orders/${encodeURIComponent(number)}/${path}`, body, key);
      return true;
    } catch (problem) {
      this.problems.set(number, problem);
      return false;
    } finally {
      this.busy.delete(number);
      this.refresh(number);
    }
  }
}

// What a tab remembers until it is closed; a browser that forbids it forgets, and all else works.

export function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}

export function write(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch { /* it is forgotten */ }
}
