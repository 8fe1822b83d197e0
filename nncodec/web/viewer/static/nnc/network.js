// Runs recorded networks (see nncodec/web/viewer/networks.py) on the kernels.
//
// An array of a network is {at, count, height, width, channels, stride}: float32 in the kernels' memory, channels last, `stride`
// floats from one position to the next, of which those beyond the channels are 0.

import { makeKernels, PANEL } from "./kernels.js";

const PAGE = 65536, START_PAGES = 16, AT_ONCE = 64;  // positions of a product, so that they stay in a processor's cache
const padded = (channels) => Math.ceil(channels / PANEL) * PANEL;
const positionsOf = ({ count, height, width }) => count * height * width;

// Memory of networks: layers stay, arrays are given back.
export class Workspace {
  static async make() {
    const space = new Workspace();
    space.memory = new WebAssembly.Memory({ initial: START_PAGES });
    space.kernels = await makeKernels(space.memory);
    space.top = 1024;
    space.free = new Map();
    return space;
  }

  get floats() {
    if (this.view?.buffer !== this.memory.buffer) this.view = new Float32Array(this.memory.buffer);
    return this.view;
  }

  // The address of so many floats.
  take(size) {
    const kept = this.free.get(size)?.pop();
    if (kept) return kept;
    const at = this.top, missing = at + 4 * size - this.memory.buffer.byteLength;
    if (missing > 0) this.memory.grow(Math.ceil(missing / PAGE));
    this.top += 4 * size;
    return at;
  }

  // Forgets every array that was taken since the top was `top`.
  reset(top) {
    this.top = top;
    this.free.clear();
  }

  array(count, height, width, channels) {
    const stride = padded(channels);
    return { at: this.take(count * height * width * stride), count, height, width, channels, stride };
  }

  give({ at, count, height, width, stride }) {
    const size = count * height * width * stride;
    if (!this.free.has(size)) this.free.set(size, []);
    this.free.get(size).push(at);
  }

  // A layer in the form of the kernels. `weight` is (outputs, inputs, rows, columns), of depthwise layers (channels, 1, ...).
  layer(weight, bias, [outputs, inputs, rows, columns], depthwise) {
    const stride = padded(outputs), taps = rows * columns, size = (depthwise ? stride : stride * inputs) * taps;
    const at = this.take(size), biasAt = this.take(stride), { floats } = this;
    floats.fill(0, at / 4, at / 4 + size).fill(0, biasAt / 4, biasAt / 4 + stride).set(bias, biasAt / 4);
    for (let output = 0, source = 0; output < outputs; output++) {
      for (let input = 0; input < inputs; input++) {
        for (let tap = 0; tap < taps; tap++, source++) {
          const panel = (tap * stride) / PANEL + Math.floor(output / PANEL);
          const place = depthwise ? tap * stride + output : (panel * inputs + input) * PANEL + (output % PANEL);
          floats[at / 4 + place] = weight[source];
        }
      }
    }
    return { at, biasAt, outputs, inputs, rows, columns, stride, depthwise };
  }
}

const OPERATIONS = {
  convolve(space, { layer, margins, replicate }, [values]) {
    const around = margins.some(Boolean) ? withMargins(space, values, margins, replicate) : values;
    const { rows, columns, outputs } = layer;
    const result = space.array(values.count, around.height - rows + 1, around.width - columns + 1, outputs);
    if (layer.depthwise) depthwise(space, around, layer, result);
    else product(space, around, layer, result);
    if (around !== values) space.give(around);
    return result;
  },

  leaky_relu(space, { slope }, [values]) {
    space.kernels.leak(values.at, endOf(values), slope);
    return values;
  },

  bounded(space, { limit }, [values]) {
    space.kernels.bound(values.at, endOf(values), limit ?? Infinity);
    return values;
  },

  sigmoid(space, _, [values]) {
    const { floats } = space, { stride, channels } = values;
    for (let at = values.at / 4, end = endOf(values) / 4; at < end; at += stride) {
      for (let n = at; n < at + channels; n++) floats[n] = 1 / (1 + Math.exp(-floats[n]));
    }
    return values;
  },

  add(space, _, [first, second]) {
    space.kernels.add(first.at, endOf(first), second.at);
    return first;
  },

  shuffle(space, { factor }, [values]) {
    const { count, height, width, channels } = values, kept = channels / factor ** 2;
    const result = space.array(count, height * factor, width * factor, kept), { floats } = space;
    if (kept !== result.stride) clear(space, result);
    for (let row = 0; row < count * height; row++) {
      for (let column = 0; column < width; column++) {
        const source = values.at / 4 + (row * width + column) * values.stride;
        for (let dy = 0, tap = 0; dy < factor; dy++) {
          let target = result.at / 4 + ((row * factor + dy) * result.width + column * factor) * result.stride;
          for (let dx = 0; dx < factor; dx++, tap++, target += result.stride) {
            for (let channel = 0; channel < kept; channel++) floats[target + channel] = floats[source + tap + channel * factor * factor];
          }
        }
      }
    }
    return result;
  },

  enlarge(space, { factor }, [values]) {
    const { count, height, width, channels, stride } = values;
    const result = space.array(count, height * factor, width * factor, channels), { floats } = space;
    for (let row = 0; row < count * height * factor; row++) {
      for (let column = 0; column < result.width; column++) {
        const source = values.at / 4 + (Math.floor(row / factor) * width + Math.floor(column / factor)) * stride;
        floats.copyWithin(result.at / 4 + (row * result.width + column) * stride, source, source + stride);
      }
    }
    return result;
  },

  channels(space, { start, stop }, [values]) {
    const { count, height, width } = values, result = space.array(count, height, width, stop - start), { floats } = space;
    if (result.channels !== result.stride) clear(space, result);
    for (let n = 0; n < positionsOf(values); n++) {
      const source = values.at / 4 + n * values.stride;
      floats.copyWithin(result.at / 4 + n * result.stride, source + start, source + stop);
    }
    return result;
  },
};

