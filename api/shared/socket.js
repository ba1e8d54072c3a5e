// One WebSocket that comes back by itself, for every page that watches something.

const FIRST_PAUSE_MS = 400;
const TOKEN_ENDED = 4401;

/**
 * Keeps a socket open. `parts` are
 *
 * - `url()`: asks the API for a ticket and returns where to open the socket with it (a promise);
 *   fails with `status`, of which those in `ends` mean that another token is needed;
 * - `openingMs` and `longestPauseMs`: how long an opening and a pause between two may take;
 * - `heard(message, socket)`: takes a message and returns within how many ms another has to come;
 * - `onState(state, why)`: connecting, waiting, or ended when another token is needed.
 */
export class ReturningSocket {
  #parts;
  #socket = null;
  #pauseMs = FIRST_PAUSE_MS;
  #timer = 0;
  #silence = 0;
  #isOver = false;

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
    this.#isOver = true;
    removeEventListener("online", this.#now);
    removeEventListener("offline", this.#lost);
    document.removeEventListener("visibilitychange", this.#now);
    this.#drop();
  }

  /** Take note that the socket does what it is for: the next pause is a short one. */
  isWell() {
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  async #connect() {
    this.#drop();
    this.#parts.onState("connecting");
    let url;
    try {
      url = await this.#parts.url();
    } catch (problem) {
      if (this.#parts.ends.includes(problem.status)) this.#end(problem.message);
      else this.#later();
      return;
    }
    if (this.#isOver) return;
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#listenFor(this.#parts.openingMs);
    socket.onmessage = ({ data }) => this.#listenFor(this.#parts.heard(JSON.parse(data), socket));
    socket.onclose = ({ code }) => (code === TOKEN_ENDED ? this.#end("It has ended") : this.#later());
  }

  /** Take a socket that says nothing for so long for lost: nobody tells that a cable was pulled. */
  #listenFor(limitMs) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(this.#lost, limitMs);
  }

  #lost = () => {
    if (!this.#isOver) this.#later();
  };

  #now = () => {
    if (!this.#isOver && this.#timer && document.visibilityState === "visible") this.#connect();
  };

  #later() {
    this.#drop();
    this.#parts.onState("waiting");
    const pauseMs = this.#pauseMs * (0.5 + Math.random() / 2);  // not all pages at once
    this.#timer = setTimeout(() => this.#connect(), pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#parts.longestPauseMs);
  }

  #end(why) {
    this.stop();
    this.#parts.onState("ended", why);
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
