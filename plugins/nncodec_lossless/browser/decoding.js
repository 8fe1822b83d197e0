// Decodes the blocks of nncodec_lossless: the first byte names the coder, see docs/format.md.

import { Corrupt } from "../../nnc/errors.js";
import { decompress } from "../../nnc/zstd.js";
import { DecisionReader } from "./decisions.js";
import { natural } from "./natural.js";
import { readPalette, synthetic } from "./synthetic.js";

const INSETS = 4, REPEATS = 6, COPIES = 7, MOST_INSETS = 16, INSET_BYTES = 12, MOST_COPIES = 2 ** 14;
const refuse = (text) => { throw new Corrupt(`a block: ${text}`); };
const sizeOf = (shape) => shape.reduce((product, edge) => product * edge);

export function open({ networks }) {
  const ofNetworks = (content, shape, bits) => natural(networks, content, shape, bits);
  const coders = { 0: plain, 1: ofNetworks, 2: synthetic, 3: filtered, 5: (content, shape, bits) => indexed(content, shape, bits, ofNetworks) };
  function part(payload, shape, bits) {
    const coder = coders[payload[0]];
    if (!coder) refuse("a block names no coder that this version has");
    return coder(payload.subarray(1), shape, bits);
  }
  const whole = (payload, shape, bits) =>
    payload[0] === INSETS ? insets(payload.subarray(1), shape, (content, own) => part(content, own, bits)) : part(payload, shape, bits);
  const withCopies = (payload, shape, bits) =>
    payload[0] === COPIES ? copies(payload.subarray(1), shape, (content, own) => whole(content, own, bits)) : whole(payload, shape, bits);
  // Samples (Uint16Array) of a block of `shape`, (frames, rows, columns, planes), each below 2^bits.
  const decode = (payload, shape, bits) =>
    payload[0] === REPEATS ? repeats(payload.subarray(1), shape, (content, own) => withCopies(content, own, bits)) : withCopies(payload, shape, bits);
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

// Numbers of entries of one table of colours, or of a table of levels for each plane.
function indexed(content, [frames, rows, columns, planes], bits, part) {
  const count = content[0], start = 1 + 2 * count + 4, pixels = frames * rows * columns;
  if ((count !== 1 && count !== planes) || content.length <= start) refuse("an indexed block ends within its header, or has tables for other planes");
  const view = new DataView(content.buffer, content.byteOffset, content.length), width = planes / count;
  const entries = Array.from({ length: count }, (_, number) => view.getUint16(1 + 2 * number, true) + 1), most = Math.max(...entries);
  if (most > pixels) refuse("an indexed block has a table of more entries than pixels");
  const end = start + view.getUint32(start - 4, true), reader = new DecisionReader(content.subarray(start, end));
  const tables = entries.map((number) => readPalette(reader, number, width, bits));
  reader.finish();
  const numbers = part(content.subarray(end), [frames, rows, columns, count], Math.max(1, 32 - Math.clz32(most - 1)));
  const found = new Uint16Array(pixels * planes);
  for (let n = 0; n < numbers.length; n++) {
    const table = n % count;
    if (numbers[n] >= entries[table]) refuse("an indexed block has a number outside its table");
    for (let plane = 0; plane < width; plane++) found[n * width + plane] = tables[table][numbers[n] * width + plane];
  }
  return found;
}

// Rows and columns that equal the one before are left out.
function repeats(content, [frames, rows, columns, planes], part) {
  if (content.length < 2) refuse("a block with repeats ends within its header");
  const end = 2 + content[0] + 256 * content[1], flags = decompress(content.subarray(2, end), Math.ceil((rows + columns - 2) / 8), true);
  // Numbers of the rows or columns that are left, for each of the block's.
  const numbers = (size, from) => {
    const found = new Uint32Array(size);
    for (let n = 1, at = from; n < size; n++, at++) found[n] = found[n - 1] + 1 - ((flags[at >> 3] >> (7 - (at & 7))) & 1);
    return found;
  };
  const fromRows = numbers(rows, 0), fromColumns = numbers(columns, rows - 1), [height, width] = [fromRows, fromColumns].map((all) => all.at(-1) + 1);
  const left = part(content.subarray(end), [frames, height, width, planes]), found = new Uint16Array(frames * rows * columns * planes);
  let to = 0;
  for (let frame = 0; frame < frames; frame++) {
    for (const row of fromRows) {
      for (const column of fromColumns) {
        const from = ((frame * height + row) * width + column) * planes;
        for (let plane = 0; plane < planes; plane++) found[to++] = left[from + plane];
      }
    }
  }
  return found;
}

// Rectangles that equal an earlier place; rows and columns that consist of them are left out. Frames stand one below the other.
function copies(content, [frames, rowsOfFrame, columns, planes], part) {
  const rows = frames * rowsOfFrame;
  if (content.length < 6) refuse("a block with copies ends within its header");
  const view = new DataView(content.buffer, content.byteOffset, content.length), count = view.getUint16(0, true) + 1;
  if (count > MOST_COPIES) refuse(`a block has ${count} copies, and may have ${MOST_COPIES}`);
  const end = 6 + view.getUint32(2, true), table = decompress(content.subarray(6, end), 12 * count, true);
  // How many pixels back each pixel is copied from, or 0.
  const back = new Int32Array(rows * columns);
  let pixels = 0;
  for (let n = 0; n < count; n++) {
    const [top, left, height, width, fromTop, fromLeft] = [0, 1, 2, 3, 4, 5].map((field) => {
      const at = 2 * (field * count + n);
      return table[at] + 256 * table[at + 1];
    });
    const isEarlier = fromTop < top || (fromTop === top && fromLeft < left);
    if (!height || !width || !isEarlier || top + height > rows || Math.max(left, fromLeft) + width > columns) {
      refuse("a copy is empty, reaches beyond its block or comes from later in it");
    }
    pixels += height * width;
    if (pixels > 2 * rows * columns) refuse("copies are larger than their block");
    const distance = (top - fromTop) * columns + left - fromLeft;
    for (let row = top; row < top + height; row++) back.fill(distance, row * columns + left, row * columns + left + width);
  }
  const [isRowLeft, isColumnLeft] = [rows, columns].map((size) => new Uint8Array(size));
  back.forEach((distance, at) => {
    if (!distance) isRowLeft[Math.floor(at / columns)] = isColumnLeft[at % columns] = 1;
  });
  const numberLeft = (flags) => flags.reduce((sum, flag) => sum + flag, 0), height = numberLeft(isRowLeft), width = numberLeft(isColumnLeft);
  const left = part(content.subarray(end), [1, height, width, planes]), found = new Uint16Array(rows * columns * planes);
  for (let row = 0, at = 0, to = 0, fromRow = -1; row < rows; row++) {
    fromRow += isRowLeft[row];
    for (let column = 0, fromColumn = -1; column < columns; column++, at++) {
      fromColumn += isColumnLeft[column];
      const isCopy = back[at] > 0, source = isCopy ? found : left;
      const from = isCopy ? to - back[at] * planes : (fromRow * width + fromColumn) * planes;
      for (let plane = 0; plane < planes; plane++) found[to++] = source[from + plane];
    }
  }
  return found;
}
