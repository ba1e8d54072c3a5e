// Streams drawn by uPlot, in the colours of the theme.

const uPlot = globalThis.uPlot;
const FONT = "12px system-ui, sans-serif";
const ALPHA = { line: "22", bars: "cc", area: "33" };

const charts = new Set();

/** Draw all charts anew, in other colours. */
export function recolour() {
  for (const chart of charts) chart.remake();
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * A stream in an element. `style` is line, area or bars; `write` writes the values of the y axis,
 * without it there are no axes.
 */
export class Stream {
  #node;
  #options;
  #plot = null;
  #data = [[], []];
  #range = [0, 1];
  #tone;
  #observer;

  constructor(node, { style = "area", tone = "accent", write = null } = {}) {
    this.#node = node;
    this.#options = { style, write };
    this.#tone = tone;
    this.#observer = new ResizeObserver(() => this.#fit());
    this.#observer.observe(node);
    charts.add(this);
  }

  /** Draw values (null: none) at times (ms) within `[from, to]` (ms). */
  draw(times, values, [from, to], tone = this.#tone) {
    this.#data = [times.map((ms) => ms / 1_000), values];
    this.#range = [from / 1_000, to / 1_000];
    if (tone !== this.#tone) {
      this.#tone = tone;
      this.remake();
    } else if (this.#plot) {
      this.#plot.setData(this.#data);
    } else {
      this.remake();
    }
  }

  /** Write the y axis in another way. */
  rewrite(write) {
    if (write === this.#options.write) return;
    this.#options.write = write;
    this.remake();
  }

  end() {
    this.#observer.disconnect();
    this.#plot?.destroy();
    charts.delete(this);
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#node;
    if (!width || !height) return;
    if (this.#plot) this.#plot.setSize({ width, height });
    else this.remake();
  }

  remake() {
    this.#plot?.destroy();
    this.#plot = null;
    const { clientWidth: width, clientHeight: height } = this.#node;
    if (!width || !height) return;
    const { style, write } = this.#options;
    const tone = colour(this.#tone);
    const bars = style === "bars" ? uPlot.paths.bars({ size: [0.75, 24] }) : uPlot.paths.linear();
    const axis = { stroke: colour("quiet"), font: FONT, ticks: { show: false } };
    this.#plot = new uPlot({
      width,
      height,
      padding: write ? [8, 8, 0, 0] : [2, 0, 2, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true, range: () => this.#range },
        y: { range: (_, least, most) => [Math.min(0, least ?? 0), (most ?? 0) > 0 ? most * 1.1 : 1] },
      },
      axes: write
        ? [
            { ...axis, size: 28, grid: { show: false }, space: 90, values: (_, all) => all.map(minutes) },
            { ...axis, size: 64, space: 44, grid: { stroke: colour("line"), width: 1 }, values: (_, all) => all.map(write) },
          ]
        : [{ show: false }, { show: false }],
      series: [
        {},
        {
          stroke: tone,
          width: style === "bars" ? 0 : 1.5,
          fill: style === "line" ? undefined : tone + ALPHA[style],
          paths: bars,
          points: { show: false },
          spanGaps: false,
        },
      ],
    }, this.#data, this.#node);
  }
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minutes = (seconds) => clock.format(seconds * 1_000);
