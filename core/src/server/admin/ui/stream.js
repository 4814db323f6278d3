// One stream: what it is, how it does, its players, and how to publish, play and end it.

import * as api from "./api.js";
import { bansPanel, term } from "./bans.js";
import { h, keyed, say } from "./dom.js";
import * as format from "./format.js";
import { place, playing, publishing } from "./lines.js";
import { pages } from "./pages.js";
import { ask, copyable } from "./parts.js";
import { plot, push } from "./plot.js";
import { screen } from "./screen.js";
import { contents, lamp } from "./streams.js";
import { t } from "./words.js";

const ago = (ms) => (ms === null || ms === undefined ? t("none") : `${format.milliseconds(ms)} ${t("ago")}`);

/** Names and numbers, those without the zeros. */
function counts(object) {
  const found = Object.entries(object).filter(([, count]) => count > 0);
  return found.map(([name, count]) => `${name.replaceAll("_", " ")} ${format.count(count)}`).join(", ") || t("none");
}

/** What is said of a stream: a word, and how it is found. */
const FACTS = [
  ["publisher", ({ publisher: it }) => it && `${it.ip}:${it.port}  ·  ${it.protocol}  ·  ${t("since")} ${format.time(it.age_ms / 1000)}`],
  ["agent", ({ publisher: it }) => it?.agent],
  ["picture", ({ video: it }) => it && [it.codec, it.profile, it.level, it.width && `${it.width}×${it.height}`].filter(Boolean).join("  ")],
  ["sound", ({ audio: it }) => it && [it.codec, it.profile, it.sample_rate && `${it.sample_rate} Hz`].filter(Boolean).join("  ")],
  ["frameRate", ({ frame_rate: it, publisher }) => publisher && `${format.fps(it.measured)}${it.declared ? `  (${t("declared")} ${format.fps(it.declared)})` : ""}`],
  ["gop", ({ gop }) => gop.seconds !== null && `${format.time(gop.seconds)}  ·  ${gop.pictures} ${t("pictures")}  ·  ${format.bytes(gop.cached_bytes)}`],
  ["lastKeyframe", (it) => ago(it.last_keyframe_age_ms)],
  ["lastFrame", (it) => ago(it.last_frame_age_ms)],
  ["repairs", (it) => counts(it.repairs)],
  ["anomalies", (it) => counts(it.anomalies)],
  ["missed", (it) => counts(it.drops)],
  ["takeovers", (it) => it.takeovers > 0 && format.count(it.takeovers)],
];

function figure(name) {
  const [line, value] = [plot(t(name)), h("b", {})];
  return {
    element: h("div", { className: "panel plotted" }, h("span", {}, t(name)), value, line.element),
    update(values, text) {
      line.update(values);
      say(value, text);
    },
  };
}

function playerRow(client, onExplain, onKick) {
  const cells = Array.from({ length: 7 }, () => h("td", {}));
  const button = (name, act) =>
    h("button", { type: "button", className: "quiet", "aria-label": `${t(name)} ${client.ip}:${client.port}`, onclick: () => act(client) }, t(name));
  return {
    element: h("tr", {}, cells, h("td", { className: "action" }, button("explainPlayer", onExplain), button("kick", onKick))),
    update(client) {
      const missed = client.drops.disposable + client.drops.inter + client.drops.skipped;
      [
        `${client.ip}:${client.port}`,
        client.role === "waits_to_play" ? `${client.protocol}, ${t("waiting")}` : client.protocol,
        client.agent,
        format.time(client.alive),
        format.rate(client.kbps.send_30s * 1000),
        format.milliseconds(client.lag.ms),
        format.count(missed),
      ].forEach((text, index) => say(cells[index], text));
      cells[5].classList.toggle("bad", client.lag.ms > 2000);
      cells[6].classList.toggle("bad", missed > 0);
    },
  };
}

