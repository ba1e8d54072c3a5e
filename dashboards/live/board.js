// What the page knows: windows by currency, size and start, and the parts that come whole.

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

const KEPT = { [SECOND_MS]: 180, [MINUTE_MS]: 61, [HOUR_MS]: 2 };
const PATIENCE_MS = 3_000;  // a report comes within a second or two of its facts
const REMEMBERED_MS = 60_000;
const LAGS_MS = 180_000;

export class Board {
  pipeline = null;
  shopId = null;
  fulfilment = null;
  top = [];
  stock = [];
  alerts = null;
  lags = [];  // {at, ms}: how old the newest fact was when it came to the screen
  #windows = new Map();  // "sales/CNY/1000" -> Map(start -> window)
  #skewMs = 0;  // the server's clock less this one
  #placed = [];  // {at, ms}: the newest order as it was known at a time

  /** Take in a message; a snapshot forgets what was. */
  take({ event, data }) {
    const before = this.pipeline;
    if (event === "snapshot") {
      this.#windows.clear();
      Object.assign(this, { fulfilment: null, top: [], stock: [], alerts: null });
      this.#placed = [];
    }
    this.shopId = data.shop_id;
    this.pipeline = data.pipeline;
    this.#skewMs = data.pipeline.now_ms - Date.now();
    for (const report of ["sales", "funnel"]) {
      for (const window of data[report] ?? []) this.#keep(report, window);
    }
    for (const part of ["fulfilment", "top", "stock", "alerts"]) this[part] = data[part] ?? this[part];
    this.#note(event, before);
  }

  #keep(report, window) {
    const name = `${report}/${window.currency}/${window.size_ms}`;
    const known = this.#windows.get(name) ?? new Map();
    this.#windows.set(name, known);
    known.set(window.start_ms, window);
    const oldest = window.start_ms - KEPT[window.size_ms] * window.size_ms;
    for (const start of known.keys()) if (start < oldest) known.delete(start);
  }

  #note(event, before) {
    const { now_ms: at, placed_ms: ms, sales } = this.pipeline;
    this.#placed = [...this.#placed.filter((one) => one.at > at - REMEMBERED_MS), { at, ms }];
    if (event === "delta" && before && sales.fresh_ms > before.sales.fresh_ms) {
      this.lags.push({ at, ms: at - sales.fresh_ms });
    }
    this.lags = this.lags.filter((one) => one.at > at - LAGS_MS);
  }

  /** The server's clock now. */
  now() {
    return Date.now() + this.#skewMs;
  }

  /** Return the currencies in which something was sold, the one that sold most first. */
  currencies() {
    const sums = new Map();
    for (const [name, windows] of this.#windows) {
      const [report, currency, size] = name.split("/");
      if (report !== "sales" || Number(size) !== HOUR_MS) continue;
      sums.set(currency, [...windows.values()].reduce((sum, one) => sum + one.gmv_fen, 0));
    }
    return [...sums].sort((one, other) => other[1] - one[1]).map(([currency]) => currency);
  }

  /** Return a window, or undefined. */
  window(report, currency, sizeMs, startMs) {
    return this.#windows.get(`${report}/${currency}/${sizeMs}`)?.get(startMs);
  }

  /** Return the last windows of a size up to now, `[start, window or undefined]`, the earliest first. */
  last(report, currency, sizeMs, number) {
    const end = this.now() - (this.now() % sizeMs);
    return Array.from({ length: number }, (_, index) => {
      const start = end - (number - 1 - index) * sizeMs;
      return [start, this.window(report, currency, sizeMs, start)];
    });
  }

  /** Say how many ms the reports are behind the orders; 0 while they are in time. */
  behindMs() {
    const { sales } = this.pipeline;
    const due = this.#placed.findLast((one) => one.at < this.now() - PATIENCE_MS);
    return due && due.ms > sales.fresh_ms ? this.now() - sales.fresh_ms : 0;
  }

  /** Say when the newest alert was raised or cleared; 0: there is none. */
  alertedMs() {
    const { open, cleared } = this.alerts ?? { open: [], cleared: [] };
    return Math.max(0, ...open.map((one) => one.raised_at_ms), ...cleared.map((one) => one.cleared_at_ms));
  }

  /** Return the P99 of how old facts were when they came to the screen, over a minute; or null. */
  lagMs() {
    const lags = this.lags.filter((one) => one.at > this.now() - MINUTE_MS).map((one) => one.ms);
    return lags.length ? lags.sort((one, other) => one - other)[Math.ceil(lags.length * 0.99) - 1] : null;
  }
}
