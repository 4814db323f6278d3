// Reads FLV: FLV 10.1 annex E, and what Enhanced RTMP adds to it.

const AUDIO = 8;
const VIDEO = 9;

const VIDEO_CODECS = { 7: "avc", 12: "hevc" };
const AUDIO_CODECS = { 2: "mp3", 10: "aac" };
const FOURCC = { avc1: "avc", hvc1: "hevc", "mp4a": "aac", Opus: "opus", ".mp3": "mp3" };

const fourcc = (bytes, at) => String.fromCharCode(...bytes.subarray(at, at + 4));
const int24 = (bytes, at) => ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8)) >> 8;

/** Takes bytes as they come, and gives tags out that are whole. */
export class FlvReader {
  #bytes = new Uint8Array(0);
  #isBegun = false;

  /** The tags that are whole with these bytes: `{ kind, time, body }`. Throws if it is no FLV. */
  read(chunk) {
    const bytes = new Uint8Array(this.#bytes.length + chunk.length);
    bytes.set(this.#bytes);
    bytes.set(chunk, this.#bytes.length);
    const view = new DataView(bytes.buffer);
    let at = 0;
    if (!this.#isBegun && bytes.length >= 9) {
      if (fourcc(bytes, 0).slice(0, 3) !== "FLV") throw new Error("no FLV");
      at = view.getUint32(5) + 4;
      this.#isBegun = true;
    }
    const tags = [];
    while (this.#isBegun && at + 11 <= bytes.length) {
      const length = view.getUint32(at) & 0xffffff;
      const end = at + 11 + length;
      if (end + 4 > bytes.length) break;
      // The fourth byte of the time is its most significant one.
      const time = ((bytes[at + 7] << 24) | (view.getUint32(at + 4) >>> 8)) >>> 0;
      tags.push({ kind: bytes[at] & 0x1f, time, body: bytes.subarray(at + 11, end) });
      at = end + 4;
    }
    this.#bytes = bytes.slice(at);
    return tags;
  }
}

/**
 * What is in a tag, or `undefined` if it is nothing to show: `{ isVideo, codec, isHeader, isKeyframe, composition, data }`. A codec
 * that is not known has its own name.
 */
export function parse({ kind, body }) {
  if (body.length < 2) return undefined;
  if (kind === VIDEO) return parseVideo(body);
  if (kind === AUDIO) return parseAudio(body);
  return undefined;
}

function parseVideo(body) {
  const isKeyframe = ((body[0] >> 4) & 7) === 1;
  const made = (codec, isHeader, composition, start) => ({
    isVideo: true, codec, isHeader, isKeyframe, composition, data: body.subarray(start),
  });
  if (body[0] & 0x80) {
    const [type, name] = [body[0] & 0x0f, fourcc(body, 1)];
    const codec = FOURCC[name] ?? name;
    if (type === 0) return made(codec, true, 0, 5);
    if (type === 1) {
      const hasComposition = codec === "avc" || codec === "hevc";
      return made(codec, false, hasComposition ? int24(body, 5) : 0, hasComposition ? 8 : 5);
    }
    return type === 3 ? made(codec, false, 0, 5) : undefined;
  }
  const id = body[0] & 0x0f;
  // A command to the player, and no picture.
  if (body[0] >> 4 === 5) return undefined;
  const codec = VIDEO_CODECS[id] ?? `FLV ${id}`;
  if (body[1] > 1) return undefined;
  return made(codec, body[1] === 0, int24(body, 2), 5);
}

function parseAudio(body) {
  const made = (codec, isHeader, start) => ({
    isVideo: false, codec, isHeader, isKeyframe: true, composition: 0, data: body.subarray(start),
  });
  const format = body[0] >> 4;
  if (format === 9) {
    const [type, name] = [body[0] & 0x0f, fourcc(body, 1)];
    const codec = FOURCC[name] ?? name;
    return type > 1 ? undefined : made(codec, type === 0, 5);
  }
  const codec = AUDIO_CODECS[format] ?? `FLV ${format}`;
  return codec === "aac" ? made(codec, body[1] === 0, 2) : made(codec, false, 1);
}
