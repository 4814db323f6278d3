// A stream on the screen, with what can be done there and said of it.

import { h, say } from "./dom.js";
import { milliseconds } from "./format.js";
import { LivePlayer, isPossible } from "./player/player.js";
import { t } from "./words.js";

/** Between two looks at the picture. */
const INTERVAL = 500;

/** What stands for the size of pictures until it is known. */
const SIZE = { width: 1280, height: 720 };

/** `size` says how large the pictures are, if that is known. */
export function screen(url, size) {
  const video = h("video", { muted: true, playsInline: true, autoplay: true });
  const cover = h("div", { className: "cover" });
  const message = h("p", { role: "status" });
  const watch = h("button", { type: "button", className: "watch", onclick: start }, t("watch"));
  const sound = h("button", { type: "button", onclick: switchSound }, t("unmute"));
  const stop = h("button", { type: "button", onclick: () => close("") }, t("stop"));
  const full = h("button", { type: "button", onclick: () => element.requestFullscreen?.() }, t("fullscreen"));
  const stats = h("span", { className: "stats" });
  const bar = h("div", { className: "bar" }, stats, sound, full, stop);
  cover.append(watch, message);
  const element = h("section", { className: "screen", "aria-label": t("watch") }, video, bar, cover);
  let [player, timer] = [undefined, undefined];

  function show(isPlaying) {
    element.classList.toggle("playing", isPlaying);
    watch.hidden = isPlaying;
  }

  function start() {
    show(true);
    say(message, t("connecting"));
    player = new LivePlayer(video, url, size() ?? SIZE, (reason, detail = "") => close(`${t(reason)} ${detail}`.trim()));
    player.start();
    timer = setInterval(look, INTERVAL);
  }

  function look() {
    const { delay, dropped, width, height } = player.stats();
    if (!width) return;
    say(message, "");
    say(stats, `${width}×${height}  ·  ${t("delay")} ${milliseconds(delay * 1000)}  ·  ${t("dropped")} ${dropped}`);
  }

  function switchSound() {
    video.muted = !video.muted;
    say(sound, video.muted ? t("unmute") : t("mute"));
  }

  function close(text = "") {
    clearInterval(timer);
    player?.stop();
    player = undefined;
    show(false);
    say(message, text);
    say(stats, "");
  }

  show(false);
  if (!url || !isPossible()) {
    watch.hidden = true;
    say(message, t(url ? "noMediaSource" : "noHttp"));
  }
  return { element, close };
}
