// Who is kept away from which stream, and a way to let them back in.

import * as api from "./api.js";
import { h, keyed, say } from "./dom.js";
import * as format from "./format.js";
import { pages } from "./pages.js";
import { t } from "./words.js";

/** How long those that are ended may be kept away, in seconds, by the name of the word. */
const TERMS = { seconds0: 0, minute: 60, hour: 3600, day: 86400 };

/** A field of a form that asks how long, with its label before it. */
export function term(name) {
  const field = h("select", { id: "ban" }, Object.entries(TERMS).map(([word, value]) => h("option", { value }, t(word))));
  return [h("label", { htmlFor: "ban" }, t(name)), field];
}

function banRow(ban, lift) {
  const left = h("td", {});
  const who = h("td", {}, ban.address ?? t("everybody"));
  const name = `${t("lift")}: ${ban.stream}, ${ban.address ?? t("everybody")}`;
  const button = h("button", { type: "button", className: "quiet", "aria-label": name, onclick: () => lift(ban) }, t("lift"));
  return {
    element: h("tr", {}, h("td", {}, ban.stream), who, left, h("td", {}, ban.given_by ?? t("program")), h("td", { className: "action" }, button)),
    update: (ban) => say(left, format.time(ban.seconds_left)),
  };
}

/** The bans of one stream, or of all; nothing is shown while there are none. */
export function bansPanel(id) {
  const rows = h("tbody", {});
  const columns = ["stream", "who", "left", "givenBy"].map((name) => h("th", {}, t(name)));
  const title = h("h2", { tabIndex: -1 }, t("bans"));
  const complaint = h("p", { className: "complaint", role: "alert", hidden: true });
  const turner = pages(update);
  const table = h("table", {}, h("thead", {}, h("tr", {}, columns, h("th", {}))), rows);
  const element = h("section", { className: "panel bans", hidden: true }, title, complaint, h("div", { className: "wide" }, table), turner.element);

  async function lift(ban) {
    complaint.hidden = true;
    try {
      await api.liftBan(ban);
    } catch (problem) {
      // 404: it is over.
      complaint.hidden = problem.status === 404;
      say(complaint, problem.message || t("unreachable"));
    }
    // The button goes with its row.
    title.focus();
    await update();
    // With the last one the title goes, too.
    if (element.hidden) element.parentElement.focus();
  }

  async function update() {
    const { total, bans } = await api.bans(...turner.part(), id);
    const those = id ? bans.filter((ban) => ban.stream === id) : bans;
    element.hidden = those.length === 0;
    turner.update(total);
    keyed(rows, those, (ban) => `${ban.stream} ${ban.address}`, (ban) => banRow(ban, lift));
  }
  return { element, update };
}
