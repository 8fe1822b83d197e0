// Decodes the blocks of nncodec_lossless: the first byte names the coder, see docs/format.md.

import { Corrupt } from "../../nnc/errors.js";
import { decompress } from "../../nnc/zstd.js";
import { natural } from "./natural.js";
import { synthetic } from "./synthetic.js";

const INSETS = 4, MOST_INSETS = 16, INSET_BYTES = 12;
const refuse = (text) => { throw new Corrupt(`a block: ${text}`); };
const sizeOf = (shape) => shape.reduce((product, edge) => product * edge);

export function open({ networks }) {
  const coders = [plain, (content, shape, bits) => natural(networks, content, shape, bits), synthetic, filtered];
  function part(payload, shape, bits) {
    const coder = coders[payload[0]];
    if (!coder) refuse("a block names no coder that this version has");
    return coder(payload.subarray(1), shape, bits);
  }
  // Samples (Uint16Array) of a block of `shape`, (frames, rows, columns, planes), each below 2^bits.
  const decode = (payload, shape, bits) =>
    payload[0] === INSETS ? insets(payload.subarray(1), shape, (content, own) => part(content, own, bits)) : part(payload, shape, bits);
  return { decode };
}

function plain(content, shape, bits) {
  const count = sizeOf(shape), expected = Math.floor((count * bits + 7) / 8), found = new Uint16Array(count);
  if (content.length !== expected) refuse(`a block of plain samples has ${content.length} bytes, not ${expected}`);
  if (bits === 8) return Uint16Array.from(content);
  for (let n = 0; n < count; n++) {
    if (bits === 16) {
      found[n] = content[2 * n] | (content[2 * n + 1] << 8);
      continue;
    }
    for (let bit = 0, at = n * bits; bit < bits; bit++, at++) found[n] |= ((content[at >> 3] >> (7 - (at & 7))) & 1) << bit;
  }
  return found;
}

function filtered(content, shape, bits) {
  const [frames, rows, columns, planes] = shape, count = sizeOf(shape), wide = bits > 8, filter = content[0];
  if (!(filter < 4)) refuse("a filtered block names no filter");
  const bytes = decompress(content.subarray(1), wide ? 2 * count : count, true), found = new Uint16Array(count);
  const mask = wide ? 0xffff : 0xff;
  let from = 0;
  for (let plane = 0; plane < planes; plane++) {
    for (let frame = 0; frame < frames; frame++) {
      for (let y = 0; y < rows; y++) {
        let at = ((frame * rows + y) * columns) * planes + plane, left = 0, before = 0;
        for (let x = 0; x < columns; x++, from++, at += planes) {
          let value = bytes[from] | (wide ? bytes[count + from] << 8 : 0);
          const above = filter & 2 && y ? found[at - columns * planes] : 0;
          if (filter === 1) value += left;
          if (filter === 2) value += above;
          if (filter === 3) value += left + above - before;
          found[at] = left = value & mask;
          before = above;
        }
      }
    }
  }
  for (const value of found) if (value >= 2 ** bits) refuse(`a filtered block has a sample of more than ${bits} bits`);
  return found;
}

// Rectangles with payloads of their own, in a block.
function insets(content, [frames, rows, columns, planes], part) {
  const count = content[0], view = new DataView(content.buffer, content.byteOffset, content.length), parts = [];
  let at = 1 + count * INSET_BYTES, pixels = 0;
  if (!(count >= 1 && count <= MOST_INSETS) || content.length <= at) refuse("a block with insets ends within their table");
  for (let n = 0; n < count; n++) {
    const [top, left, height, width] = [0, 2, 4, 6].map((place) => view.getUint16(1 + n * INSET_BYTES + place, true));
    pixels += height * width;
    if (!height || !width || top + height > rows || left + width > columns) refuse("an inset is empty or reaches beyond its block");
    if (pixels > rows * columns) refuse("insets are larger than their block");
    const end = at + view.getUint32(9 + n * INSET_BYTES, true);
    parts.push({ top, left, height, width, own: content.subarray(at, end) });
    at = end;
  }
  const found = part(content.subarray(at), [frames, rows, columns, planes]);
  for (const { top, left, height, width, own } of parts) {
    const samples = part(own, [frames, height, width, planes]), line = width * planes;
    for (let row = 0; row < frames * height; row++) {
      const to = ((Math.floor(row / height) * rows + top + (row % height)) * columns + left) * planes;
      found.set(samples.subarray(row * line, (row + 1) * line), to);
    }
  }
  return found;
}
