// Synthetic blocks: a palette, then the index of each pixel's colour, along a wavefront. See docs/format.md.

import { Corrupt } from "../../nnc/errors.js";
import { A, add, B, C, Contexts, D, DecisionReader, hash, multiply } from "./decisions.js";

const HEADER_BYTES = 3, TRANSPOSED = 0x80, FREE_STEPS = 4096, PIXELS_PER_STEP = 64, FIRST_COLOURS = 16, MOST_AT_ONCE = 256;
const PALETTE_SLOT_BITS = 16, SLOT_BITS = 18, SPELLING_SLOT_BITS = 20, ROWS = 4, SPELLING_LEVELS = 6;
// Pixels of the rows' histories that each level sees: the first and the one after the last, counted from the latest.
const TWO_COLOURS = [
  [[0, 2], [0, 3], [3, 4], [0, 0]], [[0, 3], [0, 4], [2, 5], [0, 0]], [[0, 4], [0, 5], [1, 6], [0, 0]], [[0, 6], [0, 7], [0, 7], [3, 8]],
];
const MANY_COLOURS = [
  [[0, 1], [1, 2], [0, 0]], [[0, 1], [0, 3], [0, 0]], [[0, 2], [0, 3], [3, 4]], [[0, 3], [0, 4], [2, 5]], [[0, 4], [0, 5], [1, 6]],
];
const refuse = (text) => { throw new Corrupt(`a block: ${text}`); };

export function synthetic(content, [frames, height, width, planes], bits) {
  if (content.length <= HEADER_BYTES) refuse("a synthetic block ends within its header");
  const transposed = Boolean(content[0] & TRANSPOSED), strips = content[0] & ~TRANSPOSED, count = content[1] + content[2] * 256 + 1;
  const rows = transposed ? width : height, columns = transposed ? height : width, pixels = frames * rows * columns;
  if (!strips || rows % strips || columns + 2 * (rows - 1) > FREE_STEPS + Math.floor(pixels / PIXELS_PER_STEP)) {
    refuse("a synthetic block is divided into strips that do not fit its shape");
  }
  if (count > pixels) refuse("a synthetic block has more colours than pixels");
  const reader = new DecisionReader(content.subarray(HEADER_BYTES)), colours = readPalette(reader, count, planes, bits);
  const indices = new Uint16Array(pixels);
  if (count > 1) readIndices(reader, indices, [frames * strips, rows / strips, columns], count);
  reader.finish();
  const found = new Uint16Array(pixels * planes);
  for (let n = 0; n < pixels; n++) {
    if (indices[n] >= count) refuse("a synthetic block has an index outside its palette");
    const x = n % columns, y = Math.floor(n / columns) % rows, frame = Math.floor(n / columns / rows);
    const to = (transposed ? (frame * columns + x) * rows + y : n) * planes;
    for (let plane = 0; plane < planes; plane++) found[to + plane] = colours[indices[n] * planes + plane];
  }
  return found;
}

// Colours, `planes` samples each, from differences to the one before.
export function readPalette(reader, count, planes, bits) {
  const found = new Uint16Array(count * planes), contexts = new Contexts(reader, 2, PALETTE_SLOT_BITS), mask = 2 ** bits - 1;
  for (let plane = 0; plane < planes; plane++) {
    for (let start = 0, before = 0; start < count;) {
      const run = Math.min(Math.max(start, FIRST_COLOURS), MOST_AT_ONCE, count - start), nodes = new Uint32Array(run).fill(1);
      for (let bit = 0; bit < bits; bit++) {
        const slots = new Uint32Array(2 * run);
        nodes.forEach((node, n) => {
          multiply(0, node, A);
          slots[2 * n] = contexts.slot(0, hash.high);
          add(0, plane);
          multiply(hash.high, hash.low, B);
          slots[2 * n + 1] = contexts.slot(1, hash.high);
        });
        contexts.group(slots, run).forEach((one, n) => { nodes[n] = 2 * nodes[n] + one; });
      }
      for (const node of nodes) {
        before = (before + node) & mask;
        found[start++ * planes + plane] = before;
      }
    }
  }
  return found;
}

function readIndices(reader, indices, [frames, height, width], colours) {
  const bits = 32 - Math.clz32(colours - 1), pixelBits = [1, 2, 4, 8].find((one) => one >= bits) ?? 8;
  const front = new Wavefront(frames, height, width, pixelBits, bits === 1 ? TWO_COLOURS : MANY_COLOURS);
  const coder = bits === 1 ? new TwoColours(reader) : new ManyColours(reader, bits);
  for (let step = 0; step < width + 2 * (height - 1); step++) {
    front.begin(step);
    const found = coder.read(front, indices);
    for (let n = 0; n < front.count; n++) indices[front.place(n)] = found[n];
    front.advance(found);
  }
}

