// The panels: each draws a part of the board.

import { HOUR_MS, MINUTE_MS, SECOND_MS } from "./board.js";
import { Stream } from "./charts.js";
import { at, keyed, make, show, tell, tick } from "./dom.js";
import { KINDS, age, count, duration, money, percent, shortMoney, time } from "./words.js";

const SECONDS = 180;
const MINUTES = 60;

/** Return the sums over windows of what is named. */
function sums(windows, names) {
  const total = Object.fromEntries(names.map((name) => [name, 0]));
  for (const [, window] of windows) for (const name of names) total[name] += window?.[name] ?? 0;
  return total;
}

/** GMV of the hour, the minute and the second, and by second. */
export class Gmv {
  #chart = new Stream(at("gmv-chart"), { style: "bars", write: String });
  #written = "";

  draw(board, currency) {
    const [[, hour]] = board.last("sales", currency, HOUR_MS, 1);
    const [[, minute]] = board.last("sales", currency, MINUTE_MS, 1);
    const seconds = board.last("sales", currency, SECOND_MS, SECONDS);
    const write = money(currency, true);
    at("gmv-hour").style.setProperty("--chars", write(hour?.gmv_fen ?? 0).length);
    tick(at("gmv-hour"), hour?.gmv_fen ?? 0, write);
    tick(at("gmv-minute"), minute?.gmv_fen ?? 0, money(currency));
    tick(at("gmv-refunded"), hour?.refunded_fen ?? 0, money(currency));
    // The last second that is over for the reports, too; when nothing comes, that of the clock.
    const { fresh_ms: freshMs } = board.pipeline.sales;
    const over = Math.max(freshMs, board.now() - 2 * SECOND_MS) - SECOND_MS;
    const second = board.window("sales", currency, SECOND_MS, over - (over % SECOND_MS));
    tick(at("gmv-second"), second?.gmv_fen ?? 0, money(currency));
    if (currency !== this.#written) {
      this.#chart.rewrite(shortMoney(currency));
      this.#written = currency;
    }
    const [first] = seconds[0];
    this.#chart.draw(
      seconds.map(([start]) => start),
      seconds.map(([, window]) => window?.gmv_fen ?? 0),
      [first - SECOND_MS / 2, first + SECONDS * SECOND_MS],
    );
  }
}

const TILES = [
  ["placed", "Placed", "accent"],
  ["paid", "Paid", "good"],
  ["rejected", "Rejected", "bad"],
  ["shipped", "Shipped", "accent"],
];

/** Small multiples: orders by minute. */
export class Tiles {
  #tiles = TILES.map(([field, title, tone]) => {
    const figure = make("p", "large", "–");
    const chart = make("div", "chart");
    const fresh = make("p", "fresh");
    fresh.dataset.fresh = "sales";
    at(`tile-${field}`).append(make("header", "", make("h2", "", title), fresh), figure, chart, make("p", "caption", "last hour, by minute"));
    return { field, figure, stream: new Stream(chart, { tone }) };
  });

  draw(board, currency) {
    const minutes = board.last("sales", currency, MINUTE_MS, MINUTES);
    const total = sums(minutes, TILES.map(([field]) => field));
    const over = minutes.slice(0, -1);  // the running minute would look like a fall
    const times = over.map(([start]) => start);
    for (const { field, figure, stream } of this.#tiles) {
      tick(figure, total[field], count);
      stream.draw(times, over.map(([, window]) => window?.[field] ?? 0), [times[0], times.at(-1)]);
    }
  }
}

const STEPS = [
  ["placed", "Placed", null],
  ["created", "Created", "placed"],
  ["paid", "Paid", "created"],
  ["shipped", "Shipped", "paid"],
  ["refunded", "Refunded", "paid"],
];

/** The funnel of the orders that were placed in the last hour. */
export class Funnel {
  draw(board, currency) {
    const minutes = board.last("funnel", currency, MINUTE_MS, MINUTES);
    const total = sums(minutes, STEPS.map(([field]) => field));
    const steps = STEPS.map(([field, title, before]) => ({
      field,
      title,
      orders: total[field],
      share: total.placed ? total[field] / total.placed : 0,
      note: before && `${percent(total[field], total[before])} of ${before}`,
    }));
    keyed(at("funnel-steps"), steps, (step) => step.field, () => {
      const [name, bar, number, note] = [make("span"), make("i"), make("span", "number"), make("p", "note")];
      const node = make("li", "", name, make("div", "bar-of", bar), number, note);
      return {
        node,
        update(step) {
          node.dataset.step = step.field;
          tell(name, step.title);
          tick(number, step.orders, count);
          bar.style.width = `${100 * step.share}%`;
          if (show(note, step.note !== null)) tell(note, step.note);
        },
      };
    });
    const { fulfilment } = board;
    const isOfNow = fulfilment && fulfilment.start_ms > board.now() - HOUR_MS;
    tell(at("funnel-late"), isOfNow ? `${count(fulfilment.waiting)} paid this hour wait for dispatch, ${count(fulfilment.late)} went late` : "");
  }
}

