// The orders' transitions as they happen: one WebSocket that comes back by itself and misses nothing.
// The protocol is in docs/push.md.

import { ReturningSocket } from "./socket.js";

const LONGEST_PAUSE_MS = 15_000;
const RESUME_ORDERS = 500;  // what the API takes at most
const OPENING_MS = 10_000;

/**
 * Keeps a socket open. `ticket()` asks the API for a ticket; `seen()` returns what the page knows,
 * as `{orders: [[number, seq], ...] newest first, sinceMs}`.
 *
 * Told are `onMessage(message)`, `onOpen()` when nothing is missed from then on, and
 * `onState(state)`: connecting, live, waiting or ended (the token is no longer good).
 */
export class Live {
  #parts;
  #socket;
  #wasOpen = false;
  #isResumed = false;
  #beatMs = OPENING_MS;

  constructor(parts) {
    this.#parts = parts;
    this.#socket = new ReturningSocket({
      url: () => this.#url(),
      ends: [401],
      openingMs: OPENING_MS,
      longestPauseMs: LONGEST_PAUSE_MS,
      heard: (message, socket) => this.#heard(message, socket),
      onState: parts.onState,
    });
  }

  start() {
    this.#socket.start();
  }

  async #url() {
    const { path } = await this.#parts.ticket();
    const url = new URL(`../../${path.replace(/^\//, "")}`, import.meta.url);
    this.#isResumed = this.#wasOpen;
    this.#beatMs = OPENING_MS;
    if (this.#isResumed) url.searchParams.set("resume", "1");
    return url;
  }

  #heard(message, socket) {
    if (message.event === "ready") {
      this.#beatMs = message.data.heartbeat_s * 2_000;
      if (this.#isResumed) socket.send(JSON.stringify(this.#resume()));
      else this.#opened();
    } else if (message.event === "resumed") {
      this.#opened();
    } else if (message.event === "order_status_updated") {
      this.#parts.onMessage(message);
    }
    return this.#beatMs;
  }

  #resume() {
    const { orders, sinceMs } = this.#parts.seen();
    const resume = Object.fromEntries(orders.slice(0, RESUME_ORDERS));
    return sinceMs ? { resume, since_ms: sinceMs } : { resume };
  }

  #opened() {
    this.#wasOpen = true;
    this.#socket.isWell();
    this.#parts.onState("live");
    this.#parts.onOpen();
  }
}
