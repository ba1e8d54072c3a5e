// The dialog in which a buyer says what comes back.

import { at, make, show } from "./dom.js";
import { drawProblem } from "./problem.js";

/** Asks for refunds of the orders of `state`. */
export class Refund {
  #number = "";
  #key = "";

  constructor(state) {
    this.state = state;
    at("refund-form").addEventListener("submit", (event) => {
      if (event.submitter?.value !== "refund") return;
      event.preventDefault();
      this.#ask();
    });
  }

  /** Open the dialog; `key` names the refund, so that asking twice is one. */
  open(number, key) {
    this.#number = number;
    this.#key = key;
    const order = this.state.orders.get(number);
    at("refund-lines").replaceChildren(...order.lines.map((line) => this.#line(line)));
    at("refund-reason").value = "";
    drawProblem(at("refund-problem"), null, this.state);
    at("refund").showModal();
  }

  #line({ sku_id: skuId, qty }) {
    const units = make("input", { type: "number", min: 0, max: qty, value: qty, required: true, name: skuId });
    return make("label", { className: "row" },
      make("span", { className: "what", textContent: this.state.titleOf(skuId) }), units,
      make("span", { className: "quiet", textContent: `of ${qty}` }));
  }

  async #ask() {
    const order = this.state.orders.get(this.#number);
    const wanted = [...at("refund-lines").querySelectorAll("input")].map((input) => ({ sku_id: Number(input.name), qty: Number(input.value) }));
    const units = wanted.filter(({ qty }) => qty > 0);
    const isAll = !order.refunded_fen && order.lines.every(({ sku_id, qty }) => units.some((one) => one.sku_id === sku_id && one.qty === qty));
    const body = { reason: at("refund-reason").value.trim(), units: isAll ? [] : units };
    if (!units.length) {
      show(at("refund-problem"), true);
      at("refund-problem").textContent = "Choose one unit at least.";
      return;
    }
    at("refund-go").disabled = true;
    const isGranted = await this.state.act(this.#number, "refunds", body, this.#key);
    at("refund-go").disabled = false;
    if (isGranted) at("refund").close();
    else drawProblem(at("refund-problem"), this.state.problems.get(this.#number), this.state);
  }
}
