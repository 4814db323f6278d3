// The server's API, as seen from its own page.

const KEY = "headwater-token";

/** What the server says instead of what was asked for. */
export class Problem extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

/** The token stays in this tab, and goes with it. */
export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => sessionStorage.setItem(KEY, value),
};

async function ask(method, path) {
  const headers = { "Content-Type": "application/json" };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let response;
  try {
    response = await fetch(path, { method, headers, cache: "no-store" });
  } catch {
    throw new Problem(0, "");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, body.reason ?? response.statusText);
  return body;
}

/** `app/name` in a path: each part for itself. */
const path = (id) => id.split("/").map(encodeURIComponent).join("/");

/** A part of a list: its start, how many, and what its entries have in them. */
const part = (start, count, search = "") => `start=${start}&count=${count}&search=${encodeURIComponent(search)}`;

export const summary = async () => (await ask("GET", "/api/v1/summaries")).data;
export const streams = (...which) => ask("GET", `/api/v1/streams?${part(...which)}`);
export const stream = async (id) => (await ask("GET", `/api/v1/streams/${path(id)}`)).stream;
export const clients = (id, ...which) => ask("GET", `/api/v1/clients?stream=${encodeURIComponent(id)}&${part(...which)}`);
export const bans = (...which) => ask("GET", `/api/v1/bans?${part(...which)}`);
/** Of a stream, or of one of its players. */
export const explain = async (id, client) =>
  (await ask("GET", `/api/v1/explain?stream=${encodeURIComponent(id)}${client ? `&client=${client}` : ""}`)).explanation;
export const kickClient = (id, ban) => ask("DELETE", `/api/v1/clients/${id}?ban=${ban}`);
export const kickStream = (id, ban) => ask("DELETE", `/api/v1/streams/${path(id)}?ban=${ban}`);
export const liftBan = ({ stream, address }) =>
  ask("DELETE", `/api/v1/bans/${path(stream)}${address === null ? "" : `?address=${encodeURIComponent(address)}`}`);
