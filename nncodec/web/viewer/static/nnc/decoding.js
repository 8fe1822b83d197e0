// A frame of a file, from its bytes to what a canvas takes.

import { littleEndian } from "./bytes.js";
import { paletteOf, toRgba } from "./colours.js";
import { CHUNK, Container, isNnc, weight } from "./container.js";
import { Corrupt, UnsupportedImage } from "./errors.js";
import { checkFits, Grid } from "./grid.js";
import { findModel } from "./models.js";

const TILE_EDGE = 1024, SHARED_TILE_EDGE = 512, LONGEST_NAME = 100;
export const nameOf = (container) => {
  const raw = container.chunk(CHUNK.MODEL_NAME);
  return raw && new TextDecoder().decode(raw.subarray(0, LONGEST_NAME));
};

// Reads a file and compares all its checksums.
export function openFile(bytes) {
  const container = new Container(bytes);
  container.check();
  return container;
}

// Decodes frame number `frame` of an open file to {data (RGBA, Uint8ClampedArray), width, height}. `pool` runs tasks; `onProgress`
// gets how many are done, and the total; `signal` (AbortSignal) stops it.
export async function decodeFrame(container, { pool, frame = 0, onProgress, signal }) {
  const job = { container, pool, frame, signal, onProgress };
  const { mode, samples, displayWidth: width, displayHeight: height } = container.header;
  if (mode === "PLANES") throw new UnsupportedImage(`this page shows no pictures of ${samples.planes} planes; use nncodec.decode`);
  const picture = samples ? await exactSamples(job) : await codedFrame(job);
  return { data: toRgba(picture, await alphaOf(job), mode, paletteOf(container)), width, height };
}

async function step(job, task) {
  job.total = (job.total ?? 0) + 1;
  const result = await job.pool.run(task, job.signal);
  job.done = (job.done ?? 0) + 1;
  job.onProgress?.(job.done, job.total);
  return result;
}

// --- pictures that a codec approximates

async function codedFrame(job) {
  const { container, pool, frame } = job, { header } = container;
  const entry = await findModel(header.modelId, "codec", nameOf(container));
  checkFits(header, entry);
  const grid = new Grid(header, entry.traits, pool.size > 1 ? SHARED_TILE_EDGE : TILE_EDGE);
  grid.checkCost();
  const latents = await frameLatents(job, entry, grid), planes = header.mode === "L" ? 1 : 3;
  const data = new Uint8ClampedArray(header.width * header.height * planes);
  await Promise.all(grid.tiles().map(async (tile) => {
    const cut = latents.cut(tile.window);
    const pixels = await step(job, { kind: "tile", entry, latents: cut, quality: header.quality ?? 0 });
    putTile(pixels, tile, data, header, planes);
  }));
  const picture = { data, width: header.width, height: header.height, planes };
  if (header.displayWidth === header.width && header.displayHeight === header.height) return picture;
  return step(job, { kind: "resample", picture, width: header.displayWidth, height: header.displayHeight });
}

// The latents of a frame, from all blocks of its group.
async function frameLatents(job, entry, grid) {
  const { container, frame } = job, { header } = container, group = Math.floor(frame / header.framesPerBlock);
  const specs = entry.traits.latents, whole = {}, checksums = container.chunk(CHUNK.LATENT_CHECKSUMS);
  for (const { name, channels, stride } of specs) {
    const height = Math.ceil(grid.height / stride), width = Math.ceil(grid.width / stride);
    whole[name] = { shape: [1, channels, height, width], data: new Int32Array(channels * height * width), stride };
  }
  const own = checksums?.length === 4 * container.blocks.length ? checksums : null;
  await Promise.all(grid.blocks(group).map(async (block) => {
    const { index, frames, top, bottom, left, right } = block, payload = container.block(index);
    const shape = [frames, bottom - top, right - left], checksum = own && littleEndian(own, 4 * index);
    const latents = await step(job, { kind: "block", entry, index, coder: header.coder, payload, quality: header.quality ?? 0, shape, checksum });
    for (const { name, stride } of specs) {
      const { shape: [, channels, rows, columns], data } = latents[name], target = whole[name], [, , height, width] = target.shape;
      const start = (frame - group * header.framesPerBlock) * channels * rows * columns, y = top / stride, x = left / stride;
      copyPart(data, start, rows * columns, columns, target.data, y * width + x, height * width, width, channels, rows, columns);
    }
  }));
  return {
    cut: ({ top, bottom, left, right }) => Object.fromEntries(Object.entries(whole).map(([name, { shape: [, channels, height, width], data, stride }]) => {
      const y = top / stride, x = left / stride, rows = Math.ceil((bottom - top) / stride), columns = Math.ceil((right - left) / stride);
      const found = new Int32Array(channels * rows * columns);
      copyPart(data, y * width + x, height * width, width, found, 0, rows * columns, columns, channels, rows, columns);
      return [name, { shape: [1, channels, rows, columns], data: found }];
    })),
  };
}

