// The page: what there is in all, above the streams or one of them.

import * as api from "./api.js";
import { bansPanel } from "./bans.js";
import { h, keyed, say } from "./dom.js";
import * as format from "./format.js";
import { place, publishing } from "./lines.js";
import { pages } from "./pages.js";
import { copyable, gate } from "./parts.js";
import { push } from "./plot.js";
import { streamView } from "./stream.js";
import { streamRow, vacant } from "./streams.js";
import { switchLanguage, t } from "./words.js";

/** Between two looks. */
const INTERVAL = 2000;
/** As many streams as are found at a glance. With more, one can be looked for by its name. */
const GLANCE = 8;
/** From the last key to the search, in milliseconds. */
const TYPING = 200;

const notice = h("p", { className: "notice", role: "status", hidden: true });
const main = h("main", {});
const tiles = ["streams", "players", "incoming", "outgoing", "memory", "uptime"].map((name) => {
  const [value, detail] = [h("dd", {}), h("dd", { className: "detail" })];
  return { name, value, detail, element: h("div", { className: "tile" }, h("dt", {}, t(name)), value, detail) };
});
const version = h("span", { className: "version" });

document.body.append(
  h(
    "header",
    {},
    h("a", { className: "brand", href: "#/" }, h("img", { src: "/ui/icon.svg", alt: "", width: 28, height: 28 }), "Headwater"),
    version,
    h("button", { className: "quiet", type: "button", onclick: switchLanguage }, t("language")),
  ),
  h("dl", { className: "tiles" }, tiles.map((tile) => tile.element)),
  notice,
  main,
);

/** Of each stream, what was measured: by its name. */
const history = new Map();
let view;
let timer;
/** Looks so far: what an earlier one finds is of no use. */
let looks = 0;
/** Which of the streams are shown. */
const turner = pages(() => look());
let search = "";

/** What the address names behind `#/`; nothing for all streams. */
const chosen = () => decodeURIComponent(location.hash.replace(/^#\/?/, ""));

function complain(text) {
  notice.hidden = !text;
  say(notice, text);
}

function tell(name, value, detail = "") {
  const tile = tiles.find((it) => it.name === name);
  say(tile.value, value);
  say(tile.detail, detail);
}

function showSummary(summary, streams) {
  const { connections, memory, self } = summary;
  say(version, self.version);
  tell("streams", format.count(summary.streams.published));
  const waiting = summary.streams.waiting;
  tell("players", format.count(summary.streams.players), waiting ? `${format.count(waiting)} ${t("waiting")}` : "");
  // What was measured here is newer, as long as all streams are here.
  const isAll = streams.length === summary.streams.total;
  const sum = (of) => streams.reduce((total, stream) => total + (history.get(stream.id)?.[of] ?? 0), 0);
  const rate = (of, kbps) => format.rate(isAll ? sum(of) : kbps * 1000);
  tell("incoming", rate("rateIn", summary.streams.kbps.recv_30s));
  tell("outgoing", rate("rateOut", summary.streams.kbps.send_30s));
  tell("memory", format.bytes(memory.held), `${t("of")} ${format.bytes(memory.limit)}`);
  tell("uptime", format.time(self.srs_uptime), `${format.count(connections.open)} ${t("connections")}`);
}

/** Notes how much has come and gone since the last look. */
function note(streams) {
  const now = performance.now() / 1000;
  const names = new Set(streams.map((stream) => stream.id));
  for (const id of history.keys()) if (!names.has(id)) history.delete(id);
  for (const stream of streams) {
    const known = history.get(stream.id);
    const frames = stream.frames_by_kind.video;
    const present = { at: now, epoch: stream.epoch, received: stream.recv_bytes, sent: stream.send_bytes, frames };
    const series = known?.series ?? { bitrate: [], frameRate: [], players: [], lag: [] };
    const isSame = known && known.epoch === stream.epoch && now > known.at;
    const per = (of) => (isSame ? Math.max(0, present[of] - known[of]) / (now - known.at) : null);
    const rateIn = per("received") === null ? stream.kbps.recv_30s * 1000 : per("received") * 8;
    const rateOut = per("sent") === null ? stream.kbps.send_30s * 1000 : per("sent") * 8;
    if (isSame) {
      push(series.bitrate, rateIn);
      push(series.frameRate, per("frames"));
    }
    push(series.players, stream.players);
    history.set(stream.id, { ...present, series, rateIn, rateOut });
  }
}

/** A field to look for streams by their names. */
function finder() {
  let typing;
  const find = (value) => {
    search = value.trim();
    turner.reset();
    return look();
  };
  const later = ({ target }) => {
    clearTimeout(typing);
    typing = setTimeout(find, TYPING, target.value);
  };
  return h("input", { type: "search", className: "finder", value: search, placeholder: t("find"), "aria-label": t("find"), oninput: later });
}

function streamsView(listeners) {
  const list = h("div", { className: "streams" });
  const lines = publishing(place(listeners), "live/stream1");
  const empty = h(
    "section",
    { className: "empty" },
    h("img", { src: "/ui/icon.svg", alt: "", width: 56, height: 56 }),
    h("h1", {}, t("noStream")),
    h("p", {}, t("noStreamHint")),
    lines.map(([title, text]) => copyable(title, text)),
  );
  const field = finder();
  const nothing = h("p", { className: "none", role: "status" }, t("notFound"));
  const bans = bansPanel();
  return {
    element: h("div", { tabIndex: -1 }, field, empty, nothing, list, turner.element, bans.element),
    async update(streams, total) {
      const isSearched = search !== "";
      empty.hidden = isSearched || total > 0;
      nothing.hidden = !isSearched || total > 0;
      field.hidden = !isSearched && total <= GLANCE;
      turner.update(total);
      keyed(list, streams, (stream) => stream.id, (stream) => streamRow(stream, history));
      await bans.update();
    },
    close() {},
  };
}

function open(listeners) {
  view?.close();
  const id = chosen();
  view = { id, ...(id ? streamView(id, listeners, history) : streamsView(listeners)) };
  main.replaceChildren(view.element);
  document.title = id ? `${id} · Headwater` : "Headwater";
}

async function look() {
  clearTimeout(timer);
  looks += 1;
  const number = looks;
  try {
    const [summary, page] = await Promise.all([api.summary(), api.streams(...turner.part(), search)]);
    complain(page.missing_workers.length ? `${t("missing")} ${page.missing_workers.join(", ")}` : "");
    // One by which nothing is published comes behind those that live.
    const streams = page.streams.sort((a, b) => Number(vacant(a)) - Number(vacant(b)) || (a.id < b.id ? -1 : 1));
    const id = chosen();
    const one = id && (streams.find((stream) => stream.id === id) ?? (await api.stream(id).catch(() => undefined)));
    if (number !== looks) return;
    note(one && !streams.includes(one) ? [...streams, one] : streams);
    showSummary(summary, streams);
    if (!view || view.id !== id) open(summary.listeners);
    await (id ? view.update(one) : view.update(streams, page.total));
  } catch (problem) {
    if (problem.status === 401) {
      await gate(api.token.get() ? t("tokenWrong") : "");
      view = undefined;
      return look();
    }
    complain(problem.status === 0 ? t("unreachable") : problem.message || String(problem));
    if (!(problem instanceof api.Problem)) console.error(problem);
  }
  // A page that nobody looks at asks for nothing.
  if (number === looks && !document.hidden) timer = setTimeout(look, INTERVAL);
}

addEventListener("hashchange", look);
addEventListener("visibilitychange", () => document.hidden || look());
look();
