// Binary decisions in contexts of hashes of 64 bits, see docs/format.md. A hash is two numbers of 32 bits in `high` and `low`.

import { Corrupt } from "../../nnc/errors.js";
import { RansState } from "../../nnc/rans.js";

const ONE = 2 ** 22, WHOLE = 2 ** 24, WEIGHT = 4;

// Constants of hashes, [high, low].
export const A = [0x9e3779b9, 0x7f4a7c15], B = [0xc2b2ae3d, 0x27d4eb4f], C = [0x165667b1, 0x9e3779f9], D = [0xd6e8feb8, 0x6659fd93];

export const hash = { high: 0, low: 0 };

// hash = (high, low) * constant, modulo 2^64.
export function multiply(high, low, [otherHigh, otherLow]) {
  const a = low & 0xffff, b = low >>> 16, c = otherLow & 0xffff, d = otherLow >>> 16;
  const cross = Math.imul(b, c), other = Math.imul(a, d);
  const middle = (Math.imul(a, c) >>> 16) + (cross & 0xffff) + (other & 0xffff);
  const carried = (cross >>> 16) + (other >>> 16) + (middle >>> 16);
  hash.high = (Math.imul(b, d) + carried + Math.imul(high, otherLow) + Math.imul(low, otherHigh)) >>> 0;
  hash.low = Math.imul(low, otherLow) >>> 0;
}

// hash += (high, low), modulo 2^64.
export function add(high, low) {
  const sum = hash.low + low;
  hash.high = (hash.high + high + (sum > 0xffffffff ? 1 : 0)) >>> 0;
  hash.low = sum >>> 0;
}

export class DecisionReader {
  constructor(payload) {
    if (!payload.length || !payload.at(-1)) throw new Corrupt("a block: a synthetic block is not range-coded");
    this.state = new RansState(payload);
  }

  finish() {
    const { left, high, low } = this.state;
    if (left || high || low !== WHOLE) throw new Corrupt("a block: a synthetic block has more decisions than its samples need");
  }
}

// Counts of decisions in each context: a table of 2^slotBits slots for each level.
export class Contexts {
  constructor(reader, levels, slotBits) {
    const [seen, yes] = [1, 2].map(() => new Uint32Array(levels << slotBits));
    Object.assign(this, { reader, levels, slotBits, seen, yes });
  }

  // The slot of a context on a level, by the upper half of its hash.
  slot(level, high) { return (level << this.slotBits) + (high >>> (32 - this.slotBits)); }

  // Decisions (0 or 1) of a group. `slots` holds the levels' slots of each, one after another.
  group(slots, count) {
    const { seen, yes, levels, reader: { state } } = this, found = new Uint8Array(count);
    for (let n = 0; n < count; n++) {
      let chance = ONE / 2;
      for (let at = n * levels; at < (n + 1) * levels; at++) {
        chance = Math.floor((yes[slots[at]] * ONE + WEIGHT * chance) / (seen[slots[at]] + WEIGHT));
      }
      found[n] = state.decision(Math.floor(((ONE - chance) * (WHOLE - 2)) / ONE) + 1) ? 1 : 0;
    }
    if (!state.left && state.high === 0 && state.low < WHOLE) {
      throw new Corrupt("a block: a synthetic block has fewer decisions than its samples need");
    }
    for (let at = 0; at < count * levels; at++) {
      seen[slots[at]]++;
      yes[slots[at]] += found[Math.floor(at / levels)];
    }
    return found;
  }
}
