// Writes fragmented MP4 for Media Source Extensions: ISO/IEC 14496-12, 14496-14 and 14496-15. One track in each.

const text = (name) => [...name].map((letter) => letter.charCodeAt(0));
const u16 = (number) => [(number >> 8) & 255, number & 255];
const u32 = (number) => [(number >>> 24) & 255, (number >>> 16) & 255, (number >>> 8) & 255, number & 255];
const u64 = (number) => [...u32(Math.floor(number / 2 ** 32)), ...u32(number >>> 0)];
const zeros = (count) => new Array(count).fill(0);

function joined(parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function box(name, ...parts) {
  const body = joined(parts);
  return joined([u32(body.length + 8), text(name), body]);
}

/** A box with a version and flags. */
const full = (name, version, flags, ...parts) => box(name, [version, (flags >> 16) & 255, (flags >> 8) & 255, flags & 255], ...parts);

const MATRIX = [u32(0x10000), zeros(12), u32(0x10000), zeros(12), u32(0x40000000)].flat();

/** A descriptor of ISO/IEC 14496-1 that is shorter than 128 bytes. */
const descriptor = (tag, ...parts) => {
  const body = joined(parts);
  return joined([[tag, body.length], body]);
};

function sampleEntry({ codec, width, height, channels, rate, config }) {
  const reserved = [...zeros(6), ...u16(1)];
  if (codec === "avc" || codec === "hevc") {
    const [entry, record] = codec === "avc" ? ["avc1", "avcC"] : ["hvc1", "hvcC"];
    const picture = [...zeros(16), ...u16(width), ...u16(height), ...u32(0x480000), ...u32(0x480000), ...zeros(4), ...u16(1), ...zeros(32), ...u16(24), 0xff, 0xff];
    return box(entry, reserved, picture, box(record, config));
  }
  const sound = [...zeros(8), ...u16(channels), ...u16(16), ...zeros(4), ...u32(rate << 16)];
  if (codec === "opus") return box("Opus", reserved, sound, box("dOps", config));
  const decoder = descriptor(4, [0x40, 0x15, ...zeros(3), ...u32(0), ...u32(0)], descriptor(5, config));
  const esds = descriptor(3, u16(1), [0], decoder, descriptor(6, [2]));
  return box("mp4a", reserved, sound, full("esds", 0, 0, esds));
}

/** What a decoder needs before the first sample. */
export function header(track) {
  const { isVideo, timescale, width = 0, height = 0 } = track;
  const tkhd = full("tkhd", 0, 3, zeros(8), u32(1), zeros(8), zeros(8), u16(0), u16(0), u16(isVideo ? 0 : 0x100), u16(0), MATRIX, u16(width), u16(0), u16(height), u16(0));
  const mdhd = full("mdhd", 0, 0, zeros(8), u32(timescale), u32(0), u16(0x55c4), u16(0));
  const hdlr = full("hdlr", 0, 0, zeros(4), text(isVideo ? "vide" : "soun"), zeros(12), [0]);
  const kind = isVideo ? full("vmhd", 0, 1, zeros(8)) : full("smhd", 0, 0, zeros(4));
  const dinf = box("dinf", full("dref", 0, 0, u32(1), full("url ", 0, 1)));
  const stsd = full("stsd", 0, 0, u32(1), sampleEntry(track));
  const empty = ["stts", "stsc", "stco"].map((name) => full(name, 0, 0, u32(0)));
  const stbl = box("stbl", stsd, ...empty, full("stsz", 0, 0, u32(0), u32(0)));
  const trak = box("trak", tkhd, box("mdia", mdhd, hdlr, box("minf", kind, dinf, stbl)));
  const mvhd = full("mvhd", 0, 0, zeros(8), u32(1000), u32(0), u32(0x10000), u16(0x100), zeros(10), MATRIX, zeros(24), u32(2));
  const trex = full("trex", 0, 0, u32(1), u32(1), u32(0), u32(0), u32(0));
  const ftyp = box("ftyp", text("isom"), u32(0x200), text("isomiso6mp41"));
  return joined([ftyp, box("moov", mvhd, trak, box("mvex", trex))]);
}

/** Samples, `{ duration, composition, isKeyframe, data }`, the first at `time`. All times are in the track's timescale. */
export function fragment(sequence, time, samples) {
  const entries = samples.flatMap(({ duration, composition, isKeyframe, data }) => [
    ...u32(duration), ...u32(data.length), ...u32(isKeyframe ? 0x02000000 : 0x01010000), ...u32(composition),
  ]);
  const make = (offset) => {
    const trun = full("trun", 1, 0xf01, u32(samples.length), u32(offset), entries);
    const traf = box("traf", full("tfhd", 0, 0x20000, u32(1)), full("tfdt", 1, 0, u64(time)), trun);
    return box("moof", full("mfhd", 0, 0, u32(sequence)), traf);
  };
  const moof = make(make(0).length + 8);
  return joined([moof, box("mdat", ...samples.map((sample) => sample.data))]);
}
