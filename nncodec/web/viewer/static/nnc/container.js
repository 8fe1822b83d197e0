// An .nnc file: the header is read and checked at once, chunks and blocks on request. docs/format.md has every byte.

import { crc32, littleEndian } from "./bytes.js";
import { Corrupt, NotNnc, Truncated, UnsupportedVersion } from "./errors.js";
import { checkLimit } from "./limits.js";

export const MODES = ["L", "RGB", "LA", "RGBA", "P", "BILEVEL", "CMYK", "PLANES"];
export const CODERS = ["stored", "zstd", "rans", "lossless"];
export const CHUNK = {
  EXIF: 0x01, ICC: 0x02, XMP: 0x03, MODEL_NAME: 0x04, PREVIEW: 0x05, SETTINGS: 0x06, ENHANCER: 0x07, RESOLUTION: 0x08, ANIMATION: 0x09,
  LATENT_CHECKSUMS: 0x0a, ALPHA: 0x81, PALETTE: 0x82,
};
export const isNnc = (bytes) => MAGIC.every((byte, place) => bytes[place] === byte);

const MAGIC = [0x8e, 0x4e, 0x4e, 0x43];
const VERSION = 1, NO_QUALITY = 0xff, CRITICAL = 0x80, MAX_EDGE_LOG2 = 24, MAX_PLANES = 32;
const LONG_ID = 0x01, DISPLAY = 0x02, FRAMES = 0x04, GRID = 0x08, CHUNKS = 0x10, EXACT = 0x20;
const PLANES = [1, 3, 2, 4, 1, 1, 4, 0];
const BITS = [[1, 16], [8, 8], [8, 8], [8, 8], [1, 8], [1, 1], [8, 8], [1, 16]];

class HeaderReader {
  constructor(bytes) { Object.assign(this, { bytes, at: 0 }); }

  take(size) {
    if (this.at + size > this.bytes.length) throw new Truncated("header");
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  byte() { return this.take(1)[0]; }

  number(what, minimum = 0) {
    let value = 0;
    for (let place = 0; place < 5; place++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) {
        if (byte === 0 && place > 0) throw new Corrupt(`${what} is not written in its shortest form`);
        if (value < minimum) throw new Corrupt(`${what} is ${value}`);
        return value;
      }
    }
    throw new Corrupt(`${what} is too large a number`);
  }
}

