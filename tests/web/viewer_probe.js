// What the tests ask the viewer's modules, in the page.

import { CHUNK } from "./nnc/container.js";
import { decodeFrame, exactSamples, openFile } from "./nnc/decoding.js";
import { Grid } from "./nnc/grid.js";
import { describe } from "./nnc/information.js";
import { LIMITS } from "./nnc/limits.js";
import { findModel } from "./nnc/models.js";
import { Pool } from "./nnc/pool.js";
import { decompress } from "./nnc/zstd.js";

const pool = new Pool(2);
const fromHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const sha256 = async (bytes) => toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
const read = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

async function nameOfError(work) {
  try {
    await work();
    return null;
  } catch (error) {
    return [error.name, error.message];
  }
}

// SHA-256 of a file's latents, block by block, arrays in the order of their names.
export async function latents(path) {
  const container = openFile(await read(path)), { header } = container, parts = [];
  const entry = await findModel(header.modelId, "codec"), grid = new Grid(header, entry.traits, 512);
  for (let group = 0; group < header.grid[0]; group++) {
    for (const { index, frames, top, bottom, left, right } of grid.blocks(group)) {
      const own = { index, payload: container.block(index), shape: [frames, bottom - top, right - left], checksum: null };
      const found = await pool.run({ kind: "block", entry, coder: header.coder, quality: header.quality ?? 0, ...own });
      for (const name of Object.keys(found).sort()) parts.push(bytesOf(found[name].data));
    }
  }
  return sha256(await new Blob(parts).arrayBuffer());
}

// RGBA of a frame in hexadecimal digits.
export async function pixels(path, frame) {
  return toHex((await decodeFrame(openFile(await read(path)), { pool, frame })).data);
}

// SHA-256 of the samples of each frame of an exact file, its alpha beside them.
export async function samples(path) {
  const container = openFile(await read(path)), found = [], withAlpha = container.chunk(CHUNK.ALPHA);
  for (let frame = 0; frame < container.header.frames; frame++) {
    const { data, bits, planes } = await exactSamples({ container, pool, frame });
    let own = bits > 8 ? data : Uint8Array.from(data);
    if (withAlpha) {
      const { data: shown } = await decodeFrame(container, { pool, frame });
      own = shown.filter((_, n) => n % 4 < planes || n % 4 === 3);
    }
    found.push(await sha256(bytesOf(own)));
  }
  return found;
}

export const limits = () => LIMITS;

// The errors [name, message] that files given in hexadecimal digits are refused with; null for those that are read.
export const refusals = (files) => Promise.all(files.map((hex) => nameOfError(() => openFile(fromHex(hex)))));
export const decodingErrors = (files) =>
  Promise.all(files.map((hex) => nameOfError(() => decodeFrame(openFile(fromHex(hex)), { pool }))));
export const facts = async (path) => describe(openFile(await read(path)));

export const decompressed = (frames) => frames.map(([hex, size]) => toHex(decompress(fromHex(hex), size, true)));
// The error of each frame that differs from one in one byte.
export function damagedFrames(hex, size, patterns) {
  const whole = fromHex(hex);
  return Promise.all(patterns.flatMap((pattern) => [...whole.keys()].map((place) => nameOfError(() => {
    const damaged = whole.slice();
    damaged[place] ^= pattern;
    decompress(damaged, size, true);
  }))));
}

