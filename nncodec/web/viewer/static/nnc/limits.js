// The most that a file may ask for, checked before anything is allocated: the limits of nncodec/limits.py.

import { LimitExceeded } from "./errors.js";

export const LIMITS = Object.freeze({
  pixels: 178956970,
  frames: 2 ** 20,
  block_pixels: 2 ** 23,
  blocks: 2 ** 18,
  chunk_bytes: 2 ** 24,
  preview_bytes: 2 ** 20,
  settings_bytes: 2 ** 16,
  preview_pixels: 2 ** 18,
  resampled_edge: 2 ** 20,
  computed_pixels: Math.floor((178956970 * 3) / 2),
});

// `value` is a number that may be rounded, but not so far that it changes sides: products of header fields.
export function checkLimit(quantity, value) {
  if (value > LIMITS[quantity]) throw new LimitExceeded(quantity.replace("_", " "), value, LIMITS[quantity]);
}