// The fields of a header: mode, coder, quality (null for none), modelId (hex), width, height, displayWidth, displayHeight, frames,
// framesPerBlock, blockEdge (pixels, 0 if undivided), grid (blocks along frames, height, width), and of an exact picture samples
// {bits, planes, maxError}.
function readHeader(reader) {
  if (!isNnc(reader.bytes)) throw new NotNnc();
  reader.take(4);
  const version = reader.byte();
  if (version !== VERSION) throw new UnsupportedVersion(`version ${version} of the format`);
  const kind = reader.byte(), flags = reader.byte(), quality = reader.byte();
  if (flags & 0xc0) throw new UnsupportedVersion(`flags 0x${(flags & 0xc0).toString(16)}`);
  const modelId = [...reader.take(flags & LONG_ID ? 8 : 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if ((kind & 0x0f) >= MODES.length) throw new UnsupportedVersion(`colour mode ${kind & 0x0f}`);
  if (kind >> 4 >= CODERS.length) throw new UnsupportedVersion(`coder ${kind >> 4}`);
  const mode = MODES[kind & 0x0f], coder = CODERS[kind >> 4];
  const samples = flags & EXACT ? readSamples(reader, kind & 0x0f, flags) : null;
  if ((coder === "lossless") !== (samples !== null) || (!samples && (kind & 0x0f) > 1)) {
    throw new Corrupt("its colour mode and coder do not go together");
  }
  const width = reader.number("the width", 1), height = reader.number("the height", 1);
  let displayWidth = width, displayHeight = height;
  if (flags & DISPLAY) {
    displayWidth = reader.number("the display width", 1);
    displayHeight = reader.number("the display height", 1);
    if (displayWidth === width && displayHeight === height) throw new Corrupt("it repeats its size as display size");
  }
  const frames = flags & FRAMES ? reader.number("the number of frames", 2) : 1;
  checkLimit("frames", frames);
  checkLimit("pixels", width * height * frames * weight(samples));
  let framesPerBlock = frames, edgeLog2 = 0;
  if (flags & GRID) {
    framesPerBlock = reader.number("the number of frames a block", 1);
    edgeLog2 = reader.byte();
    if (edgeLog2 > MAX_EDGE_LOG2 || framesPerBlock > frames) throw new Corrupt("its block grid is impossible");
  }
  if (samples && quality !== NO_QUALITY) throw new Corrupt("an exact picture has a quality");
  if (quality > 100 && quality !== NO_QUALITY) throw new Corrupt(`its quality is ${quality}`);
  const blockEdge = edgeLog2 ? 2 ** edgeLog2 : 0;
  const along = (size) => (blockEdge ? Math.ceil(size / blockEdge) : 1);
  return {
    mode, coder, quality: quality === NO_QUALITY ? null : quality, modelId, width, height, displayWidth, displayHeight, frames,
    framesPerBlock, blockEdge, grid: [Math.ceil(frames / framesPerBlock), along(height), along(width)], samples, flags,
  };
}

function readSamples(reader, mode, flags) {
  const bits = reader.byte(), maxError = reader.number("the permitted error");
  const planes = PLANES[mode] || reader.byte(), [least, most] = BITS[mode];
  if (bits < least || bits > most || planes < 1 || planes > MAX_PLANES || maxError >= 2 ** bits) {
    throw new Corrupt(`it claims ${planes} planes of ${bits} bits with a permitted error of ${maxError}`);
  }
  if (maxError && (MODES[mode] === "P" || MODES[mode] === "BILEVEL")) throw new Corrupt("it permits errors in the numbers of colours");
  if (flags & DISPLAY) throw new Corrupt("an exact picture is stored reduced");
  return { bits, planes, maxError };
}

// How many pixels one pixel of an exact picture counts as.
export const weight = (samples) => (samples ? Math.ceil((samples.planes * (samples.bits > 8 ? 2 : 1)) / 4) : 1);

// Pixels that a frame takes while it is decoded, the intermediate picture of resampling included.
function framePixels({ width, height, displayWidth, displayHeight }) {
  const coded = width * height;
  if (width === displayWidth && height === displayHeight) return coded;
  return Math.max(coded + displayWidth * displayHeight, displayWidth * height, width * displayHeight);
}

function readChunkTable(reader) {
  const count = reader.byte(), table = [];
  if (count === 0) throw new Corrupt("its chunk table is empty");
  for (let n = 0; n < count; n++) {
    const type = reader.byte(), size = reader.number("the size of a chunk"), crc = littleEndian(reader.take(4), 0);
    if (n && type <= table[n - 1].type) throw new Corrupt("its chunks are not in order");
    if (type & CRITICAL && !Object.values(CHUNK).includes(type)) throw new UnsupportedVersion(`chunk 0x${type.toString(16)}`);
    if (type !== CHUNK.ALPHA) {
      checkLimit("chunk_bytes", size);
      if (type === CHUNK.PREVIEW) checkLimit("preview_bytes", size);
      if (type === CHUNK.SETTINGS) checkLimit("settings_bytes", size);
    }
    table.push({ type, size, crc });
  }
  return table;
}

function checkChunks({ mode, samples }, types) {
  if (types.has(CHUNK.PALETTE) !== (mode === "P")) {
    throw new Corrupt("its colour mode and its chunks disagree on whether there is a palette");
  }
  if (types.has(CHUNK.ALPHA) && (MODES.indexOf(mode) > 1 || samples?.bits > 8)) {
    throw new Corrupt("it has alpha beside samples that cannot have any");
  }
}

export class Container {
  // `bytes` (Uint8Array) are the whole file.
  constructor(bytes) {
    const reader = new HeaderReader(bytes), header = readHeader(reader);
    checkLimit("pixels", framePixels(header) * header.frames);
    const blocks = header.grid[0] * header.grid[1] * header.grid[2];
    checkLimit("blocks", blocks);
    if (Boolean(header.flags & GRID) !== blocks > 1) throw new Corrupt("its block grid is a single block");
    const sizes = [];
    for (let n = 0; n < blocks; n++) sizes.push(reader.number("the size of a block", 1));
    this.chunkTable = header.flags & CHUNKS ? readChunkTable(reader) : [];
    const types = new Set(this.chunkTable.map(({ type }) => type));
    checkChunks(header, types);
    if (types.has(CHUNK.ALPHA) && (header.displayWidth !== header.width || header.displayHeight !== header.height)) {
      const display = header.displayWidth * header.displayHeight;
      checkLimit("pixels", (framePixels(header) + Math.floor(display / 4)) * header.frames);
    }
    const crc = crc32(bytes.subarray(0, reader.at));
    if (littleEndian(reader.take(4), 0) !== crc) throw new Corrupt("the header does not match its checksum");
    let at = reader.at;
    for (const entry of this.chunkTable) {
      entry.at = at;
      at += entry.size;
    }
    this.blocks = sizes.map((size) => {
      const block = { at, size };
      at += size + 4;
      return block;
    });
    Object.assign(this, { bytes, header, end: at });
  }

  get payloadBytes() { return this.blocks.reduce((sum, { size }) => sum + size, 0); }

  // The data of a chunk, or null if the file has none of this type.
  chunk(type) {
    const entry = this.chunkTable.find((one) => one.type === type);
    return entry ? this.#read(entry.at, entry.size, entry.crc, `chunk 0x${type.toString(16).padStart(2, "0")}`) : null;
  }

  block(index) {
    const { at, size } = this.blocks[index], part = `block ${index}`;
    return this.#read(at, size, littleEndian(this.#read(at + size, 4, null, part), 0), part);
  }

  checkEnd() {
    if (this.bytes.length < this.end) throw new Truncated("blocks");
    if (this.bytes.length > this.end) throw new Corrupt(`${this.bytes.length - this.end} bytes follow the last block`);
  }

  // Compares every checksum.
  check() {
    this.checkEnd();
    for (const { type } of this.chunkTable) this.chunk(type);
    this.blocks.forEach((_, index) => this.block(index));
  }

  #read(at, size, crc, part) {
    if (at + size > this.bytes.length) throw new Truncated(part);
    const data = this.bytes.subarray(at, at + size);
    if (crc !== null && crc32(data) !== crc) throw new Corrupt(`${part} does not match its checksum`);
    return data;
  }
}
