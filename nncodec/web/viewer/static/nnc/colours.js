// Samples and palettes as a canvas takes them.

import { CHUNK } from "./container.js";
import { Corrupt } from "./errors.js";

// Red, green, blue and alpha of 256 colours, or null.
export function paletteOf(container) {
  const chunk = container.chunk(CHUNK.PALETTE);
  if (!chunk) return null;
  const colours = (chunk[0] ?? 0) + 1, end = 1 + 3 * colours;
  if (chunk.length < end || chunk.length > end + colours) throw new Corrupt("its palette has the wrong size");
  const found = new Uint8ClampedArray(4 * 256);
  for (let n = 0; n < 256; n++) {
    if (n < colours) found.set(chunk.subarray(1 + 3 * n, 4 + 3 * n), 4 * n);
    found[4 * n + 3] = chunk[end + n] ?? 255;
  }
  return found;
}

// A picture {data, planes, bits} of a colour mode as RGBA; grey of more than 8 bits is brought to 8.
export function toRgba({ data, planes, bits }, mode, palette) {
  const places = data.length / planes, found = new Uint8ClampedArray(4 * places);
  const unit = mode === "BILEVEL" ? 255 : bits > 8 ? 2 ** (8 - bits) : 1, isColour = planes >= 3;
  for (let n = 0; n < places; n++) {
    const from = planes * n, to = 4 * n;
    if (palette) {
      for (let c = 0; c < 4; c++) found[to + c] = palette[4 * data[n] + c];
    } else if (mode === "CMYK") {
      for (let c = 0; c < 3; c++) found[to + c] = ((255 - data[from + c]) * (255 - data[from + 3])) / 255;
      found[to + 3] = 255;
    } else {
      for (let c = 0; c < 3; c++) found[to + c] = data[from + (isColour ? c : 0)] * unit;
      found[to + 3] = planes === 2 || planes === 4 ? data[from + planes - 1] : 255;
    }
  }
  return found;
}