function copyPart(source, from, plane, line, target, to, targetPlane, targetLine, channels, rows, columns) {
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < rows; row++) {
      const start = from + channel * plane + row * line;
      target.set(source.subarray(start, start + columns), to + channel * targetPlane + row * targetLine);
    }
  }
}

function putTile(pixels, { top, bottom, left, right, window }, data, header, planes) {
  const end = Math.min(right, header.width);
  for (let y = top; y < Math.min(bottom, header.height); y++) {
    let from = ((y - window.top) * pixels.width + left - window.left) * pixels.planes, to = (y * header.width + left) * planes;
    for (let x = left; x < end; x++, from += pixels.planes, to += planes) {
      const [red, green, blue] = [pixels.data[from], pixels.data[from + 1], pixels.data[from + 2]];
      if (planes === 3) {
        data[to] = red;
        data[to + 1] = green;
        data[to + 2] = blue;
      } else {
        data[to] = pixels.planes === 1 ? red : Math.floor((red + green + blue + 1) / 3);
      }
    }
  }
}

// --- exact pictures

// The samples {data (Uint16Array), width, height, planes, bits} of a frame, job {container, pool, frame}.
export async function exactSamples(job) {
  const { container } = job, { header } = container, { samples: { bits, planes, maxError }, framesPerBlock, width, height } = header;
  const entry = await findModel(header.modelId, "lossless", nameOf(container)), grid = new Grid(header, null, TILE_EDGE);
  const stride = 2 * maxError + 1, top = 2 ** bits - 1, codedBits = Math.max(1, Math.floor((top + maxError) / stride).toString(2).length);
  if (codedBits > entry.traits.max_bits || planes > entry.traits.max_planes) {
    throw new Corrupt(`${entry.name} does not code ${planes} planes of ${codedBits} bits, but the header says so`);
  }
  grid.checkCost(weight(header.samples));
  const group = Math.floor(job.frame / framesPerBlock), data = new Uint16Array(width * height * planes);
  await Promise.all(grid.blocks(group).map(async (block) => {
    const rows = block.bottom - block.top, columns = block.right - block.left, size = rows * columns * planes;
    const shape = [block.frames, rows, columns, planes], payload = container.block(block.index);
    const found = (await step(job, { kind: "samples", entry, payload, shape, bits: codedBits })).data;
    const start = (job.frame - group * framesPerBlock) * size;
    for (let row = 0; row < rows; row++) {
      const from = start + row * columns * planes, to = ((block.top + row) * width + block.left) * planes;
      for (let n = 0; n < columns * planes; n++) data[to + n] = Math.min(found[from + n] * stride, top);
    }
  }));
  return { data, width, height, planes, bits };
}

// --- alpha

async function alphaOf(job) {
  const { container, frame } = job, chunk = container.chunk(CHUNK.ALPHA);
  if (!chunk) return null;
  const { frames, displayWidth: width, displayHeight: height } = container.header;
  if (!isNnc(chunk)) return (await step(job, { kind: "alpha", chunk, frames, frame, height, width })).data;
  const nested = openFile(chunk), { header } = nested;
  const isPlain = header.mode === "L" && header.samples?.bits === 8 && header.samples.maxError === 0;
  if (!isPlain || nested.chunkTable.some(({ type }) => type !== CHUNK.MODEL_NAME)) throw new Corrupt("its alpha is not an exact grey picture");
  if (header.frames !== frames || header.width !== width || header.height !== height) throw new Corrupt("its alpha has another size");
  return (await exactSamples({ ...job, container: nested })).data;
}