// Walks over frames of indices; each row has a history of its latest pixels, 64 bits.
class Wavefront {
  constructor(frames, height, width, pixelBits, templates) {
    const lanes = (ROWS + height) * frames;
    const [high, low] = [1, 2].map(() => new Uint32Array(lanes));
    Object.assign(this, { frames, height, width, pixelBits, levels: templates.length, high, low });
    this.masks = templates.map((template) => template.map(([first, last]) => {
      const mask = ((1n << BigInt(last * pixelBits)) - (1n << BigInt(first * pixelBits))) & 0xffffffffffffffffn;
      return [Number(mask >> 32n), Number(mask & 0xffffffffn)];
    }));
    this.keysHigh = new Uint32Array(height * frames * this.levels);
    this.keysLow = new Uint32Array(height * frames * this.levels);
  }

  // Pixel number n of a step lies in row first + floor(n / frames) of frame n mod frames.
  begin(step) {
    this.step = step;
    this.first = Math.max(0, (step - this.width + 2) >> 1);
    this.last = Math.min(this.height - 1, step >> 1);
    this.count = (this.last - this.first + 1) * this.frames;
    const { frames, levels, masks, high, low, keysHigh, keysLow } = this;
    for (let n = 0, to = 0; n < this.count; n++) {
      const lane = (ROWS + this.first) * frames + n;
      for (let level = 0; level < levels; level++, to++) {
        let sumHigh = 0, sumLow = 0;
        for (let row = 0; row < masks[level].length; row++) {
          const [maskHigh, maskLow] = masks[level][row], from = lane - row * frames;
          const ownHigh = high[from] & maskHigh, ownLow = low[from] & maskLow;
          if (!ownHigh && !ownLow) continue;
          multiply(ownHigh, ownLow, MIX[row]);
          const sum = sumLow + hash.low;
          sumHigh = (sumHigh + hash.high + (sum > 0xffffffff ? 1 : 0)) >>> 0;
          sumLow = sum >>> 0;
        }
        multiply(sumHigh, (sumLow ^ sumHigh) >>> 0, A);
        keysHigh[to] = hash.high;
        keysLow[to] = hash.low;
      }
    }
  }

  place(n) {
    const row = this.first + Math.floor(n / this.frames);
    return ((n % this.frames) * this.height + row) * this.width + this.step - 2 * row;
  }

  // The index beside pixel n, or 0 outside the picture.
  beside(indices, n, down, right) {
    const row = this.first + Math.floor(n / this.frames) + down, column = this.step - 2 * (row - down) + right;
    if (row < 0 || column < 0 || column >= this.width) return 0;
    return indices[((n % this.frames) * this.height + row) * this.width + column];
  }

  // Takes the step's indices. Rows that have ended go on with zeros for as long as the rows below see them.
  advance(found) {
    const { frames, high, low, pixelBits } = this, mask = 2 ** pixelBits - 1;
    for (let row = Math.max(0, this.first - ROWS); row <= this.last; row++) {
      for (let frame = 0; frame < frames; frame++) {
        const lane = (ROWS + row) * frames + frame, pixel = row < this.first ? 0 : found[(row - this.first) * frames + frame] & mask;
        high[lane] = (high[lane] << pixelBits) | (low[lane] >>> (32 - pixelBits));
        low[lane] = (low[lane] << pixelBits) | pixel;
      }
    }
  }
}
const MIX = [A, B, C, D];

class TwoColours {
  constructor(reader) { this.contexts = new Contexts(reader, TWO_COLOURS.length, SLOT_BITS); }

  read({ keysHigh, count, levels }) {
    const slots = new Uint32Array(count * levels);
    for (let at = 0; at < slots.length; at++) slots[at] = this.contexts.slot(at % levels, keysHigh[at]);
    return this.contexts.group(slots, count);
  }
}

// Guesses the colour twice, and spells what was guessed wrongly.
class ManyColours {
  constructor(reader, bits) {
    this.bits = bits;
    [this.first, this.second] = [1, 2].map(() => new Contexts(reader, MANY_COLOURS.length, SLOT_BITS));
    this.spelling = new Contexts(reader, SPELLING_LEVELS, SPELLING_SLOT_BITS);
    this.memories = [0, 1].map(() => ({ tags: new Float64Array(2 ** SLOT_BITS), colours: new Uint16Array(2 ** SLOT_BITS) }));
  }

