// The inner loops of networks as WebAssembly with vectors of four float32, assembled here: matrix product, depthwise convolution,
// and what is done to single values. Arrays have their channels last, and a number of channels that is a multiple of 8.

const I32 = 0x7f, F32 = 0x7d, V128 = 0x7b;
const PANEL = 8;       // outputs that a product computes at once, for
const POSITIONS = 4;   // so many positions
const UNROLLED = 4;

// --- an assembler for what is needed here

function leb(value) {
  const bytes = [];
  do {
    bytes.push((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>>= 7;
  } while (value);
  return bytes;
}
function signed(value) {
  const bytes = [];
  for (;;) {
    const byte = value & 0x7f;
    value >>= 7;
    const last = (value === 0 && !(byte & 0x40)) || (value === -1 && byte & 0x40);
    bytes.push(last ? byte : byte | 0x80);
    if (last) return bytes;
  }
}
const get = (local) => [0x20, ...leb(local)];
const set = (local) => [0x21, ...leb(local)];
const constant = (value) => [0x41, ...signed(value)];
const vector = (operation) => [0xfd, ...leb(operation)];
const ADD = [0x6a], SUB = [0x6b], MUL = [0x6c], SHL = [0x74], AND = [0x71], LESS = [0x49], NOT_LESS = [0x4f];
const VADD = vector(0xe4), VMUL = vector(0xe6), VMIN = vector(0xea), VMAX = vector(0xeb), NEAREST = vector(0x6a), SPLAT = vector(0x13);
const MULTIPLY_ADD = vector(0x105);
const load = (offset) => [...vector(0x00), 4, ...leb(offset)];
const loadSplat = (offset) => [...vector(0x09), 2, ...leb(offset)];
const store = (offset) => [...vector(0x0b), 4, ...leb(offset)];
const increase = (local, amount) => [...get(local), ...amount, ...ADD, ...set(local)];
// Repeats while `condition` holds, which is checked first.
const repeat = (condition, ...body) => [0x02, 0x40, 0x03, 0x40, ...condition, 0x45, 0x0d, 1, ...body.flat(), 0x0c, 0, 0x0b, 0x0b];

const vec = (items) => [...leb(items.length), ...items.flat()];
const section = (id, content) => [id, ...leb(content.length), ...content];
const text = (name) => vec([...new TextEncoder().encode(name)]);

// A module from functions {name, parameters, integers, vectors, body}; locals are numbered in that order.
function assemble(functions) {
  const types = functions.map(({ parameters }) => [0x60, ...vec(parameters.map((kind) => [kind])), 0]);
  const code = functions.map(({ integers, vectors, body }) => {
    const content = [2, ...leb(integers), I32, ...leb(vectors), V128, ...body, 0x0b];
    return [...leb(content.length), ...content];
  });
  return new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vec(types)),
    ...section(2, vec([[...text("js"), ...text("memory"), 2, 0, 0]])),
    ...section(3, vec(functions.map((_, n) => leb(n)))),
    ...section(7, vec(functions.map(({ name }, n) => [...text(name), 0, ...leb(n)]))),
    ...section(10, vec(code)),
  ]);
}

// --- the loops

// product(a, aStride, w, init, initStride, out, outStride, positions, inputs, panels): strides in bytes; `w` holds panels of
// (inputs, 8); sums start from `init`, a bias (stride 0) or earlier sums.
function product(fused) {
  const [a, aStride, w, init, initStride, out, outStride, positions, inputs, panels] = Array(10).keys();
  const [left, pa, pi, po, wp, end] = [10, 11, 12, 13, 14, 15];
  const rows = [16, 17, 18, 19], sums = Array.from({ length: PANEL }, (_, n) => 20 + n), w0 = 28, w1 = 29, x = 30;
  const accumulate = (sum, weight) =>
    fused ? [...get(x), ...get(weight), ...get(sum), ...MULTIPLY_ADD, ...set(sum)]
      : [...get(x), ...get(weight), ...VMUL, ...get(sum), ...VADD, ...set(sum)];
  const step = (count, unrolled) => {
    const code = [];
    for (let k = 0; k < unrolled; k++) {
      code.push(...get(wp), ...load(32 * k), ...set(w0), ...get(wp), ...load(32 * k + 16), ...set(w1));
      for (let row = 0; row < count; row++) {
        code.push(...get(rows[row]), ...loadSplat(4 * k), ...set(x));
        code.push(...accumulate(sums[2 * row], w0), ...accumulate(sums[2 * row + 1], w1));
      }
    }
    for (let row = 0; row < count; row++) code.push(...increase(rows[row], constant(4 * unrolled)));
    return [...code, ...increase(wp, constant(32 * unrolled))];
  };
  const address = (start, stride, row) => [...get(start), ...(row ? [...get(stride), ...constant(row), ...MUL, ...ADD] : [])];
  const tile = (count) => {
    const code = [...get(w), ...set(wp)];
    for (let row = 0; row < count; row++) {
      code.push(...address(pa, aStride, row), ...set(rows[row]));
      for (const half of [0, 1]) code.push(...address(pi, initStride, row), ...load(16 * half), ...set(sums[2 * row + half]));
    }
    code.push(...get(w), ...get(inputs), ...constant(-UNROLLED), ...AND, ...constant(5), ...SHL, ...ADD, ...set(end));
    code.push(...repeat([...get(wp), ...get(end), ...LESS], step(count, UNROLLED)));
    code.push(...get(w), ...get(inputs), ...constant(5), ...SHL, ...ADD, ...set(end));
    code.push(...repeat([...get(wp), ...get(end), ...LESS], step(count, 1)));
    for (let row = 0; row < count; row++) {
      for (const half of [0, 1]) {
        code.push(...address(po, outStride, row), ...get(sums[2 * row + half]), ...store(16 * half));
      }
    }
    const move = (pointer, stride) => increase(pointer, [...get(stride), ...constant(count), ...MUL]);
    return [...code, ...move(pa, aStride), ...move(pi, initStride), ...move(po, outStride), ...increase(left, constant(-count))];
  };
  const body = repeat(
    get(panels),
    [...get(positions), ...set(left), ...get(a), ...set(pa), ...get(init), ...set(pi), ...get(out), ...set(po)],
    repeat([...get(left), ...constant(POSITIONS), ...NOT_LESS], tile(POSITIONS)),
    repeat(get(left), tile(1)),
    [...increase(w, [...get(inputs), ...constant(5), ...SHL]), ...increase(init, constant(32)), ...increase(out, constant(32))],
    increase(panels, constant(-1)),
  );
  return { name: "product", parameters: Array(10).fill(I32), integers: 10, vectors: 11, body };
}

