// Line charts of a training as SVG: one figure over the steps, of the training and of held-back pictures.

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 360, HEIGHT = 190, LEFT = 52, RIGHT = 10, TOP = 26, BOTTOM = 24;

function drawn(tag, attributes, text = "") {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

// `curves` are {training, validation}, rows of {step, [key]: value}. Returns null if no row has the figure.
export function chart(title, key, curves) {
  const lines = Object.entries(curves).map(([name, rows]) => [name, rows.filter((row) => key in row).map((row) => [row.step, row[key]])]);
  const points = lines.flatMap(([, line]) => line);
  if (!points.length) return null;
  const [low, high] = [Math.min(...points.map(([, y]) => y)), Math.max(...points.map(([, y]) => y))];
  const last = Math.max(...points.map(([x]) => x), 1);
  const span = high - low || Math.abs(high) || 1;
  const x = (step) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / last;
  const y = (value) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (value - low)) / span;
  const now = lines.filter(([, line]) => line.length).map(([name, line]) => `${name} ${line.at(-1)[1].toPrecision(4)}`);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title} over ${last} steps: ${now.join(", ")}` });
  svg.append(drawn("text", { class: "title", x: 8, y: 16 }, title));
  for (const value of [low, (low + high) / 2, high]) {
    svg.append(drawn("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    svg.append(drawn("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, value.toPrecision(3)));
  }
  svg.append(drawn("text", { x: LEFT, y: HEIGHT - 7 }, "0"));
  svg.append(drawn("text", { x: WIDTH - RIGHT, y: HEIGHT - 7, "text-anchor": "end" }, `step ${last}`));
  for (const [number, [name, line]] of lines.entries()) {
    if (!line.length) continue;
    svg.append(drawn("polyline", { class: name, points: line.map(([step, value]) => `${x(step)},${y(value)}`).join(" ") }));
    for (const [step, value] of line.length < 30 ? line : []) svg.append(drawn("circle", { class: `${name}-text`, cx: x(step), cy: y(value), r: 2.2 }));
    svg.append(drawn("text", { class: `${name}-text`, x: WIDTH - RIGHT - 75 * (1 - number), y: 16, "text-anchor": "end" }, name));
  }
  return svg;
}
