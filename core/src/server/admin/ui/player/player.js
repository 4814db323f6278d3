// Plays a live stream of FLV on a video element, by Media Source Extensions, near to its live edge.

import { describe } from "./codecs.js";
import { FlvReader, parse } from "./flv.js";
import { fragment, header } from "./mp4.js";

/** Seconds that are held in front of the picture on purpose: what the network is late by. */
const WANTED = 0.5;
/** Above that the player runs a little faster. */
const MUCH = 1.0;
/** Above that it jumps. */
const TOO_MUCH = 3;
/** How much faster. */
const HURRY = 1.08;
/** Seconds behind the picture that are kept, and above which they are let go. */
const KEPT = 10;
const FULL = 30;
/** Sound whose time is nearer to where it should be follows without a gap, in seconds. */
const TOLERANCE = 0.08;

/** What a status means, by the name of the word. */
const REFUSALS = { 403: "refused", 404: "notThere" };

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

/** Whether this browser can play anything here. */
export const isPossible = () => Boolean(Source) && typeof ReadableStream === "function";

export class LivePlayer {
  #video;
  #url;
  #size;
  #onEnd;
  #abort = new AbortController();
  #source;
  #tracks = new Map();
  #origin;
  #timer;

  /**
   * `size` is what the server says of the pictures; a decoder finds the right one itself. `onEnd` is told once why it is over, by
   * the name of a word, and a detail.
   */
  constructor(video, url, size, onEnd) {
    this.#video = video;
    this.#url = url;
    this.#size = size;
    this.#onEnd = onEnd;
  }

