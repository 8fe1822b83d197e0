// The models of this viewer: found by the id that a file holds, loaded on first use.

import { UnknownModel } from "./errors.js";
import { Network, Workspace } from "./network.js";

const HOME = new URL("../", import.meta.url);
const SHORT_ID = 8, LONG_ID = 16;  // hexadecimal digits; short ids name models that ship with plugins only
const KEY = "nncodec.viewer", WEIGHT_STEPS = 512;
const TYPES = {
  I8: Int8Array, U8: Uint8Array, I16: Int16Array, U16: Uint16Array, F16: Uint16Array, I32: Int32Array, U32: Uint32Array,
  F32: Float32Array,
};

// Reads a file beside this page; tests in other engines replace it.
export const source = {
  async read(path) {
    const answer = await fetch(new URL(path, HOME));
    if (!answer.ok) throw new Error(`${path}: the server answers ${answer.status}`);
    return answer.arrayBuffer();
  },
};

let listed = null, space = null, halves = null;  // the value of each float16
const opened = new Map();

// The entries of all models: {name, kind, digest, bundled, traits, file, module}.
export async function models() {
  listed ??= source.read("models/index.json").then((data) => JSON.parse(new TextDecoder().decode(data)));
  listed.catch(() => { listed = null; });
  return listed;
}

// The entry of the model of a kind with this id (hex); `name` is what the file calls it, for the message.
export async function findModel(id, kind, name) {
  const all = (await models()).filter((one) => one.kind === kind);
  const found = all.find(({ digest, bundled }) => digest.startsWith(id) && (id.length >= LONG_ID || (id.length >= SHORT_ID && bundled)));
  if (!found) throw new UnknownModel(name ? `${name} (id ${id})` : id, all.map((one) => one.name).join(", "));
  return found;
}

// The decoder of an entry, ready for use: what its module makes of {traits, facts, arrays, networks}.
export function openModel(entry) {
  if (!opened.has(entry.digest)) {
    const opening = load(entry);
    opened.set(entry.digest, opening);
    opening.catch(() => opened.delete(entry.digest));
  }
  return opened.get(entry.digest);
}

async function load({ file, module, traits }) {
  space ??= Workspace.make();
  const [data, own, workspace] = await Promise.all([source.read(`models/${file}`), import(new URL(module, HOME)), space]);
  const { facts, tensors } = readTensors(data);
  const ready = facts.layers.map(({ shape, depthwise }, n) => {
    const weight = floatsOf(tensors.get(`layer.${n}.weight`));
    return workspace.layer(weight, tensors.get(`layer.${n}.bias`).values, shape, depthwise);
  });
  const networks = Object.fromEntries(Object.entries(facts.networks).map(
    ([key, { inputs, nodes, outputs }]) => [key, new Network(workspace, inputs, nodes, outputs, ready)],
  ));
  const arrays = {};
  for (const [key, { values }] of tensors) if (key.startsWith("part.")) arrays[key.slice(5)] = values;
  return own.open({ traits, facts: facts.facts, arrays, networks });
}

function readTensors(data) {
  const length = new DataView(data).getUint32(0, true), header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 8, length)));
  const facts = JSON.parse(header.__metadata__[KEY]), tensors = new Map();
  delete header.__metadata__;
  for (const [name, { dtype, data_offsets: [start, end] }] of Object.entries(header)) {
    const kind = TYPES[dtype];
    tensors.set(name, { dtype, values: new kind(data, 8 + length + start, (end - start) / kind.BYTES_PER_ELEMENT) });
  }
  return { facts, tensors };
}

// Weights as float32: int16 counts steps, float16 comes as its bits.
function floatsOf({ dtype, values }) {
  if (dtype === "I16") return new Float32Array(values).map((value) => value / WEIGHT_STEPS);
  if (dtype !== "F16") return values;
  halves ??= Float32Array.from({ length: 65536 }, (_, bits) => {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    return bits & 0x8000 ? -size : size;
  });
  const found = new Float32Array(values.length);
  for (let n = 0; n < found.length; n++) found[n] = halves[values[n]];
  return found;
}
