// What is on sale, and the cart.

import { at, keyed, make, show, tell } from "./dom.js";
import { drawProblem } from "./problem.js";
import { money } from "./words.js";

const FEW = 10;
const MOST = 9_999;  // units of a line
const HUES = [18, 42, 96, 160, 204, 262, 330];

/** Draws the goods and the cart of `state`; `onPlaced(number)` is told of an order. */
export class Goods {
  constructor(state, onPlaced) {
    this.state = state;
    at("search").addEventListener("input", () => this.draw());
    at("goods-more").addEventListener("click", () => state.moreGoods().catch(() => {}));
    at("place").addEventListener("click", async () => {
      const number = await state.place();
      if (number) onPlaced(number);
      else at("cart-problem").scrollIntoView({ block: "nearest" });
    });
  }

  draw() {
    this.#drawShelf();
    this.#drawCart();
  }

  #drawShelf() {
    const { state } = this;
    const wanted = at("search").value.trim().toLowerCase();
    const found = [...state.skus.values()].filter(
      (sku) => !wanted || sku.title.toLowerCase().includes(wanted) || String(sku.sku_id).includes(wanted),
    );
    keyed(at("goods-list"), found, (sku) => sku.sku_id, (sku) => this.#shelfRow(sku));
    if (show(at("goods-empty"), !found.length)) {
      tell(at("goods-empty"), state.skus.size ? "Nothing on sale is called that." : "Nothing is on sale yet.");
    }
    show(at("goods-more"), Boolean(state.nextSkus) && !wanted);
  }

  #shelfRow({ sku_id: skuId, title }) {
    const name = make("span", { className: "name" });
    const stock = make("span", { className: "stock" });
    const price = make("span", { className: "price" });
    const stepper = this.#stepper(skuId, title);
    const text = make("div", { className: "what" }, name, stock);
    const node = make("li", { className: "row" }, mark(skuId), text, price, stepper.node);
    node.dataset.sku = skuId;
    const update = (sku) => {
      tell(name, sku.title);
      tell(price, money(sku.price_fen, sku.currency));
      const [words, tone] = left(sku.available);
      tell(stock, words);
      stock.dataset.tone = tone;
      stepper.update();
    };
    return { node, update };
  }

  #stepper(skuId, title) {
    const { state } = this;
    const units = () => state.cart.get(skuId) ?? 0;
    const less = make("button", { className: "step", textContent: "−", "aria-label": `One ${title} less` });
    const more = make("button", { className: "step", textContent: "+", "aria-label": `One ${title} more` });
    const count = make("input", { className: "units", inputMode: "numeric", autocomplete: "off", "aria-label": `Units of ${title}` });
    less.addEventListener("click", () => state.put(skuId, units() - 1));
    more.addEventListener("click", () => state.put(skuId, Math.min(units() + 1, MOST)));
    count.addEventListener("change", () => {
      const typed = Number.parseInt(count.value, 10);
      state.put(skuId, Math.min(Number.isFinite(typed) ? typed : 0, MOST));
      count.value = units();
    });
    count.addEventListener("focus", () => count.select());
    const node = make("div", { className: "stepper", role: "group", "aria-label": title }, less, count, more);
    const update = () => {
      const now = units();
      less.disabled = !now;
      node.classList.toggle("none", !now);
      if (document.activeElement !== count) count.value = now;
    };
    return { node, update };
  }

  #drawCart() {
    const { state } = this;
    const units = [...state.cart.values()].reduce((sum, one) => sum + one, 0);
    if (show(at("cart-count"), units > 0)) tell(at("cart-count"), String(units));
    const lines = Array.from(state.cart, ([skuId]) => skuId);
    keyed(at("cart-list"), lines, (skuId) => skuId, (skuId) => this.#cartRow(skuId));
    show(at("cart-empty"), !units);
    show(at("cart-sum"), units > 0);
    show(at("place"), units > 0);
    tell(at("cart-total"), state.quote && units ? money(state.quote.total_fen, state.quote.currency) : "…");
    at("place").disabled = !state.quote || state.isPlacing;
    tell(at("place"), state.isPlacing ? "Ordering …" : "Place order");
    drawProblem(at("cart-problem"), state.cartProblem, state);
  }

  #cartRow(skuId) {
    const title = this.state.titleOf(skuId);
    const name = make("span", { className: "name" });
    const price = make("span", { className: "price" });
    const stepper = this.#stepper(skuId, title);
    const node = make("li", { className: "row" }, make("div", { className: "what" }, name), price, stepper.node);
    const update = () => {
      tell(name, this.state.titleOf(skuId));
      const priced = this.state.quote?.lines.find((line) => line.sku_id === skuId);
      if (priced) tell(price, money(priced.payable_fen, this.state.quote.currency));
      stepper.update();
    };
    return { node, update };
  }
}

/** Return [words, tone] for the units that are left. */
function left(available) {
  if (available === null) return ["", ""];
  if (available <= 0) return ["Sold out", "bad"];
  return available <= FEW ? [`Only ${available} left`, "few"] : [`${available.toLocaleString("en")} in stock`, ""];
}

/** Return a small picture that is the same for the same sku: there are no photographs. */
function mark(skuId) {
  const shapes = [
    "M8 32V20a12 12 0 0 1 24 0v12z",
    "M8 20a12 12 0 0 0 24 0z M14 16h12",
    "M20 8l12 24H8z",
    "M20 8a12 12 0 1 1 0 24a12 12 0 1 1 0-24z",
    "M9 13h22v4H9z M12 17l2 15h12l2-15z",
    "M16 8h8v6l4 5v13H12V19l4-5z",
  ];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 40 40");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  svg.style.setProperty("--hue", HUES[(skuId * 3) % HUES.length]);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", shapes[(skuId * 5) % shapes.length]);
  svg.append(path);
  return svg;
}
