// The range ANS coder of docs/format.md. The state of 64 bits is kept as two numbers of 32 bits; all sums are whole numbers below
// 2^53, so arithmetic in floating point is exact.

import { Corrupt } from "./errors.js";

const HEADS = 64, MAX_PRECISION = 24, MASK = 2 ** MAX_PRECISION - 1, MAX_SYMBOL = 2 ** 31 - 1;
const LOOKUP_SHIFT = 14;

// Probability tables: `frequencies` (rows of `columns` numbers, escapes last), the symbol of the first column, and the precision.
export class Tables {
  constructor(frequencies, columns, minimum, precision) {
    Object.assign(this, { frequencies, columns, minimum, precision, count: frequencies.length / columns, scaled: new Map() });
  }

  // Frequencies and sums of a row in units of 2^-24, and for each 2^14th of them the column that it falls into.
  row(index) {
    let row = this.scaled.get(index);
    if (!row) {
      const scale = 2 ** (MAX_PRECISION - this.precision), sums = new Uint32Array(this.columns + 1);
      const frequencies = new Uint32Array(this.columns);
      for (let n = 0; n < this.columns; n++) {
        frequencies[n] = this.frequencies[index * this.columns + n] * scale;
        sums[n + 1] = sums[n] + frequencies[n];
      }
      const first = new Uint16Array(2 ** (MAX_PRECISION - LOOKUP_SHIFT));
      for (let place = 0, column = 0; place < first.length; place++) {
        while (sums[column + 1] <= place * 2 ** LOOKUP_SHIFT) column++;
        first[place] = column;
      }
      row = { frequencies, sums, first };
      this.scaled.set(index, row);
    }
    return row;
  }
}

// Decodes columns and digits from a payload.
export class RansState {
  constructor(payload) {
    if (!payload.length || !payload.at(-1)) throw new Corrupt("a block is not range-coded");
    const padded = new Uint8Array(Math.ceil(payload.length / 4) * 4);
    padded.set(payload);
    const view = new DataView(padded.buffer);
    this.words = Uint32Array.from({ length: padded.length / 4 }, (_, n) => view.getUint32(4 * n, true));
    this.left = this.words.length;
    this.high = this.left > 1 ? this.words[--this.left] : 0;
    this.low = this.words[--this.left];
  }

  #advance(frequency, rest) {
    // x = floor(x / 2^24) * frequency + rest, the quotient split into 24 and 16 bits.
    const upper = (this.high >>> 8) * frequency;
    const lower = (((this.high & 0xff) << 8) | (this.low >>> 24)) * frequency + rest;
    const low = (upper % 65536) * 65536 + lower, carry = Math.floor(low / 4294967296);
    this.low = low >>> 0;
    this.high = Math.floor(upper / 65536) + carry;
    if (this.high === 0 && this.left) {
      this.high = this.low;
      this.low = this.words[--this.left];
    }
  }

  column({ frequencies, sums, first }) {
    const quantile = this.low & MASK;
    let column = first[quantile >>> LOOKUP_SHIFT];
    while (sums[column + 1] <= quantile) column++;
    this.#advance(frequencies[column], quantile - sums[column]);
    return column;
  }

  // Whether a decision is true that is false in `no` of 2^24 cases.
  decision(no) {
    const quantile = this.low & MASK, yes = quantile >= no;
    this.#advance(yes ? MASK + 1 - no : no, yes ? quantile - no : quantile);
    return yes;
  }

  digit(size) {
    const quantile = this.low & MASK, frequency = 2 ** MAX_PRECISION / size, digit = Math.floor(quantile / frequency);
    this.#advance(frequency, quantile - digit * frequency);
    return digit;
  }

  // Throws where symbols are missing: a state that got smaller than 2^24 stays smaller.
  check() {
    if (!this.left && this.high === 0 && this.low < 2 ** MAX_PRECISION) {
      throw new Corrupt("a block has fewer symbols than its contexts need");
    }
  }

  finish() {
    if (this.left || this.high || this.low !== 2 ** MAX_PRECISION) {
      throw new Corrupt("a block has more symbols than its contexts need");
    }
  }
}

export class RansReader {
  constructor(payload, { tables }) {
    if (!tables) throw new Corrupt("a block is not range-coded");
    this.state = new RansState(payload);
    this.tables = tables;
  }

  // One symbol for each table index.
  take(indices) {
    const { state, tables } = this, symbols = new Int32Array(indices.length), escape = tables.columns - 1;
    const order = sortedOrder(indices, tables.count), escapes = [];
    let row = null, table = -1;
    for (const place of order) {
      if (indices[place] !== table) {
        table = indices[place];
        row = tables.row(table);
      }
      const column = state.column(row);
      symbols[place] = tables.minimum + column;
      if (column === escape) escapes.push(place);
    }
    if (escapes.length) this.#readEscapes(escapes, symbols);
    state.check();
    return symbols;
  }

  #readEscapes(places, symbols) {
    const { state, tables } = this, last = tables.minimum + tables.columns - 2;
    const heads = places.map(() => state.digit(HEADS)), widths = heads.map((head) => head >> 1);
    const distances = widths.map((width) => 2 ** width);
    for (const shift of [0, 16]) {
      widths.forEach((width, n) => {
        if (width > shift) distances[n] += state.digit(2 ** Math.min(width - shift, 16)) * 2 ** shift;
      });
    }
    places.forEach((place, n) => {
      const symbol = heads[n] & 1 ? tables.minimum - distances[n] : last + distances[n];
      if (Math.abs(symbol) > MAX_SYMBOL) throw new Corrupt("a block has an escape out of range");
      symbols[place] = symbol;
    });
  }

  finish() { this.state.finish(); }
}

// The order that sorts places by index, stable; indices are 0 to below `count`.
export function sortedOrder(indices, count) {
  const starts = new Uint32Array(count + 1);
  for (const index of indices) starts[index + 1]++;
  for (let n = 0; n < count; n++) starts[n + 1] += starts[n];
  const order = new Uint32Array(indices.length);
  indices.forEach((index, place) => { order[starts[index]++] = place; });
  return order;
}
