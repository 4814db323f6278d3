// A small line of what was so in the last minutes.

const NS = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 48;

/** Values that are kept: four minutes, if one comes every two seconds. */
export const KEPT = 120;

/** As many have the whole width, at least: half a minute. */
const FEW = 15;

/** A plot; `update` draws values, the newest last. A gap is `null`. */
export function plot(label) {
  const svg = document.createElementNS(NS, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.classList.add("plot");
  const [area, line] = ["area", "line"].map((name) => {
    const path = document.createElementNS(NS, "path");
    path.classList.add(name);
    svg.append(path);
    return path;
  });
  return {
    element: svg,
    update(values) {
      const known = values.filter((value) => value !== null);
      const most = Math.max(...known, 0) * 1.1 || 1;
      const step = WIDTH / (Math.max(values.length, FEW) - 1);
      const x = (index) => WIDTH - (values.length - 1 - index) * step;
      const y = (value) => HEIGHT - 2 - (value / most) * (HEIGHT - 6);
      let [drawn, filled, from] = ["", "", null];
      values.forEach((value, index) => {
        if (value === null) {
          from = null;
          return;
        }
        const point = `${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
        drawn += `${from === null ? "M" : "L"}${point}`;
        if (from === null) filled += `M${x(index).toFixed(1)} ${HEIGHT}`;
        filled += `L${point}`;
        const isLast = index === values.length - 1 || values[index + 1] === null;
        if (isLast) filled += `L${x(index).toFixed(1)} ${HEIGHT}Z`;
        from = index;
      });
      line.setAttribute("d", drawn);
      area.setAttribute("d", filled);
    },
  };
}

/** Adds a value, and forgets the oldest. */
export function push(values, value) {
  values.push(value);
  if (values.length > KEPT) values.shift();
}
