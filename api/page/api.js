// The API as this page uses it. Errors are `Problem`s: what the API says (RFC 9457), or why it says nothing.

const BASE = new URL("../../api/v2", import.meta.url).href;

/** An answer that is an error. `status` 0: there was no answer. */
export class Problem extends Error {
  constructor(status, body = {}, retryAfterS = 0) {
    super(body.detail ?? body.title ?? `status ${status}`);
    this.status = status;
    this.code = body.code ?? "";
    this.errors = body.errors ?? [];
    this.missing = body.missing ?? [];
    this.traceId = body.trace_id ?? "";
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request, with the same key, may get another answer later. */
  get isOpen() {
    return this.status === 0 || this.status === 429 || this.status >= 500 || this.code === "IN_PROGRESS";
  }
}

/** Return a new idempotency key. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();  // only where the page came safely
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Speaks HTTP with a token. */
export class Api {
  #token;

  constructor(token) {
    this.#token = token;
  }

  get(path) {
    return this.#ask("GET", path);
  }

  /** POST a body; `key` makes it safe to repeat. */
  post(path, body, key = "") {
    return this.#ask("POST", path, body, key);
  }

  async #ask(method, path, body, key) {
    const headers = { Authorization: `Bearer ${this.#token}`, Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["X-Idempotency-Key"] = key;
    let answer;
    let content;
    try {
      answer = await fetch(BASE + path, { method, headers, body: body && JSON.stringify(body) });
      content = await answer.json();
    } catch (error) {
      if (answer && !answer.ok) throw new Problem(answer.status);
      throw new Problem(0, { detail: String(error) });
    }
    if (answer.ok) return content;
    throw new Problem(answer.status, content, Number(answer.headers.get("Retry-After")) || 0);
  }
}
