// What workers do: whole blocks and tiles, from and to plain messages.

import { crc32 } from "./bytes.js";
import { BackendMismatch, FormatError, NncError, packError } from "./errors.js";
import { openModel } from "./models.js";
import { resampled } from "./resampling.js";
import { decodeBlock } from "./stages.js";
import { decompress } from "./zstd.js";

const TASKS = {
  // The latents of a block; `checksum` is that of the latents, or null.
  async block({ entry, index, coder, payload, quality, shape, checksum }) {
    const { entropy } = await openModel(entry), { latents: specs } = entry.traits, mismatch = new BackendMismatch(index, entry.name);
    let latents;
    try {
      latents = decodeBlock(coder, payload, entropy(quality), specs, shape);
    } catch (error) {
      // The payload has its own checksum, and its encoder decoded it.
      throw checksum !== null && error instanceof FormatError ? mismatch : error;
    }
    const bytesOf = ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    if (checksum !== null && specs.reduce((crc, { name }) => crc32(bytesOf(latents[name]), crc), 0) !== checksum) throw mismatch;
    return latents;
  },

  // The pixels of a window of latents.
  async tile({ entry, latents, quality }) {
    const { synthesis } = await openModel(entry);
    return synthesis(latents, quality);
  },

  // The samples of a block of an exact picture, (frames, height, width, planes).
  async samples({ entry, payload, shape, bits }) {
    const { decode } = await openModel(entry);
    return { data: decode(payload, shape, bits) };
  },

  // A frame's alpha from a chunk: each row is stored minus the one above.
  alpha({ chunk, frames, frame, height, width }) {
    const all = decompress(chunk, frames * height * width, true), own = all.slice(frame * height * width, (frame + 1) * height * width);
    for (let n = width; n < own.length; n++) own[n] += own[n - width];
    return { data: own };
  },

  resample: ({ picture, width, height }) => resampled(picture, width, height),
};

// Returns {result} or {error} for a message {kind, ...}.
export async function runTask({ kind, ...given }) {
  try {
    return { result: await TASKS[kind](given) };
  } catch (error) {
    return { error: packError(error instanceof NncError ? error : explained(error)) };
  }
}

// Memory that a browser refuses is the picture's size, anything else a fault of this program.
function explained(error) {
  const text = error instanceof RangeError ? "the browser has too little memory for this picture" : `${error.message ?? error}`;
  return new NncError(text);
}

