// The layouts of symbols in stored blocks and before Zstandard, see docs/format.md. Readers have take(indices) and finish().

import { Corrupt } from "./errors.js";
import { sortedOrder } from "./rans.js";

const CLASSES = 32, NUMBER_BYTES = 5, QUAD_ESCAPE = 3, BYTE_ESCAPE = 255, BYTE_ZERO = 127, MAX_SYMBOL = 2 ** 31 - 1;
const bitLength = (value) => (value ? Math.floor(Math.log2(value)) + 1 : 0);

export function storedReader(payload, { tables, minimum, maximum, symbols }) {
  const width = Math.max(1, bitLength(maximum - minimum)), used = symbols * width;
  if (tables || payload.length !== Math.ceil(used / 8)) throw new Corrupt("a stored block does not have the size of its symbols");
  let at = 0;
  const bit = () => (payload[at >> 3] >> (7 - (at++ & 7))) & 1;
  return {
    take: (indices) => Int32Array.from(indices, () => {
      let value = 0;
      for (let n = 0; n < width; n++) value = value * 2 + bit();
      return value + minimum;
    }),
    finish() {
      while (at < payload.length * 8) if (bit()) throw new Corrupt("a stored block has bits after its last symbol");
    },
  };
}

export function planarReader({ minimum, maximum, symbols }, content) {
  const span = maximum - minimum, size = span < 2 ** 8 ? 1 : span < 2 ** 16 ? 2 : 4;
  const bytes = content(symbols * size, true);
  let at = 0;
  return {
    take(indices) {
      const found = new Int32Array(indices.length), count = indices.length;
      sortedOrder(indices, 1 + indices.reduce((most, index) => Math.max(most, index), 0)).forEach((place, n) => {
        let value = 0;
        for (let plane = size; plane--;) value = value * 256 + bytes[at + plane * count + n];
        if (value > span) throw new Corrupt("a symbol lies outside its alphabet");
        found[place] = value + minimum;
      });
      at += count * size;
      return found;
    },
    finish() {},
  };
}

// The class of each table, from peaked to flat.
function tableClasses({ frequencies, columns, count, precision }) {
  const total = 2 ** precision;
  return Uint8Array.from({ length: count }, (_, table) => {
    const peak = frequencies.subarray(table * columns, (table + 1) * columns).reduce((most, one) => Math.max(most, one));
    const level = total - peak < Math.floor(total / 2)
      ? Math.max(0, bitLength(total - peak) + 16 - precision) : 16 + precision - bitLength(peak);
    return Math.min(level, CLASSES - 1);
  });
}

export function sortedReader({ tables, symbols }, content) {
  const bytes = content(2 + CLASSES * (NUMBER_BYTES + 1) + symbols * (1 + NUMBER_BYTES), false);
  const { quadLimit, counts, start } = readCounts(bytes, symbols);
  let at = start;
  const escapes = [];
  const members = counts.map((count, level) => {
    const packed = level <= quadLimit, size = packed ? Math.ceil(count / 4) : count;
    if (at + size > bytes.length) throw new Corrupt("a block ends inside its symbols");
    const found = new Int32Array(count);
    for (let n = 0; n < (packed ? 4 * size : size); n++) {
      const value = packed ? (bytes[at + (n >> 2)] >> (2 * (n & 3))) & 3 : bytes[at + n];
      if (n >= count) {
        if (value !== 1) throw new Corrupt("a block has symbols after its last one");
        continue;
      }
      if (value === (packed ? QUAD_ESCAPE : BYTE_ESCAPE)) escapes.push([level, n]);
      found[n] = value - (packed ? 1 : BYTE_ZERO);
    }
    at += size;
    return found;
  });
  const values = readEscapes(bytes.subarray(at), escapes.length);
  escapes.forEach(([level, n], number) => { members[level][n] = values[number]; });
  const classes = tableClasses(tables), positions = members.map(() => 0);
  return {
    take: (indices) => Int32Array.from(indices, (index) => {
      const level = classes[index];
      if (!members[level] || positions[level] >= members[level].length) {
        throw new Corrupt("a block has fewer symbols than its contexts need");
      }
      return members[level][positions[level]++];
    }),
    finish() {
      if (positions.some((position, level) => position !== members[level].length)) {
        throw new Corrupt("a block has more symbols than its contexts need");
      }
    },
  };
}

function readCounts(bytes, symbols) {
  if (bytes.length < 2 || bytes[1] > CLASSES) throw new Corrupt("a block has no symbol counts");
  const counts = [];
  let at = 2;
  for (let n = 0; n < bytes[1]; n++) {
    let value = 0;
    for (let place = 0; ; place++) {
      if (place === NUMBER_BYTES) throw new Corrupt("a block has a malformed symbol count");
      if (at >= bytes.length) throw new Corrupt("a block ends inside its symbol counts");
      const byte = bytes[at++];
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) break;
    }
    counts.push(value);
  }
  if (counts.reduce((sum, count) => sum + count, 0) > symbols) throw new Corrupt("a block's symbol counts do not add up");
  return { quadLimit: bytes[0], counts, start: at };
}

function readEscapes(bytes, count) {
  const values = new Int32Array(count);
  let at = 0;
  for (let n = 0; n < count; n++) {
    let value = 0;
    for (let place = 0; ; place++) {
      if (at >= bytes.length) throw new Corrupt("a block has the wrong number of escapes");
      if (place === NUMBER_BYTES) throw new Corrupt("a block has a malformed escape");
      const byte = bytes[at++];
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) break;
    }
    if (value > 2 * MAX_SYMBOL) throw new Corrupt("a block has an escape out of range");
    values[n] = value % 2 ? -(value + 1) / 2 : value / 2;
  }
  if (at !== bytes.length) throw new Corrupt("a block has the wrong number of escapes");
  return values;
}
