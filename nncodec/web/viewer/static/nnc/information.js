// What a file says about itself, as `nncodec info` shows it.

import { readNumbers } from "./bytes.js";
import { CHUNK } from "./container.js";
import { nameOf } from "./decoding.js";
import { LIMITS } from "./limits.js";
import { findModel } from "./models.js";

const NAMES = Object.fromEntries(Object.entries(CHUNK).map(([name, type]) => [type, name.toLowerCase()]));
const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
const LONGEST_TEXT = 300;

// Lines [key, text] about an open file.
export async function describe(container) {
  const { header, bytes, payloadBytes, chunkTable } = container, { samples } = header;
  const entry = await findModel(header.modelId, samples ? "lossless" : "codec").catch(() => null);
  const alpha = chunkTable.some(({ type }) => type === CHUNK.ALPHA);
  const reduced = header.displayWidth !== header.width || header.displayHeight !== header.height;
  const planes = (samples ? samples.planes : { L: 1, RGB: 3 }[header.mode]) + (alpha ? 1 : 0), chunks = chunkTable.map(({ type, size }) =>
    `${NAMES[type] ?? `0x${type.toString(16).padStart(2, "0")}`} ${count(size, "byte")}`);
  const bpp = (8 * bytes.length) / (header.displayWidth * header.displayHeight * header.frames);
  const lines = {
    size: `${header.displayWidth} x ${header.displayHeight} pixels, ${modeOf(header, alpha)}`,
    stored: reduced && `reduced to ${header.width} x ${header.height}`,
    frames: `${header.frames}`,
    model: `${nameOf(container) ?? entry?.name ?? "not known here"}, id ${header.modelId}, ${entry ? "" : "not "}in this viewer`,
    enhancer: enhancerOf(container.chunk(CHUNK.ENHANCER)),
    quality: qualityOf(header),
    samples: `${count(planes, "plane")} of ${count(samples?.bits ?? 8, "bit")}`,
    coder: header.coder,
    blocks: Math.max(...header.grid) > 1 && `${header.grid.join(" x ")} (frames, height, width)`,
    bytes: `${bytes.length.toLocaleString("en")}, of which ${samples ? "samples" : "latents"} ${payloadBytes.toLocaleString("en")}`,
    rate: `${bpp.toFixed(3)} bits per pixel`,
    dpi: resolutionOf(container.chunk(CHUNK.RESOLUTION)),
    shown: timingOf(animationOf(container)),
    chunks: chunks.join(", ") || "none",
    settings: settingsOf(container.chunk(CHUNK.SETTINGS)),
  };
  return Object.entries(lines).filter(([, text]) => text);
}

function modeOf({ mode, samples }, alpha) {
  if (mode === "PLANES") return "planes";
  if (samples?.bits > 8) return "I;16";
  return (mode === "BILEVEL" ? "1" : mode) + (alpha ? "A" : "");
}

function qualityOf({ quality, samples }) {
  if (samples) return samples.maxError ? `no sample differs by more than ${samples.maxError}` : "lossless";
  return quality === null ? "this model has none" : `${quality}`;
}

function enhancerOf(chunk) {
  if (!chunk || chunk.length < 9 || chunk[0] > 100) return "";
  const id = [...chunk.subarray(1, 9)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const name = new TextDecoder().decode(chunk.subarray(9)).slice(0, LONGEST_TEXT);
  return `${name || "without a name"} recommended, strength ${chunk[0] / 100}, id ${id}; this page does not enhance`;
}

function resolutionOf(chunk) {
  const numbers = chunk && readNumbers(chunk, 2);
  return numbers?.length === 2 && numbers.every(Boolean) ? numbers.map((number) => number / 1000).join(" x ") : "";
}

// How frames are shown {durations (ms), loop (null for once, 0 for ever), firstIsStill}, or null.
export function animationOf(container) {
  const chunk = container.chunk(CHUNK.ANIMATION), { frames } = container.header;
  const numbers = chunk && readNumbers(chunk.subarray(1), 1 + frames);
  if (!numbers?.length || chunk[0] & 0xfc) return null;
  const loop = chunk[0] & 1 ? numbers.shift() : null;
  if (numbers.length !== 1 && numbers.length !== frames) return null;
  return { durations: numbers.length === frames ? numbers : Array(frames).fill(numbers[0]), loop, firstIsStill: Boolean(chunk[0] & 2) };
}

function timingOf(animation) {
  if (!animation) return "";
  const { durations, loop } = animation, total = durations.reduce((sum, one) => sum + one, 0);
  const [least, most] = [Math.min, Math.max].map((extreme) => durations.reduce((found, one) => extreme(found, one)));
  const each = least === most ? `${least} ms` : `${least} to ${most} ms`;
  const times = loop === null ? "once" : loop === 0 ? "for ever" : `loop count ${loop}`;
  return `each frame ${each}, ${total.toLocaleString("en")} ms in all, ${times}`;
}

function settingsOf(chunk) {
  try {
    const settings = JSON.parse(new TextDecoder().decode(chunk ?? new Uint8Array()));
    if (!settings || Array.isArray(settings)) return "";
    return Object.entries(settings).filter(([, value]) => value === null || ["string", "number"].includes(typeof value))
      .map(([key, value]) => `${key} ${value}`).join(", ").slice(0, LONGEST_TEXT);
  } catch {
    return "";
  }
}

// The preview as a picture that browsers know (WebP), or null; it needs no model.
export function previewOf(container) {
  const chunk = container.chunk(CHUNK.PREVIEW);
  if (!chunk || chunk.length < 31) return null;
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length), kind = new TextDecoder().decode(chunk.subarray(8, 16));
  const packed = view.getUint32(21, true), long = (at) => (view.getUint32(at, true) & 0xffffff) + 1;
  const sizes = {
    WEBPVP8X: () => long(24) * long(27),
    WEBPVP8L: () => ((packed & 0x3fff) + 1) * (((packed >>> 14) & 0x3fff) + 1),
    "WEBPVP8 ": () => (view.getUint16(26, true) & 0x3fff) * (view.getUint16(28, true) & 0x3fff),
  };
  const size = sizes[kind]?.();
  return size && size <= LIMITS.preview_pixels ? new Blob([chunk], { type: "image/webp" }) : null;
}