// depthwise(a, aRow, w, bias, out, width, stride, rows, columns): one row of results; `aRow` and `stride` (of a position) in bytes.
function depthwise() {
  const [a, aRow, w, bias, out, width, stride, rows, columns] = Array(9).keys();
  const [channel, row, column, pa, pw, start] = [9, 10, 11, 12, 13, 14], sum = 15;
  const body = repeat(
    get(width),
    [...constant(0), ...set(channel)],
    repeat(
      [...get(channel), ...get(stride), ...LESS],
      [...get(bias), ...get(channel), ...ADD, ...load(0), ...set(sum)],
      [...get(w), ...get(channel), ...ADD, ...set(pw), ...get(a), ...get(channel), ...ADD, ...set(start), ...get(rows), ...set(row)],
      repeat(
        get(row),
        [...get(start), ...set(pa), ...get(columns), ...set(column)],
        repeat(
          get(column),
          [...get(pa), ...load(0), ...get(pw), ...load(0), ...VMUL, ...get(sum), ...VADD, ...set(sum)],
          [...increase(pa, get(stride)), ...increase(pw, get(stride)), ...increase(column, constant(-1))],
        ),
        [...increase(start, get(aRow)), ...increase(row, constant(-1))],
      ),
      [...get(out), ...get(channel), ...ADD, ...get(sum), ...store(0)],
      increase(channel, constant(16)),
    ),
    [...increase(a, get(stride)), ...increase(out, get(stride)), ...increase(width, constant(-1))],
  );
  return { name: "depthwise", parameters: Array(9).fill(I32), integers: 6, vectors: 1, body };
}

// A function of (values, end, number) that changes every value between two addresses.
function each(name, change) {
  const [at, end, number, splat] = [0, 1, 2, 3];
  const body = [
    ...get(number), ...SPLAT, ...set(splat),
    ...repeat(
      [...get(at), ...get(end), ...LESS],
      [...get(at), ...get(at), ...load(0), ...change(splat), ...store(0)],
      increase(at, constant(16)),
    ),
  ];
  return { name, parameters: [I32, I32, F32], integers: 0, vectors: 2, body };
}

const leak = each("leak", (slope) => [...set(4), ...get(4), ...get(4), ...get(slope), ...VMUL, ...VMAX]);
// Rounds to whole numbers, ties to even, and clips to +-number.
const bound = each("bound", (limit) => [
  ...NEAREST, ...get(limit), ...VMIN, ...constant(0), ...vector(0x11), ...get(limit), ...vector(0xe5), ...VMAX,
]);

// add(values, end, others): adds others to values.
const add = {
  name: "add", parameters: [I32, I32, I32], integers: 0, vectors: 1,
  body: repeat(
    [...get(0), ...get(1), ...LESS],
    [...get(0), ...get(0), ...load(0), ...get(2), ...load(0), ...VADD, ...store(0)],
    [...increase(0, constant(16)), ...increase(2, constant(16))],
  ),
};

// The kernels on a memory (WebAssembly.Memory). Sums of exact layers are the same with and without fused multiplication.
export async function makeKernels(memory) {
  const made = (fused) => assemble([product(fused), depthwise(), leak, bound, add]);
  const bytes = [true, false].map(made).find((one) => WebAssembly.validate(one));
  if (!bytes) throw new Error("this browser has no WebAssembly vectors (they came in 2021 to 2023); update it");
  const { instance } = await WebAssembly.instantiate(bytes, { js: { memory } });
  return instance.exports;
}
export { PANEL };
