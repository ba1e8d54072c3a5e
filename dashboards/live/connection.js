// One WebSocket that comes back by itself. Each time it begins anew with a snapshot.

import { ReturningSocket } from "./socket.js";

const LONGEST_PAUSE_MS = 10_000;
const OPENING_MS = 15_000;  // an API process that nobody looked at has to read the reports first
const SILENCE_MS = 5_000;  // something comes every second

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
 * waiting, or ended when another token is needed.
 */
export class Connection {
  #socket;

  constructor(token, told) {
    this.#socket = new ReturningSocket({
      url: () => socketUrl(token),
      ends: [401, 403],
      openingMs: OPENING_MS,
      longestPauseMs: LONGEST_PAUSE_MS,
      heard: (message) => {
        if (message.event === "snapshot") {
          this.#socket.isWell();
          told.onState("live");
        }
        told.onMessage(message);
        return SILENCE_MS;
      },
      onState: told.onState,
    });
  }

  start() {
    this.#socket.start();
  }
}

async function socketUrl(token) {
  const url = new URL("../../ws/live", import.meta.url);
  url.searchParams.set("ticket", await ticket(token));
  return url;
}
