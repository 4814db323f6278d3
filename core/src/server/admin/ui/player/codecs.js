// What codecs say of themselves before the first sample: for a decoder, and for the browser's question whether it has one.

const hex = (number) => number.toString(16).padStart(2, "0");

const RATES = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
const MP3_RATES = { 3: [44100, 48000, 32000], 2: [22050, 24000, 16000], 0: [11025, 12000, 8000] };

/** The track of a sequence header, or of the first sample where there is none; `undefined` if nothing can be made of it. */
export function describe({ codec, data }) {
  switch (codec) {
    case "avc": {
      const name = `avc1.${hex(data[1])}${hex(data[2])}${hex(data[3])}`;
      return { isVideo: true, codec, config: data.slice(), timescale: 1000, type: `video/mp4; codecs="${name}"`, name };
    }
    case "hevc": {
      const name = hevcName(data);
      return { isVideo: true, codec, config: data.slice(), timescale: 1000, type: `video/mp4; codecs="${name}"`, name };
    }
    case "aac":
      return aac(data);
    case "mp3":
      return mp3(data);
    case "opus":
      return opus(data);
    default:
      return undefined;
  }
}

/** ISO/IEC 14496-15 §E.3. */
function hevcName(record) {
  const space = ["", "A", "B", "C"][record[1] >> 6];
  const compatibility = new DataView(record.buffer, record.byteOffset).getUint32(2);
  let reversed = 0;
  for (let bit = 0; bit < 32; bit += 1) reversed |= ((compatibility >>> bit) & 1) << (31 - bit);
  const constraints = [...record.subarray(6, 12)];
  while (constraints.length && constraints.at(-1) === 0) constraints.pop();
  const tier = record[1] & 0x20 ? "H" : "L";
  const parts = [`${space}${record[1] & 0x1f}`, (reversed >>> 0).toString(16), `${tier}${record[12]}`];
  return ["hvc1", ...parts, ...constraints.map((byte) => byte.toString(16))].join(".");
}

/** ISO/IEC 14496-3 §1.6.2. */
function aac(config) {
  const object = config[0] >> 3;
  const index = ((config[0] & 7) << 1) | (config[1] >> 7);
  const rate = RATES[index];
  if (!rate) return undefined;
  const channels = (config[1] >> 3) & 15 || 2;
  const name = `mp4a.40.${object}`;
  return { isVideo: false, codec: "aac", config: config.slice(), rate, channels, timescale: rate, samples: 1024, type: `audio/mp4; codecs="${name}"`, name };
}

/** ISO/IEC 11172-3 §2.4.2.3. Browsers take its frames as they are, and not in MP4. */
function mp3(frame) {
  if (frame.length < 4 || frame[0] !== 0xff || frame[1] < 0xe0) return undefined;
  const version = (frame[1] >> 3) & 3;
  const rate = MP3_RATES[version]?.[(frame[2] >> 2) & 3];
  if (!rate) return undefined;
  const channels = frame[3] >> 6 === 3 ? 1 : 2;
  const samples = version === 3 ? 1152 : 576;
  return { isVideo: false, codec: "mp3", config: [], rate, channels, timescale: rate, samples, type: "audio/mpeg", isBare: true, name: "mp3" };
}

/** RFC 7845 §5.1, with the numbers the other way round: Opus in ISOBMFF §4.3.2. */
function opus(head) {
  if (head.length < 19) return undefined;
  const view = new DataView(head.buffer, head.byteOffset);
  const config = [0, head[9], head[11], head[10], head[15], head[14], head[13], head[12], head[17], head[16], ...head.subarray(18)];
  const rate = 48000;
  const skip = view.getUint16(10, true);
  return { isVideo: false, codec: "opus", config, rate, channels: head[9], timescale: rate, samples: 960, skip, type: 'audio/mp4; codecs="opus"', name: "opus" };
}