/** The skus that sold most in this hour. */
export class Top {
  draw(board, currency) {
    const found = board.top.find((one) => one.currency === currency && one.start_ms > board.now() - HOUR_MS);
    const top = (found?.top ?? []).slice(0, 10);
    const write = money(currency, true);
    const skus = top.map(([sku, units, minor]) => ({ sku, units, minor, share: units / top[0][1], write }));
    show(at("top-none"), !skus.length);
    keyed(at("top-list"), skus, (one) => one.sku, () => {
      const [name, bar, number, sum] = [make("span"), make("i"), make("span", "number"), make("span", "sum")];
      return {
        node: make("li", "", name, make("div", "bar-of", bar), number, sum),
        update(one) {
          tell(name, `${one.sku}`);
          bar.style.width = `${100 * one.share}%`;
          tick(number, one.units, count);
          tick(sum, one.minor, one.write);
        },
      };
    });
  }
}

const TONES = { CRITICAL: "bad", WARNING: "warn" };

/** The levels to look at: those with an alert, then those that sell fastest. */
export class Stock {
  draw(board) {
    const severities = new Map();
    for (const alert of [...(board.alerts?.open ?? [])].reverse()) {  // the worst comes last and stays
      severities.set(`${alert.shop_id}/${alert.sku_id}`, alert.severity);
    }
    show(at("stock-none"), !board.stock.length);
    const now = board.now();
    const levels = board.stock.map((one) => ({
      ...one,
      now,
      severity: severities.get(`${one.shop_id}/${one.sku_id}`) ?? "",
    }));
    keyed(at("stock-list"), levels, (one) => `${one.shop_id}/${one.sku_id}/${one.warehouse_id}`, () => {
      const [name, units, pace, chart] = [make("span", "name"), make("span", "units"), make("span", "pace"), make("div", "chart")];
      const node = make("li", "", name, units, pace, chart);
      const stream = new Stream(chart, { style: "area" });
      return {
        node,
        end: () => stream.end(),
        update(one) {
          node.dataset.severity = one.severity;
          tell(name, `${one.sku_id} · ${one.warehouse_id}`);
          node.title = `${count(one.on_hand)} on hand, ${count(one.held)} held`;
          tick(units, one.available, count);
          tell(pace, one.pace_mpm ? `${count(Math.round(one.pace_mpm / 1_000))}/min` : "");
          const minutes = [...one.minutes, [one.now, one.available, 0]];
          stream.draw(
            minutes.map(([start]) => start),
            minutes.map(([, available]) => available),
            [minutes[0][0], one.now],
            TONES[one.severity] ?? "accent",
          );
        },
      };
    });
  }
}

/** What is open, the worst first, and what is over. */
export class Alerts {
  draw(board) {
    const { open, cleared, count: number } = board.alerts ?? { open: [], cleared: [], count: 0 };
    tell(at("alerts-count"), number ? count(number) : "");
    show(at("alerts-none"), !open.length);
    show(at("alerts-cleared-title"), cleared.length > 0);
    this.#list("alerts-open", open.slice(0, 8), board, (alert) => alert.raised_at_ms);
    this.#list("alerts-cleared", cleared.slice(0, open.length > 4 ? 2 : 4), board, (alert) => alert.cleared_at_ms);
  }

  #list(id, alerts, board, sinceOf) {
    keyed(at(id), alerts, (alert) => alert.alert_id, () => {
      const [what, since, why] = [make("span", "what"), make("span", "since"), make("span", "why")];
      const node = make("li", "", what, since, why);
      return {
        node,
        update(alert) {
          node.dataset.severity = alert.severity;
          node.dataset.sku = alert.sku_id;
          tell(what, `${KINDS[alert.kind] ?? alert.kind} · ${alert.sku_id}`);
          tell(since, `${time(sinceOf(alert))}`);
          tell(why, alert.summary);
          node.title = `${alert.severity}, ${age(board.now() - sinceOf(alert))} ago`;
        },
      };
    });
  }
}

/** How late the page and the pipeline are. */
export class Pipe {
  #lag = new Stream(at("lag-chart"), { style: "line", tone: "good" });
  #decision = new Stream(at("decision-chart"), { style: "line", tone: "good" });

  draw(board, currency) {
    const now = board.now();
    const { sales, stock } = board.pipeline;
    const lag = board.lagMs();
    tell(at("lag-figure"), lag === null ? "–" : duration(lag));
    this.#lag.draw(board.lags.map((one) => one.at), board.lags.map((one) => one.ms), [now - SECONDS * SECOND_MS, now]);
    const minutes = board.last("funnel", currency, MINUTE_MS, MINUTES);
    const values = minutes.map(([, window]) => (window?.to_created.count ? window.to_created.p99_ms : null));
    const last = values.findLast((value) => value !== null);
    tell(at("decision-figure"), last === undefined ? "–" : duration(last));
    this.#decision.draw(minutes.map(([start]) => start), values, [minutes[0][0], minutes.at(-1)[0]]);
    tell(at("pipe-report"), sales.fresh_ms ? `${age(now - sales.fresh_ms)} old` : "–");
    tell(at("pipe-watermark"), sales.watermark_ms > 0 ? `${age(now - sales.watermark_ms)} old` : "–");
    tell(at("pipe-stock"), stock.fresh_ms ? `${age(now - stock.fresh_ms)} old` : "–");
  }
}