const endOf = (values) => values.at + 4 * positionsOf(values) * values.stride;
const clear = ({ floats }, values) => floats.fill(0, values.at / 4, endOf(values) / 4);

function withMargins(space, values, [left, right, top, bottom], replicate) {
  const { count, height, width, channels, stride } = values;
  const result = space.array(count, top + height + bottom, left + width + right, channels), { floats } = space;
  const size = width * stride;
  for (let frame = 0; frame < count; frame++) {
    for (let row = 0; row < result.height; row++) {
      const start = result.at / 4 + (frame * result.height + row) * result.width * stride, end = start + result.width * stride;
      const inside = row >= top && row < top + height;
      if (!inside && !replicate) {
        floats.fill(0, start, end);
        continue;
      }
      const from = values.at / 4 + (frame * height + Math.min(Math.max(row - top, 0), height - 1)) * size;
      floats.copyWithin(start + left * stride, from, from + size);
      for (let n = 0; n < left; n++) edge(floats, start + n * stride, from, stride, replicate);
      for (let n = 1; n <= right; n++) edge(floats, end - n * stride, from + size - stride, stride, replicate);
    }
  }
  return result;
}

function edge(floats, at, from, stride, replicate) {
  if (replicate) floats.copyWithin(at, from, from + stride);
  else floats.fill(0, at, at + stride);
}

function product({ kernels }, values, { at, biasAt, inputs, rows, columns, stride }, result) {
  const panels = stride / PANEL, taps = rows * columns, aStride = 4 * values.stride, outStride = 4 * stride;
  const run = (a, out, positions) => {
    for (let start = 0; start < positions; start += AT_ONCE) {
      const some = Math.min(AT_ONCE, positions - start), target = out + start * outStride;
      for (let tap = 0; tap < taps; tap++) {
        const from = a + (start + Math.floor(tap / columns) * values.width + (tap % columns)) * aStride;
        const weights = at + 4 * tap * stride * inputs;
        kernels.product(from, aStride, weights, tap ? target : biasAt, tap ? outStride : 0, target, outStride, some, inputs, panels);
      }
    }
  };
  if (taps === 1) {
    run(values.at, result.at, positionsOf(result));
    return;
  }
  for (let frame = 0; frame < result.count; frame++) {
    for (let row = 0; row < result.height; row++) {
      const a = values.at + (frame * values.height + row) * values.width * aStride;
      run(a, result.at + (frame * result.height + row) * result.width * outStride, result.width);
    }
  }
}

function depthwise({ kernels }, values, { at, biasAt, rows, columns }, result) {
  const stride = 4 * values.stride, aRow = values.width * stride;
  for (let frame = 0; frame < result.count; frame++) {
    for (let row = 0; row < result.height; row++) {
      const a = values.at + (frame * values.height + row) * aRow;
      const out = result.at + (frame * result.height + row) * result.width * stride;
      kernels.depthwise(a, aRow, at, biasAt, out, result.width, stride, rows, columns);
    }
  }
}

// A recorded network {nodes, outputs} with its layers in place. Node n makes value `inputs + n` from the values `of`.
export class Network {
  constructor(space, inputs, nodes, outputs, layers) {
    Object.assign(this, { space, inputs, outputs });
    this.nodes = nodes.map((node) => ({ ...node, layer: layers[node.layer] }));
    this.lastUse = new Map();
    nodes.forEach(({ of }, place) => of.forEach((value) => this.lastUse.set(value, place)));
    outputs.forEach((value) => this.lastUse.set(value, Infinity));
  }

  // Each of `given` is {data (Float32Array), count, height, width, channels}; returns arrays of the same form, with a `stride`
  // from one position to the next. They are views that the next run overwrites.
  run(...given) {
    const { space } = this, bottom = space.top;
    try {
      return this.#run(given);
    } finally {
      space.reset(bottom);
    }
  }

  #run(given) {
    const { space, nodes, lastUse } = this;
    const values = given.map(({ data, count, height, width, channels }) => {
      const array = space.array(count, height, width, channels), { floats } = space, { at, stride } = array;
      if (channels === stride) {
        floats.set(data, at / 4);
        return array;
      }
      clear(space, array);
      for (let n = 0; n < positionsOf(array); n++) floats.set(data.subarray(n * channels, (n + 1) * channels), at / 4 + n * stride);
      return array;
    });
    nodes.forEach(({ op, of, ...options }, place) => {
      const made = OPERATIONS[op](space, options, of.map((value) => values[value]));
      values.push(made);
      for (const value of new Set(of)) {
        if (lastUse.get(value) === place && values[value] !== made) space.give(values[value]);
      }
    });
    const { floats } = space;
    return this.outputs.map((value) => {
      const { at, stride, ...shape } = values[value];
      return { data: floats.subarray(at / 4, at / 4 + positionsOf(shape) * stride), stride, ...shape };
    });
  }
}
