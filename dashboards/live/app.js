// The live page: who looks, the connection, and when what is drawn.

import { Board } from "./board.js";
import { recolour } from "./charts.js";
import { Connection } from "./connection.js";
import { at, keyed, make, show, tell } from "./dom.js";
import { Alerts, Funnel, Gmv, Pipe, Stock, Tiles, Top } from "./panels.js";
import { age, time } from "./words.js";

const TOKEN = "orderstream.live";  // the shop page keeps a customer's
const FRAME_MS = 250;
const QUIET_MS = 5_000;  // from then on nothing new is worth a word: it is quiet, or late

const STATES = { connecting: "Connecting", live: "Live", waiting: "No connection", ended: "Not signed in" };

// --- who looks ---------------------------------------------------------------------------------

/** Return the token: from the address, which then forgets it, or what this tab remembers. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  try {
    if (given) {
      history.replaceState(null, "", location.pathname);
      sessionStorage.setItem(TOKEN, JSON.stringify(given));
    }
    return given ?? JSON.parse(sessionStorage.getItem(TOKEN));
  } catch {
    return given;  // it may not remember
  }
}

/** Say whether a token names a scope that sees figures; what it may the API judges for itself. */
function isOfStaff(token) {
  try {
    const { scope } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return /\b(shop|operator)\b/.test(scope);
  } catch {
    return false;
  }
}

function ask(says = "") {
  try {
    sessionStorage.removeItem(TOKEN);
  } catch { /* nothing is remembered */ }
  show(at("wall"), false);
  show(at("notice"), false);
  show(at("sign-in"), true);
  if (show(at("sign-in-problem"), Boolean(says))) tell(at("sign-in-problem"), `The token is not taken: ${says}.`);
}

at("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = `token=${at("token").value.trim()}`;
});

addEventListener("hashchange", () => {
  if (new URLSearchParams(location.hash.slice(1)).has("token")) location.reload();
});

// --- light and dark ----------------------------------------------------------------------------

function name() {
  tell(at("theme"), document.documentElement.dataset.theme === "light" ? "Dark" : "Light");
}

at("theme").addEventListener("click", () => {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "light" ? "dark" : "light";
  try {
    localStorage.setItem("orderstream.theme", dataset.theme);
  } catch { /* it may not remember */ }
  name();
  recolour();
});
name();

// --- the figures -------------------------------------------------------------------------------

const board = new Board();
let state = "connecting";
let heardMs = 0;  // by the server's clock
let chosen = null;
let panels = null;

/** Say how old the figures of a flow are, and whether they are older than they should be. */
function freshness(flow, behindMs) {
  if (state !== "live") return { text: `as of ${time(heardMs)}`, isLate: true };
  if (flow === "alerts") {
    const toldMs = board.alertedMs();
    return { text: toldMs ? `newest ${age(board.now() - toldMs)} ago` : "none in a day", isLate: false };
  }
  const { fresh_ms: freshMs } = board.pipeline[flow];
  if (!freshMs) return { text: "nothing yet", isLate: false };
  const ageMs = board.now() - freshMs;
  if (flow === "sales" && behindMs) return { text: `${age(behindMs)} behind`, isLate: true };
  return { text: ageMs < QUIET_MS ? `${age(ageMs)} ago` : `quiet for ${age(ageMs)}`, isLate: false };
}

/** Say in plain words what keeps the figures from being of now; "" when nothing does. */
function trouble(behindMs) {
  if (state === "waiting" || state === "connecting") return `No connection since ${time(heardMs)}: the figures stand still. Trying again.`;
  if (!board.pipeline.is_reading) return "The API cannot read the reports (Kafka is away): the figures stand still.";
  if (behindMs) return `The reports are ${age(behindMs)} behind the orders: the figures are older than they should be.`;
  return "";
}

function choices(currencies) {
  show(at("currencies"), currencies.length > 1);
  keyed(at("currencies"), currencies.length > 1 ? currencies : [], (one) => one, () => {
    const node = make("button");
    let currency = "";
    node.addEventListener("click", () => {
      chosen = currency;
      draw();
    });
    return {
      node,
      update(one) {
        currency = one;
        tell(node, one);
        node.setAttribute("aria-pressed", String(one === chosen));
      },
    };
  });
}

function draw() {
  if (!board.pipeline || state === "ended" || document.hidden) return;
  show(at("wall"), true);
  panels ??= [new Gmv(), new Tiles(), new Funnel(), new Top(), new Stock(), new Alerts(), new Pipe()];
  const behindMs = board.behindMs();
  const says = trouble(behindMs);
  const isLive = state === "live";
  at("state").dataset.state = isLive && says ? "late" : state;
  tell(at("state-text"), isLive && says ? "Late" : STATES[state]);
  if (show(at("notice"), Boolean(says))) tell(at("notice"), says);
  at("wall").classList.toggle("is-stale", !isLive);
  tell(at("scope"), board.shopId ? `Shop ${board.shopId}` : "All shops");
  tell(at("clock"), time(board.now()));
  const currencies = board.currencies();
  if (!currencies.includes(chosen)) chosen = currencies[0] ?? "CNY";
  choices(currencies);
  if (isLive) for (const panel of panels) panel.draw(board, chosen);
  for (const node of document.querySelectorAll("[data-fresh]")) {
    const { text, isLate } = freshness(node.dataset.fresh, behindMs);
    tell(node, text);
    node.dataset.late = String(isLate);
  }
}

function open(token) {
  tell(at("state-text"), STATES.connecting);
  const connection = new Connection(token, {
    onMessage(message) {
      board.take(message);
      heardMs = board.now();
      draw();
    },
    onState(now, why) {
      state = now;
      if (now === "ended") ask(why);
      at("state").dataset.state = now;
      tell(at("state-text"), STATES[now]);
      draw();
    },
  });
  connection.start();
  setInterval(draw, FRAME_MS);
  document.addEventListener("visibilitychange", draw);
}

const token = takeToken();
if (!token) ask();
else if (isOfStaff(token)) open(token);
else ask("it has neither the scope shop nor operator");
