// One stream in the list of all.

import { h, say } from "./dom.js";
import * as format from "./format.js";
import { plot } from "./plot.js";
import { t } from "./words.js";

/** A publisher that has sent nothing for so long is told to be silent, in milliseconds. */
const SILENT = 3000;

export const vacant = (stream) => !stream.publish.active;

/** `live`, `silent` or `vacant`. */
export function state(stream) {
  if (vacant(stream)) return "vacant";
  return stream.last_frame_age_ms === null || stream.last_frame_age_ms > SILENT ? "silent" : "live";
}

/** What it consists of, in a line. */
export function contents({ video, audio, frame_rate }) {
  const size = video?.width && video?.height && `${video.width}×${video.height}`;
  const rate = frame_rate.measured > 0 && `${format.fps(frame_rate.measured)} fps`;
  const picture = video && [video.codec, video.profile, size, rate].filter(Boolean).join(" ");
  const sound = audio && [audio.codec, audio.sample_rate && `${audio.sample_rate / 1000} kHz`].filter(Boolean).join(" ");
  return [picture, sound].filter(Boolean).join("  ·  ");
}

/** A lamp with its word. */
export function lamp() {
  const word = h("span", {});
  const element = h("span", { className: "lamp" }, h("i", { "aria-hidden": "true" }), word);
  return {
    element,
    update(stream) {
      element.dataset.state = state(stream);
      say(word, t(state(stream)));
    },
  };
}

export function streamRow(stream, history) {
  const light = lamp();
  const line = plot(t("bitrate"));
  const [about, players, rate] = [h("p", { className: "about" }), h("b", {}), h("b", {})];
  const address = `#/${encodeURIComponent(stream.id)}`;
  return {
    element: h(
      "a",
      { className: "stream", href: address },
      h("div", { className: "name" }, h("h2", {}, stream.id), light.element, about),
      line.element,
      h("div", { className: "figure" }, rate, h("span", {}, t("bitrate"))),
      h("div", { className: "figure" }, players, h("span", {}, t("players"))),
    ),
    update(stream) {
      light.update(stream);
      say(about, contents(stream));
      say(players, format.count(stream.players + stream.waiting));
      const known = history.get(stream.id);
      say(rate, format.rate(known.rateIn));
      line.update(known.series.bitrate);
    },
  };
}
