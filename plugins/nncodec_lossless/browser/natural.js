// Natural blocks: samples coarse to fine, each with the mean, scale and shape that networks give it. As in
// nncodec_lossless/natural, everything is whole numbers or single float32 operations (Math.fround).

import { Corrupt } from "../../nnc/errors.js";
import { RansReader } from "../../nnc/rans.js";
import { densityTables, LAST_INDEX, tableOf, UNIFORM_BITS, uniformTable } from "./density.js";

const PHASES = [[0, 0], [1, 1], [0, 1], [1, 0]], PAD = 2, COARSEST = 8, EARLIER = 2;
const MOST_PADDED = 4, FREE_PADDING = 2 ** 22, AT_ONCE = 2 ** 13, FARTHEST = 2 ** 18;
const MEAN_STEPS = 16, UNIT = 64, LIMIT = 511, MANTISSA = 21, FIRST_LEVEL = 127 * 4, LEVEL_STEPS = 7, LEVEL_CENTRE = 12, START_ERROR = 8;
const HIDDEN = 32, WEIGHT_STEPS = 512, LEAST_CHANGED = 2 ** 13, FITTED = 2, CHANGE_STEPS = 2, CONSTANT = 64, LARGEST_SUM = 4924, INDEX_BITS = 7, CHANGE_SHAPE = 1;
const SCALE_OFFSET = -56, FIRST_SCALE = -80;
const EVEN = 1.5 * 2 ** 52, round = (value) => value + EVEN - EVEN, clip = (value, low, high) => Math.min(Math.max(value, low), high);
const refuse = (text) => { throw new Corrupt(`a block: ${text}`); };

// Places (phase, row, column) around a sample of phases 1 to 3: in its own plane, in earlier planes, and those of errors.
const square = [-1, 0, 1, 2].flatMap((y) => [-1, 0, 1, 2].map((x) => [0, y, x]));
const isInner = ([, y, x]) => y >= 0 && y < 2 && x >= 0 && x < 2;
const OWN = [
  [...square.filter(isInner), ...square.filter((place) => !isInner(place))],
  [
    [0, 0, 0], [0, 0, 1], [1, -1, 0], [1, 0, 0], [0, -1, 0], [0, -1, 1], [0, 1, 0], [0, 1, 1],
    [1, -1, -1], [1, -1, 1], [1, 0, -1], [1, 0, 1], [0, 0, -1], [0, 0, 2], [1, -2, 0], [1, 1, 0],
  ],
  [
    [0, 0, 0], [0, 1, 0], [1, 0, -1], [1, 0, 0], [2, 0, -1], [2, 0, 0], [2, 1, -1], [2, 1, 0], [0, 0, -1], [0, 0, 1],
    [0, 1, -1], [0, 1, 1], [1, -1, -1], [1, -1, 0], [1, 1, -1], [1, 1, 0], [0, -1, 0], [0, 2, 0], [1, 0, -2], [1, 0, 1],
  ],
];
const LATER = [[[2, 0, 0], [2, 1, 0], [3, 0, 0], [3, 0, 1]], [[3, -1, 0], [3, -1, 1], [3, 0, 0], [3, 0, 1]], []];
const SEEN = OWN.map((own, n) => [[n + 1, 0, 0], ...own.slice(0, 8), ...LATER[n]]);
const ERRORS = [
  [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]],
  [[1, -1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]],
  [[1, 0, -1], [1, 0, 0], [2, 0, 0], [2, 1, 0]],
];

export function natural(networks, content, [frames, height, width, depth], bits) {
  const places = frames * 4 * (Math.ceil(height / 2) + 2 * PAD) * (Math.ceil(width / 2) + 2 * PAD);
  if (places > Math.max(FREE_PADDING, MOST_PADDED * frames * height * width)) refuse("a natural block has too many edges for its size");
  const transform = content[0], top = 2 ** bits - 1;
  if (!(transform < 2)) refuse("a natural block names no colour transform");
  if (transform && depth !== 3) refuse(`a natural block has a colour transform, but ${depth} planes`);
  const ranges = Array.from({ length: depth }, (_, plane) => [transform && plane ? -top : 0, top]);
  const reader = new RansReader(content.subarray(1), { tables: densityTables() });
  const planes = decodePlanes(networks, reader, frames, height, width, ranges);
  reader.finish();
  return joined(planes, transform, top);
}

