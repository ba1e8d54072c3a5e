// What is wrong, in the words of the page.

import { make, show } from "./dom.js";
import { problem as worded } from "./words.js";

/** Show what is wrong in words, or nothing. */
export function drawProblem(box, problem, state) {
  if (!show(box, Boolean(problem))) {
    box.replaceChildren();
    return;
  }
  const { says, lines, code } = worded(problem, (skuId) => state.titleOf(skuId));
  if (box.dataset.said === `${says}${lines}${code}` && box.childElementCount) return;
  box.dataset.said = `${says}${lines}${code}`;
  const parts = [make("p", { textContent: says })];
  if (lines.length) parts.push(make("ul", {}, ...lines.map((line) => make("li", { textContent: line }))));
  if (code) parts.push(make("p", { className: "code", textContent: code }));
  box.replaceChildren(...parts);
}