  read(front, indices) {
    const { count, levels, keysHigh, keysLow } = front, slots = new Uint32Array(count * levels);
    const [found, near, plain] = [1, 2, 3].map(() => new Uint16Array(count));
    const remembered = [0, 1].map(() => ({ slots: new Uint32Array(count), tags: new Float64Array(count) }));
    for (let n = 0; n < count; n++) {
      const west = front.beside(indices, n, 0, -1);
      plain[n] = west === front.beside(indices, n, -1, -1) ? front.beside(indices, n, -1, 0) : west;
      near[n] = this.#recall(0, front, n, remembered[0], plain[n]);
      found[n] = this.#recall(1, front, n, remembered[1], near[n]);
      for (let level = 0, at = n * levels; level < levels; level++, at++) {
        multiply(0, found[n], C);
        add(keysHigh[at], keysLow[at]);
        keysHigh[at] = hash.high;
        keysLow[at] = hash.low;
        multiply(hash.high, hash.low, B);
        slots[at] = this.first.slot(level, hash.high);
      }
    }
    const right = this.first.group(slots, count), wrong = [];
    right.forEach((one, n) => { if (!one) wrong.push(n); });
    if (wrong.length) this.#readWrong(front, indices, wrong, found, near, plain);
    this.memories.forEach((memory, level) => learn(memory, remembered[level], found));
    return found;
  }

  // The colour that came last in the surroundings of pixel n, or `otherwise`.
  #recall(level, { keysHigh, keysLow, levels }, n, { slots, tags }, otherwise) {
    const at = (n + 1) * levels - 2 + level, high = keysHigh[at];
    slots[n] = high >>> 14;
    tags[n] = (high | 0x80000000) * 256 + (keysLow[at] >>> 24);
    if (tags[n] < 0) tags[n] += 2 ** 40;
    const memory = this.memories[level];
    return memory.tags[slots[n]] === tags[n] ? memory.colours[slots[n]] : otherwise;
  }

  // The second guesses of pixels, and what they are where these are wrong, too.
  #readWrong(front, indices, wrong, found, near, plain) {
    const { levels, keysHigh, keysLow } = front, slots = new Uint32Array(wrong.length * levels);
    const guesses = found.slice();
    wrong.forEach((n, number) => {
      const around = [[0, -1], [-1, -1], [-1, 0], [-1, 1]].map(([down, right]) => front.beside(indices, n, down, right));
      found[n] = [near[n], plain[n], ...around].find((one) => one !== found[n]) ?? near[n];
      for (let level = 0; level < levels; level++) {
        multiply(0, found[n], D);
        add(keysHigh[n * levels + level], keysLow[n * levels + level]);
        multiply(hash.high, hash.low, B);
        slots[number * levels + level] = this.second.slot(level, hash.high);
      }
    });
    const right = this.second.group(slots, wrong.length), left = wrong.filter((_, number) => !right[number]);
    if (left.length) this.#spell(front, indices, left, guesses, found);
  }

  // `found` holds the second guesses of the pixels `left`, and then what they are.
  #spell(front, indices, left, guesses, found) {
    const nodes = new Uint32Array(left.length).fill(1), surroundings = left.map((n) => {
      const beside = (down, right) => front.beside(indices, n, down, right), west = beside(0, -1), north = beside(-1, 0);
      const both = pair([0, 0], west, north), around = pair(both, beside(-1, -1), beside(-1, 1));
      return [[0, 0], term(west, B), term(north, D), both, around, pair(around, guesses[n], found[n])];
    });
    for (let bit = 0; bit < this.bits; bit++) {
      const slots = new Uint32Array(left.length * SPELLING_LEVELS);
      nodes.forEach((node, n) => {
        for (let level = 0; level < SPELLING_LEVELS; level++) {
          multiply(0, node, C);
          add(...surroundings[n][level]);
          multiply(hash.high, hash.low, B);
          slots[n * SPELLING_LEVELS + level] = this.spelling.slot(level, hash.high);
        }
      });
      this.spelling.group(slots, left.length).forEach((one, n) => { nodes[n] = 2 * nodes[n] + one; });
    }
    left.forEach((n, place) => { found[n] = nodes[place] - 2 ** this.bits; });
  }
}

// A colour as a part of a hash, [high, low].
function term(colour, constant) {
  multiply(0, colour + 1, constant);
  return [hash.high, hash.low];
}

// The hash of a context with two colours more.
function pair([high, low], first, second) {
  const [one, other] = [term(first, B), term(second, D)];
  multiply(high, low, A);
  add(...one);
  add(...other);
  return [hash.high, hash.low];
}

// Remembers the colours of pixels; of several in a slot the one with the largest tag, then colour.
function learn({ tags, colours }, remembered, found) {
  for (const slot of remembered.slots) tags[slot] = colours[slot] = 0;
  remembered.slots.forEach((slot, n) => {
    const tag = remembered.tags[n];
    if (tag > tags[slot] || (tag === tags[slot] && found[n] > colours[slot])) {
      tags[slot] = tag;
      colours[slot] = found[n];
    }
  });
}