// The planes with their colour transform undone, interleaved.
function joined(planes, transform, top) {
  const size = planes[0].length, depth = planes.length, found = new Uint16Array(size * depth);
  for (let n = 0; n < size; n++) {
    let values = planes.map((plane) => plane[n]);
    if (transform) {
      const [luma, orange, greenness] = values, middle = luma - (greenness >> 1), blue = middle - (orange >> 1);
      values = [orange + blue, greenness + middle, blue];
    }
    for (let plane = 0; plane < depth; plane++) found[n * depth + plane] = clip(values[plane], 0, top);
  }
  return found;
}

function readUniform(reader, count, bits) {
  const found = new Int32Array(count);
  for (let start = 0; start < bits; start += UNIFORM_BITS) {
    const some = Math.min(UNIFORM_BITS, bits - start), digits = reader.take(new Int16Array(count).fill(uniformTable(some)));
    for (let n = 0; n < count; n++) found[n] += clip(digits[n], 0, 2 ** some - 1) * 2 ** start;
  }
  return found;
}

function decodePlanes(networks, reader, frames, height, width, ranges) {
  const sizes = [[height, width]];
  while (Math.max(...sizes[0]) > COARSEST) sizes.unshift(sizes[0].map((edge) => (edge + 1) >> 1));
  const [[rows, columns], ...finer] = sizes;
  let planes = ranges.map(([low, high]) => {
    const numbers = readUniform(reader, frames * rows * columns, Math.ceil(Math.log2(high - low + 1)));
    return numbers.map((number) => clip(number + low, low, high));
  });
  let errors = planes.map((plane) => new Float32Array(plane.length).fill(START_ERROR));
  let coarse = [rows, columns];
  for (const size of finer) {
    const grid = new Grid(frames, coarse, size, planes, errors);
    ranges.forEach((range, plane) => [1, 2, 3].forEach((phase) => {
      const network = networks[`stage_${Math.min(plane, EARLIER) * 3 + phase - 1}`];
      decodePhase(network, reader, grid, plane, phase, range);
    }));
    planes = grid.joined(grid.samples, Int32Array);
    errors = grid.joined(grid.errors, Float32Array);
    coarse = size;
  }
  return planes;
}

