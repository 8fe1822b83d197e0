// A frame of a file, from its bytes to what a canvas takes.

import { paletteOf, toRgba } from "./colours.js";
import { CHUNK, Container, isNnc, weight } from "./container.js";
import { Corrupt, UnsupportedImage } from "./errors.js";
import { FrameLatents } from "./frame_latents.js";
import { checkFits, Grid } from "./grid.js";
import { findModel } from "./models.js";

// Tiles are small where a picture would keep only one worker busy. They cost more than large ones, by their halos.
const TILE_EDGE = 1024, SHARED_TILE_EDGE = 512, SHARED_PIXELS = 2 ** 21, LONGEST_NAME = 100;
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
  const job = { container, pool, frame, signal, onProgress, done: 0, total: 0 };
  const { mode, samples, displayWidth: width, displayHeight: height } = container.header;
  if (mode === "PLANES") throw new UnsupportedImage(`this page shows no pictures of ${samples.planes} planes; use nncodec.decode`);
  const data = samples ? toRgba(await exactSamples(job), mode, paletteOf(container)) : await codedFrame(job);
  const alpha = await alphaOf(job);
  alpha?.forEach((value, place) => { data[4 * place + 3] = value; });
  return { data, width, height };
}

async function step(job, task) {
  const result = await job.pool.run(task, job.signal);
  job.onProgress?.(++job.done, job.total);
  return result;
}

// --- pictures that a codec approximates

// RGBA of a frame.
async function codedFrame(job) {
  const { container, pool, frame } = job, { header } = container;
  const entry = await findModel(header.modelId, "codec", nameOf(container));
  checkFits(header, entry);
  const shared = pool.size > 1 && header.width * header.height <= SHARED_PIXELS;
  const grid = new Grid(header, entry.traits, shared ? SHARED_TILE_EDGE : TILE_EDGE);
  grid.checkCost();
  const tiles = grid.tiles(), { width, height } = header, quality = header.quality ?? 0, run = (task) => step(job, task);
  const latents = new FrameLatents(container, frame, entry, grid, tiles.map(({ window }) => window), run);
  const reduced = header.displayWidth !== header.width || header.displayHeight !== header.height;
  job.total += grid.blocks(latents.group).length + tiles.length + (reduced ? 1 : 0);
  let data = null;  // not before the first tile: a file that cannot be decoded costs no more than its first block
  await inOrder(tiles, pool.size + 1, async (tile) => {
    const pixels = await run({ kind: "tile", entry, latents: await latents.cut(tile.window), quality });
    data ??= new Uint8ClampedArray(4 * width * height).fill(255);
    putTile(pixels, tile, data, header);
  });
  if (!reduced) return data;
  const picture = { data, width, height, planes: 4 };
  return (await run({ kind: "resample", picture, width: header.displayWidth, height: header.displayHeight })).data;
}

// Starts `work` for each item in order, at most so many at a time, until one fails.
async function inOrder(items, most, work) {
  const waiting = items.values();
  let failed = false;
  const worker = async () => {
    for (const item of waiting) {
      if (failed) return;
      await work(item).catch((error) => {
        failed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
}

// Puts what a picture has of a tile into RGBA. A grey picture may come from a colour model.
function putTile(pixels, { top, bottom, left, right, window }, data, { width, height, mode }) {
  const { planes } = pixels, isGrey = mode === "L", end = Math.min(right, width);
  for (let y = top; y < Math.min(bottom, height); y++) {
    let from = ((y - window.top) * pixels.width + left - window.left) * planes, to = 4 * (y * width + left);
    for (let x = left; x < end; x++, from += planes, to += 4) {
      const red = pixels.data[from], green = pixels.data[from + 1], blue = pixels.data[from + 2];
      const grey = planes === 1 ? red : Math.floor((red + green + blue + 1) / 3);
      data[to] = isGrey ? grey : red;
      data[to + 1] = isGrey ? grey : green;
      data[to + 2] = isGrey ? grey : blue;
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
  const group = Math.floor(job.frame / framesPerBlock), blocks = grid.blocks(group);
  job.total += blocks.length;
  let data = null;
  await inOrder(blocks, job.pool.size + 1, async (block) => {
    const rows = block.bottom - block.top, columns = block.right - block.left, size = rows * columns * planes;
    const shape = [block.frames, rows, columns, planes], payload = container.block(block.index);
    const found = (await step(job, { kind: "samples", entry, payload, shape, bits: codedBits })).data;
    data ??= new Uint16Array(width * height * planes);
    const start = (job.frame - group * framesPerBlock) * size;
    for (let row = 0; row < rows; row++) {
      const from = start + row * columns * planes, to = ((block.top + row) * width + block.left) * planes;
      for (let n = 0; n < columns * planes; n++) data[to + n] = Math.min(found[from + n] * stride, top);
    }
  });
  return { data, width, height, planes, bits };
}

// --- alpha

async function alphaOf(job) {
  const { container, frame } = job, chunk = container.chunk(CHUNK.ALPHA);
  if (!chunk) return null;
  const { frames, displayWidth: width, displayHeight: height } = container.header;
  if (!isNnc(chunk)) {
    job.total++;
    return (await step(job, { kind: "alpha", chunk, frames, frame, height, width })).data;
  }
  const nested = openFile(chunk), { header } = nested;
  const isPlain = header.mode === "L" && header.samples?.bits === 8 && header.samples.maxError === 0;
  if (!isPlain || nested.chunkTable.some(({ type }) => type !== CHUNK.MODEL_NAME)) {
    throw new Corrupt("its alpha is not an exact grey picture");
  }
  if (header.frames !== frames || header.width !== width || header.height !== height) throw new Corrupt("its alpha has another size");
  return (await exactSamples({ ...job, container: nested })).data;
}
