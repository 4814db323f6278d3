// The page: what there is in all, above the streams or one of them.

import * as api from "./api.js";
import { h, keyed, say } from "./dom.js";
import * as format from "./format.js";
import { place, publishing } from "./lines.js";
import { copyable, gate } from "./parts.js";
import { push } from "./plot.js";
import { streamView } from "./stream.js";
import { streamRow, vacant } from "./streams.js";
import { switchLanguage, t } from "./words.js";

/** Between two looks. */
const INTERVAL = 2000;
/** Streams that are shown. */
const MOST = 200;

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
  const sum = (of) => streams.reduce((total, stream) => total + (history.get(stream.id)?.[of] ?? 0), 0);
  tell("incoming", format.rate(sum("rateIn")));
  tell("outgoing", format.rate(sum("rateOut")));
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
  return {
    element: h("div", {}, empty, list),
    update(streams) {
      empty.hidden = streams.length > 0;
      keyed(list, streams, (stream) => stream.id, (stream) => streamRow(stream, history));
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
  try {
    const [summary, page] = await Promise.all([api.summary(), api.streams(0, MOST)]);
    complain(page.missing_workers.length ? `${t("missing")} ${page.missing_workers.join(", ")}` : "");
    // One by which nothing is published comes behind those that live.
    const streams = page.streams.sort((a, b) => Number(vacant(a)) - Number(vacant(b)) || (a.id < b.id ? -1 : 1));
    note(streams);
    showSummary(summary, streams);
    if (!view || view.id !== chosen()) open(summary.listeners);
    await view.update(streams);
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
  if (!document.hidden) timer = setTimeout(look, INTERVAL);
}

addEventListener("hashchange", look);
addEventListener("visibilitychange", () => document.hidden || look());
look();
