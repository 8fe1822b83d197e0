// The probability tables of natural blocks, from the formula in docs/format.md with its order of operations.

import { Tables } from "../../nnc/rans.js";

export const LAST_INDEX = 84, UNIFORM_BITS = 7;
const TAILS = [-3, -2, -1], TAIL_SCALE = 3, SCALES = 36, RANGE = 127, PRECISION = 24, COLUMNS = 2 * RANGE + 2, MEAN_FRACTIONS = 16;
const FINE = 20, MIDDLE = 28, FINE_CLASSES = [0, 2, 4, 6, 8], MIDDLE_CLASSES = [1, 4, 7];
const FINE_COUNT = FINE * FINE_CLASSES.length, MIDDLE_COUNT = (MIDDLE - FINE) * MIDDLE_CLASSES.length;
const PER_SHAPE = FINE_COUNT + MIDDLE_COUNT + SCALES - MIDDLE;
const UNIFORM_FIRST = TAILS.length * PER_SHAPE - 1;
// The table of so many equally likely low bits.
export const uniformTable = (bits) => UNIFORM_FIRST + bits;

// The table of a scale index below 36, a shape 0 to 2, and a fraction of 0 to 8 sixteenths.
export function tableOf(index, shape, fraction) {
  const place = index < FINE ? index * FINE_CLASSES.length + ((fraction + 1) >> 1)
    : index < MIDDLE ? FINE_COUNT + (index - FINE) * MIDDLE_CLASSES.length + Math.floor(fraction / 3)
      : FINE_COUNT + MIDDLE_COUNT + index - MIDDLE;
  return place + PER_SHAPE * shape;
}

let made = null;
export function densityTables() {
  if (made) return made;
  const rows = [];
  for (const logit of TAILS) {
    const share = 1 / (1 + exponential(-logit));
    for (let index = 0; index < SCALES; index++) {
      const classes = index < FINE ? FINE_CLASSES : index < MIDDLE ? MIDDLE_CLASSES : [0];
      for (const fraction of classes) rows.push(chances(power(index), share, fraction / MEAN_FRACTIONS));
    }
  }
  for (let bits = 1; bits <= UNIFORM_BITS; bits++) {
    rows.push(Float64Array.from({ length: COLUMNS }, (_, n) => (n >= RANGE && n < RANGE + 2 ** bits ? 2 ** -bits : 0)));
  }
  const frequencies = new Uint32Array(rows.length * COLUMNS);
  rows.forEach((row, number) => frequencies.set(frequenciesOf(row), number * COLUMNS));
  made = new Tables(frequencies, COLUMNS, -RANGE, PRECISION);
  return made;
}

// The chances of -127 to 127 for a mean of `fraction`, and of everything outside.
function chances(scale, share, fraction) {
  const below = Array.from({ length: COLUMNS }, (_, n) => {
    const edge = n - RANGE - (0.5 + fraction);
    return (1 - share) * logistic(edge / scale) + share * logistic(edge / (TAIL_SCALE * scale));
  });
  return Float64Array.from(below, (value, n) => (n + 1 < COLUMNS ? below[n + 1] - value : 1 - (value - below[0])));
}

// Whole numbers of at least 1 that add up to 2^24.
function frequenciesOf(row) {
  const counts = Array.from(row, (chance) => Math.floor(Math.max(chance, 0) * (2 ** PRECISION - row.length)) + 1);
  counts[counts.indexOf(Math.max(...counts))] += 2 ** PRECISION - counts.reduce((sum, count) => sum + count, 0);
  return counts;
}

function logistic(value) {
  const small = exponential(-Math.abs(value));
  return (value < 0 ? small : 1) / (1 + small);
}

// Of plain arithmetic: Math.exp differs between browsers in the last bit.
function exponential(value) {
  const reduced = Math.min(Math.max(value, -700), 700) / 1024;
  let result = 1;
  for (let order = 8; order > 0; order--) result = 1 + (reduced * result) / order;
  for (let n = 0; n < 10; n++) result *= result;
  return result;
}

function power(index) {
  const root = Math.sqrt(2), quarter = Math.sqrt(root);
  return 2 ** (Math.floor(index / 4) - 5) * [1, quarter, root, root * quarter][index % 4];
}
