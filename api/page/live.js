// The orders' transitions as they happen: one WebSocket that comes back by itself and misses nothing.
// The protocol is in docs/push.md.

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 15_000;
const TOKEN_ENDED = 4401;
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
  #socket = null;
  #pauseMs = FIRST_PAUSE_MS;
  #timer = 0;
  #silence = 0;
  #wasOpen = false;
  #isStopped = false;

  constructor(parts) {
    this.#parts = parts;
  }

  start() {
    addEventListener("online", this.#now);
    addEventListener("offline", this.#lost);
    document.addEventListener("visibilitychange", this.#now);
    this.#connect();
  }

  stop() {
    this.#isStopped = true;
    removeEventListener("online", this.#now);
    removeEventListener("offline", this.#lost);
    document.removeEventListener("visibilitychange", this.#now);
    this.#drop();
  }

  async #connect() {
    this.#drop();
    this.#parts.onState("connecting");
    let path;
    try {
      ({ path } = await this.#parts.ticket());
    } catch (problem) {
      if (problem.status === 401) this.#end();
      else this.#later();
      return;
    }
    if (this.#isStopped) return;
    const url = new URL(`../../${path.replace(/^\//, "")}`, import.meta.url);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const isResumed = this.#wasOpen;
    if (isResumed) url.searchParams.set("resume", "1");
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#listenFor(OPENING_MS);
    let beatMs = OPENING_MS;
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.event === "ready") {
        beatMs = message.data.heartbeat_s * 2_000;
        if (isResumed) socket.send(JSON.stringify(this.#resume()));
        else this.#opened();
      } else if (message.event === "resumed") {
        this.#opened();
      } else if (message.event === "order_status_updated") {
        this.#parts.onMessage(message);
      }
      this.#listenFor(beatMs);
    };
    socket.onclose = ({ code }) => (code === TOKEN_ENDED ? this.#end() : this.#later());
  }

  #resume() {
    const { orders, sinceMs } = this.#parts.seen();
    const resume = Object.fromEntries(orders.slice(0, RESUME_ORDERS));
    return sinceMs ? { resume, since_ms: sinceMs } : { resume };
  }

  #opened() {
    this.#wasOpen = true;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#parts.onState("live");
    this.#parts.onOpen();
  }

  /** Take a socket that says nothing for so long for lost: nobody tells that a cable was pulled. */
  #listenFor(limitMs) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(this.#lost, limitMs);
  }

  #lost = () => {
    if (!this.#isStopped) this.#later();
  };

  #now = () => {
    if (!this.#isStopped && this.#timer && document.visibilityState === "visible") this.#connect();
  };

  #later() {
    this.#drop();
    this.#parts.onState("waiting");
    const pauseMs = this.#pauseMs * (0.5 + Math.random() / 2);  // not all pages at once
    this.#timer = setTimeout(() => this.#connect(), pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #end() {
    this.stop();
    this.#parts.onState("ended");
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#timer = 0;
    if (!this.#socket) return;
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }
}
