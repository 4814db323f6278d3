// The pages of a list that is too long for one.

import { h, say } from "./dom.js";
import * as format from "./format.js";
import { t } from "./words.js";

/** Entries on a page. */
const SIZE = 100;

/** Buttons to turn the pages with, which are there if there are several. `turn` is called when another one is wanted. */
export function pages(turn) {
  let [start, total] = [0, 0];
  const where = h("span", { role: "status" });
  const button = (name, step) => h("button", { type: "button", className: "quiet", onclick: () => isThere(start + step) && go(start + step) }, t(name));
  const [previous, next] = [button("previous", -SIZE), button("next", SIZE)];
  const element = h("nav", { className: "pages", "aria-label": t("pages"), hidden: true }, previous, where, next);

  function isThere(page) {
    return page >= 0 && page < total;
  }

  function go(to) {
    start = to;
    turn();
  }

  return {
    element,
    /** What to ask for: where the page starts, and how much is on it. */
    part: () => [start, SIZE],
    /** To the first page again. */
    reset: () => (start = 0),
    /** How much there is in all has been said. Returns whether it is more than is shown. */
    update(count) {
      total = count;
      element.hidden = total <= SIZE && start === 0;
      say(where, `${format.count(Math.min(start + 1, total))} – ${format.count(Math.min(start + SIZE, total))} ${t("of")} ${format.count(total)}`);
      // A button that has the focus keeps it: one that is disabled would drop it.
      previous.setAttribute("aria-disabled", !isThere(start - SIZE));
      next.setAttribute("aria-disabled", !isThere(start + SIZE));
      // The end of the list may have come nearer than the page.
      if (start > 0 && start >= total) go(Math.max(0, Math.ceil(total / SIZE) - 1) * SIZE);
      return total > SIZE;
    },
  };
}