// One grid, partly decoded: arrays of each plane's phases with their edges repeated all around.
class Grid {
  constructor(frames, [rows, columns], size, planes, errors) {
    Object.assign(this, { frames, size, line: columns + 2 * PAD, plane: (rows + 2 * PAD) * (columns + 2 * PAD) });
    this.rows = rows + 2 * PAD;
    this.samples = planes.map((plane) => [this.#padded(plane, rows, columns)]);
    this.errors = errors.map((plane) => [this.#padded(plane, rows, columns)]);
  }

  // Rows and columns of a phase, which may be 0.
  extent(phase) {
    return this.size.map((edge, axis) => (edge - PHASES[phase][axis] + 1) >> 1);
  }

  add(plane, phase, values, errors) {
    const [rows, columns] = this.extent(phase);
    this.samples[plane][phase] = values.length ? this.#padded(values, rows, columns) : this.samples[plane][0];
    this.errors[plane][phase] = values.length ? this.#padded(errors, rows, columns) : this.errors[plane][0];
  }

  #padded(values, rows, columns) {
    const { frames, line, plane } = this, found = new Float32Array(frames * plane);
    for (let frame = 0, at = 0; frame < frames; frame++) {
      for (let y = 0; y < this.rows; y++) {
        const from = (frame * rows + clip(y - PAD, 0, rows - 1)) * columns;
        for (let x = 0; x < line; x++) found[at++] = values[from + clip(x - PAD, 0, columns - 1)];
      }
    }
    return found;
  }

  joined(phases, kind) {
    const [height, width] = this.size;
    return phases.map((own) => {
      const found = new kind(this.frames * height * width);
      PHASES.forEach(([top, left], phase) => {
        const [rows, columns] = this.extent(phase);
        for (let frame = 0; frame < this.frames; frame++) {
          for (let y = 0; y < rows; y++) {
            const from = frame * this.plane + (PAD + y) * this.line + PAD, to = (frame * height + top + 2 * y) * width + left;
            for (let x = 0; x < columns; x++) found[to + 2 * x] = own[phase][from + x];
          }
        }
      });
      return found;
    });
  }
}

const bitsOf = new Int32Array(1), floatOf = new Float32Array(bitsOf.buffer);
// The logarithm of an activity of at least 1, in quarters of an octave.
function levelOf(activity) {
  floatOf[0] = Math.max(activity, 1);
  return (bitsOf[0] >> MANTISSA) - FIRST_LEVEL;
}
function unitOf(activity) {
  floatOf[0] = Math.max(activity, 1);
  bitsOf[0] &= -(2 ** MANTISSA);
  return floatOf[0];
}

function decodePhase(network, reader, grid, plane, phase, [low, high]) {
  const [rows, columns] = grid.extent(phase), count = grid.frames * rows * columns;
  if (!count) {
    grid.add(plane, phase, [], []);
    return;
  }
  const means = new Int32Array(count), tables = new Int16Array(count), shifts = new Uint8Array(count);
  const features = new Features(grid, plane, phase);
  const change = count >= LEAST_CHANGED && readUniform(reader, 1, 1)[0] ? new Change(reader, features.channels) : null;
  for (let start = 0; start < count; start += AT_ONCE) {
    const some = Math.min(AT_ONCE, count - start);
    const { sums, units, levels, data, channels } = features.of(start, some, rows, columns);
    const [{ data: outputs, stride }, hidden] = network.run({ data, count: 1, height: 1, width: some, channels });
    if (change) change.add(outputs, stride, data, hidden, some);
    for (let n = 0, out = 0; n < some; n++, out += stride) {
      const mean = round(Math.fround(Math.fround(outputs[out] * units[n]) / MEAN_STEPS)) + 4 * sums[n];
      const scale = round(outputs[out + 1]) + 4 * levels[n] + SCALE_OFFSET, shape = clip(round(outputs[out + 2] / MEAN_STEPS), -1, 1) + 1;
      const index = clip(Math.floor((scale - FIRST_SCALE) / 4), 0, LAST_INDEX), shift = Math.max(0, (index - 32) >> 2);
      const own = clip(mean, low * MEAN_STEPS, high * MEAN_STEPS);
      means[start + n] = own;
      shifts[start + n] = shift;
      tables[start + n] = tableOf(index - 4 * shift, shape, Math.abs(fractionOf(own)));
    }
  }
  const distances = readDistances(reader, tables, shifts), values = new Int32Array(count), errors = new Float32Array(count);
  for (let n = 0; n < count; n++) {
    const base = (means[n] + MEAN_STEPS / 2) >> 4;
    values[n] = clip(fractionOf(means[n]) < 0 ? base - distances[n] : base + distances[n], low, high);
    errors[n] = Math.abs(values[n] * MEAN_STEPS - means[n]) / MEAN_STEPS;
  }
  grid.add(plane, phase, values, errors);
}

// What a mean in sixteenths lies beyond the nearest level, -8 to 7.
const fractionOf = (mean) => ((mean + MEAN_STEPS / 2) & (MEAN_STEPS - 1)) - MEAN_STEPS / 2;

// Distances of samples from their levels: symbols, then the low bits of those whose density is wide.
function readDistances(reader, tables, shifts) {
  const symbols = reader.take(tables), most = shifts.reduce((largest, shift) => Math.max(largest, shift), 0);
  if (!most) return symbols;
  const found = Float64Array.from(symbols, (symbol, n) => clip(symbol, -FARTHEST, FARTHEST) * 2 ** shifts[n]);
  for (let bits = 1; bits <= most; bits++) {
    const members = [];
    shifts.forEach((shift, n) => { if (shift === bits) members.push(n); });
    if (!members.length) continue;
    const numbers = readUniform(reader, members.length, bits);
    members.forEach((n, place) => { found[n] = clip(found[n] + numbers[place] - 2 ** (bits - 1), -FARTHEST, FARTHEST); });
  }
  return found;
}

// What a stage adds to the outputs of its network, see nncodec_lossless/natural/adaptation.py.
class Change {
  constructor(reader, channels) {
    const runs = Array.from({ length: FITTED }, () => [channels + 1, HIDDEN]).flat(), size = channels + 1 + HIDDEN;
    const indices = readUniform(reader, runs.length, INDEX_BITS), tables = [], shifts = [];
    runs.forEach((length, run) => {
      const index = Math.min(indices[run], LAST_INDEX), shift = Math.max(0, (index - 32) >> 2);
      for (let n = 0; n < length; n++) {
        tables.push(tableOf(index - 4 * shift, CHANGE_SHAPE, 0));
        shifts.push(shift);
      }
    });
    const numbers = readDistances(reader, Int16Array.from(tables), Uint8Array.from(shifts));
    this.channels = channels;
    this.rows = Array.from({ length: FITTED }, (_, row) => numbers.slice(row * size, (row + 1) * size));
    if (this.rows.some((row) => row.reduce((sum, number) => sum + Math.abs(number), 0) > LARGEST_SUM)) {
      refuse("a natural block changes weights so much that sums might not be exact");
    }
  }

  // Add to the outputs of so many places, given their features and their hidden layer.
  add(outputs, stride, features, hidden, count) {
    const { channels, rows } = this;
    rows.forEach((row, output) => {
      for (let n = 0; n < count; n++) {
        let sum = CONSTANT * row[channels];
        for (let c = 0, at = n * channels; c < channels; c++) sum += row[c] * features[at + c];
        for (let c = 0, at = n * hidden.stride; c < HIDDEN; c++) sum += row[channels + 1 + c] * hidden.data[at + c];
        outputs[n * stride + output] += (CHANGE_STEPS * sum) / WEIGHT_STEPS;
      }
    });
  }
}

// What the network of a stage sees.
class Features {
  constructor(grid, plane, phase) {
    const places = (list) => list.map(([from, y, x]) => [from, y * grid.line + x]), first = Math.max(0, plane - EARLIER);
    const own = places(OWN[phase - 1]), seen = places(SEEN[phase - 1]), errors = places(ERRORS[phase - 1]);
    const of = (arrays, list) => list.map(([from, offset]) => ({ values: arrays[from], offset }));
    Object.assign(this, { grid, own: of(grid.samples[plane], own), errors: of(grid.errors[plane], errors), earlier: [] });
    for (let before = first; before < plane; before++) {
      this.earlier.push(of(grid.samples[before], seen));
      this.errors.push({ values: grid.errors[before][phase], offset: 0 });
    }
    this.told = this.earlier.length ? 2 : 1;
    this.channels = own.length + this.earlier.length * seen.length + this.errors.length + this.told;
    this.ownShare = Math.fround(4 / own.length);
    this.seenShare = this.earlier.length ? Math.fround(1 / (this.earlier.length * seen.length)) : 0;
  }

  // Features of so many places from number `start` on, with what the outputs are relative to.
  of(start, count, rows, columns) {
    const { grid, own, earlier, errors, channels, told } = this, data = new Float32Array(count * channels), known = channels - told;
    const sums = new Float64Array(count), units = new Float64Array(count), levels = new Int32Array(count);
    for (let n = 0; n < count; n++) {
      const place = start + n, x = place % columns, y = Math.floor(place / columns) % rows, frame = Math.floor(place / columns / rows);
      const at = frame * grid.plane + (PAD + y) * grid.line + PAD + x, begin = n * channels;
      let to = begin;
      for (let four = 0; four < 4; four++) sums[n] += own[four].values[at + own[four].offset];
      let total = 0, centre = sums[n] / 4;
      for (const { values, offset } of own) {
        const value = values[at + offset] - centre;
        data[to++] = value;
        total += Math.abs(value);
      }
      let activity = Math.fround(total * this.ownShare);
      const ownLevel = levelOf(activity);
      if (told === 2) {
        total = 0;
        for (const seen of earlier) {
          centre = 0;
          for (let four = 1; four < 5; four++) centre += seen[four].values[at + seen[four].offset];
          centre /= 4;
          for (const { values, offset } of seen) {
            const value = values[at + offset] - centre;
            data[to++] = value;
            total += Math.abs(value);
          }
        }
        activity = Math.fround(activity + Math.fround(total * this.seenShare));
      }
      for (const { values, offset } of errors) data[to++] = values[at + offset];
      units[n] = unitOf(activity);
      levels[n] = levelOf(activity);
      const factor = Math.fround((4 * UNIT) / units[n]);
      for (let c = begin; c < begin + known; c++) data[c] = clip(round(Math.fround(data[c] * factor)), -LIMIT, LIMIT);
      if (told === 2) data[to++] = (levels[n] - LEVEL_CENTRE) * LEVEL_STEPS;
      data[to] = (ownLevel - LEVEL_CENTRE) * LEVEL_STEPS;
    }
    return { sums, units, levels, data, channels };
  }
}
