// The shop page: who is shopping, which view is shown, and the parts put together.

import { Api } from "./api.js";
import { at, show, tell } from "./dom.js";
import { Goods } from "./goods.js";
import { Live } from "./live.js";
import { Orders } from "./orders.js";
import { State, read, write } from "./state.js";
import { status } from "./words.js";

const TOKEN = "orderstream.token";
const GOODS_EVERY_MS = 20_000;

const LIVE = {
  connecting: "Connecting",
  live: "Live",
  waiting: "Reconnecting",
  ended: "Signed out",
};

/** Return the token: from the address, which then forgets it, or what this tab remembers. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    history.replaceState(null, "", location.pathname);
    if (given !== read(TOKEN)) sessionStorage.clear();  // another person's cart
    write(TOKEN, given);
  }
  return given ?? read(TOKEN);
}

/** Return what a token says of its bearer; what the API makes of it is the API's business. */
function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

function askForToken(says = "") {
  show(at("shop"), false);
  show(at("sign-in"), true);
  if (show(at("sign-in-problem"), Boolean(says))) tell(at("sign-in-problem"), says);
  tell(at("live-text"), "Not connected");
  at("live").dataset.state = "off";
  at("token").focus();
}

at("sign-in-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = at("token").value.trim();
  write(TOKEN, token);
  at("token").value = "";
  open(token);
});

at("sign-out").addEventListener("click", () => {
  sessionStorage.clear();
  location.replace(location.pathname);
});

let isOpen = false;

/** Open the shop for whoever has `token`. */
async function open(token) {
  if (isOpen) {
    location.reload();  // a page is for one person: start anew
    return;
  }
  const api = new Api(token);
  const state = new State(api, () => draw());
  let isDue = true;  // nothing is drawn before its parts are there
  try {
    await state.loadGoods();
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) {
      write(TOKEN, null);
      askForToken(`The API does not take this token: ${problem.message}.`);
      return;
    }
    state.cartProblem = problem;
  }
  isOpen = true;
  const goods = new Goods(state, (number) => { location.hash = `#order/${number}`; });
  const orders = new Orders(state);
  isDue = false;

  function draw() {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      goods.draw();
      orders.draw();
    });
  }

  function route() {
    const [view, number] = location.hash.slice(1).split("/");
    const isOrder = view === "order" && number;
    const name = isOrder ? "order" : ["cart", "orders"].includes(view) ? view : "goods";
    document.body.dataset.view = name;
    show(at("goods-view"), !isOrder);
    show(at("order-view"), Boolean(isOrder));
    for (const tab of document.querySelectorAll("[data-tab]")) {
      if (tab.dataset.tab === (isOrder ? "orders" : name)) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    state.look(isOrder ? decodeURIComponent(number) : null);
    return name;
  }

  addEventListener("hashchange", () => {
    const name = route();
    scrollTo(0, 0);
    at(`${name}-title`).focus({ preventScroll: true });
  });

  const live = new Live({
    ticket: () => api.post("/ws/tickets"),
    seen: () => state.seen(),
    onMessage(message) {
      const now = state.heard(message);
      if (now) tell(at("announce"), `Order ${message.data.order_no}: ${status(now).label}`);
    },
    onOpen: () => state.loadOrders().catch(() => {}),
    onState(name) {
      at("live").dataset.state = name;
      tell(at("live-text"), LIVE[name]);
      if (name === "ended") {
        write(TOKEN, null);
        askForToken("Your token has ended. A new one opens the shop again.");
      }
    },
  });

  const { sub, shop } = claimsOf(token);
  tell(at("who"), sub === undefined ? "" : `Buyer ${sub} in shop ${shop}`);
  show(at("sign-in"), false);
  show(at("shop"), true);
  route();
  state.requote();
  live.start();
  setInterval(() => {
    if (document.visibilityState === "visible") state.loadGoods().catch(() => {});
  }, GOODS_EVERY_MS);
}

addEventListener("hashchange", () => {
  if (new URLSearchParams(location.hash.slice(1)).has("token")) location.reload();
}, { capture: true });

const token = takeToken();
if (token) open(token);
else askForToken();
