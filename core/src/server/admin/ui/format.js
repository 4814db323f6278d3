// Numbers as people read them.

const units = ["", "k", "M", "G", "T"];

function scaled(value, step, suffix) {
  let unit = 0;
  while (value >= step && unit < units.length - 1) {
    value /= step;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}${suffix}`;
}

/** Bits a second. */
export const rate = (bits) => scaled(bits, 1000, "b/s");

/** Bytes, by binary units. */
export const bytes = (count) => scaled(count, 1024, count >= 1024 ? "iB" : "B");

export const count = (number) => number.toLocaleString("en-US").replaceAll(",", "\u202f");

/** A time in seconds: the two largest units. */
export function time(seconds) {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return `${minutes} min ${whole % 60} s`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${whole} s`;
}

/** A short time in milliseconds. */
export const milliseconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : time(ms / 1000));

export const fps = (value) => value.toFixed(value >= 100 || Number.isInteger(value) ? 0 : 1);