export function streamView(id, listeners, history) {
  const where = place(listeners);
  let size;
  const light = lamp();
  const about = h("p", { className: "about" });
  const facts = FACTS.map(([name, find]) => {
    const value = h("dd", {});
    const element = h("div", {}, h("dt", {}, t(name)), value);
    return { element, value, find };
  });
  const figures = { bitrate: figure("bitrate"), frameRate: figure("frameRate"), players: figure("players"), lag: figure("lag") };
  const rows = h("tbody", {});
  const none = h("p", { className: "none" }, t("noPlayers"));
  const turner = pages(() => showPlayers());
  const bans = bansPanel(id);
  const columns = ["address", "protocol", "agent", "age", "sent", "lagColumn", "drops"];
  const explanation = h("div", { className: "explanation", role: "status", tabIndex: -1, hidden: true });
  const watch = screen(where.http && `${where.http}/${id.split("/").map(encodeURIComponent).join("/")}.flv`, () => size);
  const complaint = h("p", { className: "complaint", role: "alert", hidden: true });

  async function attempt(what) {
    complaint.hidden = true;
    try {
      return await what();
    } catch (problem) {
      complaint.hidden = false;
      say(complaint, problem.message || t("unreachable"));
    }
  }

  async function kickStream() {
    const [label, ban] = term("keepAway");
    if (await ask(t("kickStreamAsk"), t("kickPublisher"), label, ban)) await attempt(() => api.kickStream(id, ban.value));
  }

  async function kickClient(client) {
    const [label, ban] = term("keepAddressAway");
    const question = `${t("kickAsk")} ${client.ip}:${client.port}`;
    if (await ask(question, t("kick"), label, ban)) await attempt(() => api.kickClient(client.id, ban.value));
  }

  /** The largest lag of those that are shown, and whether others are not. */
  async function showPlayers() {
    const { total, clients } = await api.clients(id, ...turner.part());
    const players = clients.filter((client) => client.role === "plays" || client.role === "waits_to_play");
    players.sort((a, b) => b.lag.ms - a.lag.ms || a.id - b.id);
    keyed(rows, players, (client) => client.id, (client) => playerRow(client, (client) => explain(client.id), kickClient));
    none.hidden = players.length > 0;
    const isPart = turner.update(total);
    return { lag: players.reduce((most, player) => Math.max(most, player.lag.ms), 0), isPart };
  }

  async function explain(client) {
    explanation.hidden = false;
    try {
      const { verdict, facts } = await api.explain(id, client);
      const line = ({ what, value, is_fine }) =>
        h("li", { className: is_fine ? "fine" : "bad" }, h("span", {}, what), h("span", {}, value));
      explanation.replaceChildren(h("p", {}, verdict), h("ul", {}, facts.map(line)));
    } catch (problem) {
      explanation.replaceChildren(h("p", {}, problem.message || t("unreachable")));
    }
    explanation.focus();
  }

  const element = h(
    "article",
    { className: "one", tabIndex: -1 },
    h("a", { className: "back", href: "#/" }, `← ${t("back")}`),
    h(
      "div",
      { className: "head" },
      h("div", {}, h("h1", {}, id), light.element, about),
      h(
        "div",
        { className: "buttons" },
        h("button", { type: "button", className: "quiet", onclick: () => explain() }, t("explain")),
        h("button", { type: "button", className: "quiet danger", onclick: kickStream }, t("kickPublisher")),
      ),
    ),
    complaint,
    explanation,
    bans.element,
    h(
      "div",
      { className: "columns" },
      watch.element,
      h("dl", { className: "panel facts" }, facts.map((fact) => fact.element)),
    ),
    h("div", { className: "plots" }, Object.values(figures).map((it) => it.element)),
    h(
      "section",
      { className: "panel" },
      h("h2", {}, t("players")),
      h("div", { className: "wide" }, h("table", {}, h("thead", {}, h("tr", {}, columns.map((name) => h("th", {}, t(name))), h("th", {}))), rows)),
      none,
      turner.element,
    ),
    h(
      "div",
      { className: "columns" },
      h("section", { className: "panel" }, h("h2", {}, t("play")), playing(where, id).map(([title, text]) => copyable(title, text))),
      h("section", { className: "panel" }, h("h2", {}, t("publish")), publishing(where, id).map(([title, text]) => copyable(title, text))),
    ),
  );

  return {
    element,
    close: watch.close,
    async update(stream) {
      await bans.update();
      if (!stream) {
        element.dataset.gone = "";
        say(about, t("gone"));
        light.update({ publish: { active: false } });
        keyed(rows, [], (it) => it.id, playerRow);
        return;
      }
      delete element.dataset.gone;
      light.update(stream);
      say(about, contents(stream));
      const { width, height } = stream.video ?? {};
      size = width && height ? { width, height } : undefined;
      for (const { element, value, find } of facts) {
        const text = find(stream);
        element.hidden = !text;
        say(value, text || "");
      }
      const { lag, isPart } = await showPlayers();
      const known = history.get(id);
      if (!known) return;
      push(known.series.lag, lag);
      const { bitrate, frameRate, players: numbers } = known.series;
      figures.bitrate.update(bitrate, format.rate(known.rateIn));
      figures.frameRate.update(frameRate, frameRate.length ? format.fps(frameRate.at(-1) ?? 0) : "–");
      figures.players.update(numbers, format.count(stream.players));
      figures.lag.update(known.series.lag, `${isPart ? "≥ " : ""}${format.milliseconds(lag)}`);
    },
  };
}