  async start() {
    try {
      this.#source = new Source();
      this.#video.disableRemotePlayback = true;
      const opened = new Promise((resolve) => this.#source.addEventListener("sourceopen", resolve, { once: true }));
      this.#video.src = URL.createObjectURL(this.#source);
      const response = await fetch(this.#url, { signal: this.#abort.signal, cache: "no-store" });
      if (!response.ok) return this.#end(REFUSALS[response.status] ?? "failed", `(${response.status})`);
      await opened;
      this.#timer = setInterval(() => this.#chase(), 250);
      const reader = response.body.getReader();
      const flv = new FlvReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return this.#end("ended");
        for (const tag of flv.read(value)) this.#take(tag);
        this.#flush();
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#end(error instanceof Unsupported ? "unsupported" : "failed", error instanceof Unsupported ? error.message : "");
    }
  }

  stop() {
    clearInterval(this.#timer);
    this.#abort.abort();
    if (this.#video.src) URL.revokeObjectURL(this.#video.src);
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  /** How it goes: seconds in front of the picture, pictures that were dropped, and how large they are. */
  stats() {
    const { videoWidth: width, videoHeight: height } = this.#video;
    const dropped = this.#video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
    return { delay: this.#ahead(), dropped, width, height };
  }

  #end(reason, detail) {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#onEnd(reason, detail);
  }

  #take(tag) {
    const frame = parse(tag);
    if (!frame) return;
    const known = this.#tracks.get(frame.isVideo);
    if (frame.isHeader || (!known && frame.codec === "mp3")) {
      const track = describe(frame);
      if (!track) throw new Unsupported(frame.codec);
      this.#open(frame.isVideo, track);
      if (frame.isHeader) return;
    }
    const track = this.#tracks.get(frame.isVideo);
    if (!track) {
      // A codec without a header that is not known: there is nothing to wait for.
      if (!["avc", "hevc", "aac", "opus"].includes(frame.codec)) throw new Unsupported(frame.codec);
      return;
    }
    this.#origin ??= tag.time;
    track.add((tag.time - this.#origin) / 1000, frame);
  }

  #open(isVideo, track) {
    if (isVideo) Object.assign(track, this.#size);
    const known = this.#tracks.get(isVideo);
    if (known) return known.change(track);
    if (!Source.isTypeSupported(track.type)) throw new Unsupported(track.name);
    this.#tracks.set(isVideo, new Track(this.#source, track));
  }

  #flush() {
    for (const track of this.#tracks.values()) track.flush();
  }

  #ahead() {
    const { buffered, currentTime } = this.#video;
    return buffered.length ? buffered.end(buffered.length - 1) - currentTime : 0;
  }

  /** Keeps near to the live edge, and lets go what is over. */
  #chase() {
    const video = this.#video;
    if (!video.buffered.length) return;
    const [start, end] = [video.buffered.start(video.buffered.length - 1), video.buffered.end(video.buffered.length - 1)];
    const ahead = end - video.currentTime;
    if (ahead > TOO_MUCH || video.currentTime < start) video.currentTime = Math.max(start, end - WANTED);
    else if (ahead > MUCH) video.playbackRate = HURRY;
    else if (ahead < WANTED) video.playbackRate = 1;
    if (video.paused) video.play().catch(() => {});
    for (const track of this.#tracks.values()) track.forget(video.currentTime);
  }
}

/** A codec that the browser has no decoder for. */
class Unsupported extends Error {}

/** What is on its way to one decoder. */
class Track {
  #buffer;
  #track;
  #queue = [];
  #samples = [];
  #first = 0;
  #next;
  #pending;
  #sequence = 0;
  #end;

  constructor(source, track) {
    this.#buffer = source.addSourceBuffer(track.type);
    this.#buffer.addEventListener("updateend", () => this.#work());
    this.change(track);
  }

  /** Another sequence header. */
  change(track) {
    this.flush();
    if (this.#track && this.#track.type !== track.type) {
      if (!this.#buffer.changeType) throw new Unsupported(track.name);
      this.#queue.push(() => this.#buffer.changeType(track.type));
    }
    this.#track = track;
    if (!track.isBare) {
      const bytes = header(track);
      this.#queue.push(() => this.#buffer.appendBuffer(bytes));
    }
    this.#work();
  }

  /** A sample at `time`, in seconds. A picture waits for the next one, which says how long it stays. */
  add(time, { composition, isKeyframe, data }) {
    const { timescale, isVideo, samples } = this.#track;
    const sample = { composition: Math.round((composition * timescale) / 1000), isKeyframe, data };
    let at = Math.round(time * timescale);
    if (isVideo) {
      const before = this.#pending;
      if (before) {
        at = Math.max(at, before.at + 1);
        this.#push(before.at, { ...before.sample, duration: at - before.at });
      }
      this.#pending = { at, sample };
      return;
    }
    // The times of FLV are whole milliseconds, and those of sound are not.
    if (this.#next !== undefined && Math.abs(at - this.#next) < TOLERANCE * timescale) at = this.#next;
    this.#push(at, { ...sample, duration: samples });
  }

  #push(at, sample) {
    if (this.#samples.length && at !== this.#next) this.flush();
    if (!this.#samples.length) this.#first = at;
    this.#next = at + sample.duration;
    this.#samples.push(sample);
  }

  /** Hands on what there is. */
  flush() {
    if (!this.#samples.length) return;
    const [samples, first] = [this.#samples, this.#first];
    this.#samples = [];
    if (this.#track.isBare) {
      // Frames have no times: each follows the one before, but where we say otherwise.
      const at = first === this.#end ? undefined : first / this.#track.timescale;
      if (at !== undefined) this.#queue.push(() => (this.#buffer.timestampOffset = at));
      for (const { data } of samples) this.#queue.push(() => this.#buffer.appendBuffer(data));
    } else {
      this.#sequence += 1;
      const bytes = fragment(this.#sequence, first, samples);
      this.#queue.push(() => this.#buffer.appendBuffer(bytes));
    }
    this.#end = this.#next;
    this.#work();
  }

  /** Lets go what lies far behind. */
  forget(now) {
    const { buffered } = this.#buffer;
    if (buffered.length && now - buffered.start(0) > FULL) {
      this.#queue.push(() => this.#buffer.remove(0, now - KEPT));
      this.#work();
    }
  }

  #work() {
    while (this.#queue.length && !this.#buffer.updating) {
      const step = this.#queue.shift();
      try {
        step();
      } catch (error) {
        if (error.name !== "QuotaExceededError") return;
        // Full: what was seen goes first.
        this.#queue.unshift(step);
        this.#buffer.remove(0, Math.max(0.1, this.#buffer.buffered.end(0) - TOLERANCE));
      }
    }
  }
}
