// Lines to copy: how to publish and play a stream with the programs that people have.

import { t } from "./words.js";

/** Where the server is, for those that see this page: its name, and the ports of the protocols. */
export function place(listeners) {
  const host = location.hostname;
  // Of several that would do, the first is for RTMP and the last for HTTP, as on the command line.
  const those = (protocol) => listeners.filter((it) => it.protocols.includes(protocol)).map((it) => it.port);
  const [rtmp, http] = [those("rtmp").at(0), those("http").at(-1)];
  const at = (scheme, number, usual) => number && `${scheme}://${host}${number === usual ? "" : `:${number}`}`;
  return { rtmp: at("rtmp", rtmp, 1935), http: at("http", http, 80), ws: at("ws", http, 80) };
}

/** A word of a shell. */
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const url = (base, id) => `${base}/${id.split("/").map(encodeURIComponent).join("/")}`;

/** Pairs of a title and a text. */
export function publishing({ rtmp, http }, id) {
  const [app, name] = [id.slice(0, id.lastIndexOf("/")), id.slice(id.lastIndexOf("/") + 1)];
  const encode = "ffmpeg -re -i in.mp4 -c:v libx264 -preset veryfast -tune zerolatency -g 60 -c:a aac -f flv";
  const picture = "ffmpeg -re -f lavfi -i testsrc2 -f lavfi -i sine -c:v libx264 -g 60 -pix_fmt yuv420p -c:a aac -f flv";
  return [
    rtmp && ["OBS", `${t("server")}: ${rtmp}/${app}\n${t("streamKey")}: ${name}`],
    rtmp && ["ffmpeg", `${encode} ${quoted(`${rtmp}/${id}`)}`],
    rtmp && [t("testPicture"), `${picture} ${quoted(`${rtmp}/${id}`)}`],
    http && ["ffmpeg (HTTP)", `${encode} ${quoted(url(http, id))}`],
  ].filter(Boolean);
}

export function playing({ rtmp, http, ws }, id) {
  const flv = http && `${url(http, id)}.flv`;
  return [
    http && ["ffplay", `ffplay -fflags nobuffer -flags low_delay ${quoted(flv)}`],
    rtmp && ["VLC", `vlc --network-caching=500 ${quoted(`${rtmp}/${id}`)}`],
    http && ["mpv", `mpv --profile=low-latency ${quoted(flv)}`],
    http && [
      "mpegts.js",
      `const player = mpegts.createPlayer({ type: "flv", isLive: true, url: ${JSON.stringify(flv)} },\n` +
        `  { enableStashBuffer: false, liveBufferLatencyChasing: true });\n` +
        `player.attachMediaElement(document.querySelector("video"));\nplayer.load();\nplayer.play();`,
    ],
    http && ["HTTP-FLV", flv],
    ws && ["WebSocket", `${url(ws, id)}.flv`],
  ].filter(Boolean);
}
