// How figures are written. Money comes in minor units of its currency.

const formats = new Map();

/** Return how amounts of a currency are written; the same function each time. */
export function money(currency, isWhole = false) {
  const name = `${currency}/${isWhole}`;
  if (!formats.has(name)) {
    const style = { style: "currency", currency, currencyDisplay: "narrowSymbol" };
    const digits = new Intl.NumberFormat("en", style).resolvedOptions().maximumFractionDigits;
    const format = new Intl.NumberFormat("en", isWhole ? { ...style, maximumFractionDigits: 0 } : style);
    formats.set(name, (minor) => format.format(minor / 10 ** digits));
  }
  return formats.get(name);
}

/** Return how amounts are written beside an axis: short. */
export function shortMoney(currency) {
  const style = { style: "currency", currency, currencyDisplay: "narrowSymbol" };
  const digits = new Intl.NumberFormat("en", style).resolvedOptions().maximumFractionDigits;
  const format = new Intl.NumberFormat("en", { ...style, notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 1 });
  return (minor) => format.format(minor / 10 ** digits);
}

const whole = new Intl.NumberFormat("en");
export const count = (number) => whole.format(number);

const share = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
export const percent = (part, all) => (all ? share.format(part / all) : "–");

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const time = (ms) => clock.format(ms);

/** Say how long something took or is ago. */
export function duration(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  return `${Math.floor(ms / 3_600_000)} h`;
}

/** Say how old something is, in steps that do not flicker. */
export function age(ms) {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.floor(ms / 1_000)} s`;
  return duration(ms);
}

export const KINDS = {
  BELOW_THRESHOLD: "Low",
  BELOW_SAFETY_STOCK: "Below safety stock",
  STOCK_OUT_AHEAD: "Sold out soon",
  SUDDEN_VELOCITY: "Sells suddenly fast",
  OVERSOLD: "Oversold",
  STUCK_HOLD: "Stuck hold",
};
