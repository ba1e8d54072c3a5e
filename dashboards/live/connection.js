// One WebSocket that comes back by itself. Each time it begins anew with a snapshot.

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 10_000;
const OPENING_MS = 15_000;  // an API process that nobody looked at has to read the reports first
const SILENCE_MS = 5_000;  // something comes every second
const TOKEN_ENDED = 4401;

/** Return the API's answer to a request for a ticket; throws an Error with `status` (0: no answer). */
async function ticket(token) {
  let answer;
  try {
    answer = await fetch(new URL("../../api/v2/ws/tickets", import.meta.url), {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, Accept: "application/json" },
    });
  } catch (error) {
    throw Object.assign(new Error(error.message), { status: 0 });
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(body.detail ?? `status ${answer.status}`), { status: answer.status });
  return body.ticket;
}

/**
 * Keeps the socket open. Told are `onMessage(message)` and `onState(state, why)`: connecting, live,
 * waiting, or refused when another token is needed.
 */
export class Connection {
  #token;
  #told;
  #socket = null;
  #timer = 0;
  #silence = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #isOver = false;

  constructor(token, told) {
    this.#token = token;
    this.#told = told;
  }

  start() {
    addEventListener("online", this.#now);
    addEventListener("offline", this.#lost);
    document.addEventListener("visibilitychange", this.#now);
    this.#connect();
  }

  async #connect() {
    this.#drop();
    this.#told.onState("connecting");
    let key;
    try {
      key = await ticket(this.#token);
    } catch (problem) {
      if (problem.status === 401 || problem.status === 403) this.#refuse(problem.message);
      else this.#later();
      return;
    }
    const url = new URL("../../ws/live", import.meta.url);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("ticket", key);
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#listenFor(OPENING_MS);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      this.#listenFor(SILENCE_MS);
      if (message.event === "snapshot") {
        this.#pauseMs = FIRST_PAUSE_MS;
        this.#told.onState("live");
      }
      this.#told.onMessage(message);
    };
    socket.onclose = ({ code }) => (code === TOKEN_ENDED ? this.#refuse("It has ended") : this.#later());
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
    this.#told.onState("waiting");
    const pauseMs = this.#pauseMs * (0.5 + Math.random() / 2);  // not all pages at once
    this.#timer = setTimeout(() => this.#connect(), pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #refuse(why) {
    this.#isOver = true;
    this.#drop();
    this.#told.onState("refused", why);
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
