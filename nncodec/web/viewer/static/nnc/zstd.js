// Decompresses one Zstandard frame, as RFC 8878 specifies it; no dictionaries. Section numbers below are the RFC's.

import { Corrupt } from "./errors.js";

const MAGIC = 0xfd2fb528, LARGEST_BLOCK = 2 ** 17, LARGEST_WINDOW = 2 ** 24, MOST_HUFFMAN_BITS = 11;

// Codes of lengths (3.1.1.3.2.1): extra bits of each; a code's first length follows from those before it.
function lengthCodes(first, plain, extra) {
  const bits = [...Array(plain).fill(0), ...extra], bases = [];
  bits.reduce((base, count, n) => { bases[n] = base; return base + 2 ** count; }, first);
  return { bits, bases };
}
const LITERAL_LENGTHS = lengthCodes(0, 16, [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const MATCH_LENGTHS = lengthCodes(3, 32, [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

// The default distributions (3.1.1.3.2.2).
const ones = (count) => Array(count).fill(1), twos = (count) => Array(count).fill(2), rare = (count) => Array(count).fill(-1);
const DEFAULTS = [
  { accuracy: 6, counts: [4, 3, ...twos(11), 1, 1, 1, ...twos(9), 3, 2, ...ones(5), ...rare(4)] },  // literal lengths
  { accuracy: 5, counts: [...ones(6), 2, 2, 2, ...ones(15), ...rare(5)] },                           // offsets
  { accuracy: 6, counts: [1, 4, 3, ...twos(6), ...ones(37), ...rare(7)] },                           // match lengths
];
const MOST_ACCURACY = [9, 8, 9], MOST_CODES = [36, 32, 53];

const damaged = (what) => new Corrupt(`Zstandard: ${what}`);
const log2 = (value) => 31 - Math.clz32(value);

// The content of a frame: it must declare its size, which is `size`, or at most that unless `exact`.
export function decompress(payload, size, exact) {
  const frame = readFrameHeader(payload), { declared } = frame;
  if (declared > size || (exact && declared !== size)) {
    throw new Corrupt(`a Zstandard frame declares ${declared} bytes where ${size} are possible`);
  }
  if (frame.window > Math.max(1024, 2 * declared, LARGEST_WINDOW) || frame.dictionary) {
    throw new Corrupt("a Zstandard frame wants a window or dictionary that it cannot need");
  }
  const state = { out: new Uint8Array(declared), length: 0, offsets: [1, 4, 8], tables: [null, null, null], huffman: null };
  let { at } = frame;
  for (let last = false; !last;) {
    if (at + 3 > payload.length) throw damaged("a block is missing");
    const header = payload[at] | (payload[at + 1] << 8) | (payload[at + 2] << 16), kind = (header >> 1) & 3, length = header >> 3;
    last = Boolean(header & 1);
    at += 3;
    const stored = kind === 1 ? 1 : length;
    if (kind === 3 || length > LARGEST_BLOCK || at + stored > payload.length) throw damaged("a block is malformed");
    if (kind === 2) readBlock(payload.subarray(at, at + stored), state);
    else append(state, kind === 0 ? payload.subarray(at, at + stored) : new Uint8Array(length).fill(payload[at]));
    at += stored;
  }
  if (at + (frame.checksum ? 4 : 0) !== payload.length) throw damaged("the frame has another length");
  if (state.length !== declared) throw new Corrupt("a Zstandard frame holds less than it declares");
  return state.out;
}

// 3.1.1.1
function readFrameHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  try {
    if (view.getUint32(0, true) !== MAGIC) throw damaged("this is no frame");
    const flags = bytes[4], single = Boolean(flags & 0x20), sizeFlag = flags >> 6, idBytes = [0, 1, 2, 4][flags & 3];
    if (flags & 0x08) throw damaged("a reserved bit is set");
    let at = 5, window = 0, dictionary = 0, declared = -1;
    if (!single) {
      const byte = view.getUint8(at++), base = 2 ** (10 + (byte >> 3));
      window = base + (base / 8) * (byte & 7);
    }
    for (let n = 0; n < idBytes; n++) dictionary += view.getUint8(at++) * 256 ** n;
    if (sizeFlag === 0 && single) declared = view.getUint8(at);
    if (sizeFlag === 1) declared = view.getUint16(at, true) + 256;
    if (sizeFlag === 2) declared = view.getUint32(at, true);
    if (sizeFlag === 3) declared = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    if (declared < 0) throw new Corrupt("a Zstandard frame does not declare its size");
    at += sizeFlag ? 2 ** sizeFlag : single ? 1 : 0;
    return { at, declared, window: single ? declared : window, dictionary, checksum: Boolean(flags & 0x04) };
  } catch (error) {
    throw error instanceof RangeError ? damaged("the frame ends inside its header") : error;
  }
}

function append(state, bytes) {
  if (state.length + bytes.length > state.out.length) throw damaged("the frame holds more than it declares");
  state.out.set(bytes, state.length);
  state.length += bytes.length;
}

// 3.1.1.3
function readBlock(bytes, state) {
  const { literals, at } = readLiterals(bytes, state);
  readSequences(bytes.subarray(at), literals, state);
}

// 3.1.1.3.1
function readLiterals(bytes, state) {
  const kind = bytes[0] & 3, form = (bytes[0] >> 2) & 3, number = (count) => {
    let value = 0;
    for (let n = count; n--;) value = value * 256 + (bytes[n] ?? 0);
    return value;
  };
  if (kind < 2) {
    const headBytes = [1, 2, 1, 3][form], size = Math.floor(number(headBytes) / (form & 1 ? 16 : 8)), stored = kind ? 1 : size;
    if (size > LARGEST_BLOCK || headBytes + stored > bytes.length) throw damaged("literals are malformed");
    const literals = kind ? new Uint8Array(size).fill(bytes[headBytes]) : bytes.subarray(headBytes, headBytes + size);
    return { literals, at: headBytes + stored };
  }
  const headBytes = [3, 3, 4, 5][form], base = 2 ** [10, 10, 14, 18][form], sizes = Math.floor(number(headBytes) / 16);
  const size = sizes % base, stored = Math.floor(sizes / base), end = headBytes + stored;
  if (size > LARGEST_BLOCK || end > bytes.length) throw damaged("literals are malformed");
  let streams = bytes.subarray(headBytes, end);
  if (kind === 2) {
    const { table, at } = readHuffman(streams);
    state.huffman = table;
    streams = streams.subarray(at);
  }
  if (!state.huffman) throw damaged("a Huffman table is missing");
  const literals = new Uint8Array(size);
  if (form === 0) {
    readStream(streams, literals, state.huffman);
    return { literals, at: end };
  }
  if (streams.length < 6) throw damaged("literals are malformed");
  const each = Math.ceil(size / 4);
  for (let n = 0, at = 6; n < 4; n++) {
    const length = n < 3 ? streams[2 * n] | (streams[2 * n + 1] << 8) : streams.length - at;
    if (length < 1 || at + length > streams.length || (n === 3 && 3 * each > size)) throw damaged("literals are malformed");
    readStream(streams.subarray(at, at + length), literals.subarray(n * each, n < 3 ? (n + 1) * each : size), state.huffman);
    at += length;
  }
  return { literals, at: end };
}

// A sequence of bits that is read from its end; before its beginning are zeros.
class BackwardBits {
  constructor(bytes) {
    if (!bytes.length || !bytes.at(-1)) throw damaged("a bit stream has no end");
    this.bytes = bytes;
    this.left = 8 * (bytes.length - 1) + log2(bytes.at(-1));
  }

  // The next bits, at most 25, without taking them.
  peek(count) {
    const start = this.left - count, first = start >> 3, { bytes } = this;
    let value = 0;
    if (first >= 0 && first + 3 < bytes.length) {
      value = bytes[first] | (bytes[first + 1] << 8) | (bytes[first + 2] << 16) | (bytes[first + 3] << 24);
    } else {
      for (let n = 3; n >= 0; n--) value = (value << 8) | (bytes[first + n] ?? 0);
    }
    return (value >>> (start & 7)) & ((1 << count) - 1);
  }

  take(count) {
    if (count > 16) return this.take(count - 16) * 65536 + this.take(16);
    const value = count ? this.peek(count) : 0;
    this.left -= count;
    return value;
  }
}

function readStream(bytes, out, { bits, symbols, lengths }) {
  const stream = new BackwardBits(bytes);
  for (let n = 0; n < out.length; n++) {
    const code = stream.peek(bits);
    out[n] = symbols[code];
    stream.left -= lengths[code];
  }
  if (stream.left !== 0) throw damaged("literals do not fill their stream");
}

// 4.2.1
function readHuffman(bytes) {
  const head = bytes[0] ?? 0, weights = [];
  let at;
  if (head >= 128) {
    const count = head - 127;
    at = 1 + Math.ceil(count / 2);
    if (at > bytes.length) throw damaged("a Huffman table is malformed");
    for (let n = 0; n < count; n++) weights.push(n % 2 ? bytes[1 + (n >> 1)] & 15 : bytes[1 + (n >> 1)] >> 4);
  } else {
    at = 1 + head;
    if (at > bytes.length) throw damaged("a Huffman table is malformed");
    const { table, at: start } = readTable(bytes.subarray(1, at), 6, 13);
    const stream = new BackwardBits(bytes.subarray(1 + start, at)), states = [stream.take(table.accuracy), stream.take(table.accuracy)];
    for (let turn = 0; ; turn ^= 1) {
      const own = states[turn];
      weights.push(table.symbols[own]);
      if (weights.length > 254) throw damaged("a Huffman table is malformed");
      states[turn] = table.bases[own] + stream.take(table.bits[own]);
      if (stream.left < 0) {
        weights.push(table.symbols[states[turn ^ 1]]);
        break;
      }
    }
  }
  return { table: huffmanTable(weights), at };
}

function huffmanTable(weights) {
  const sum = weights.reduce((total, weight) => total + (weight ? 2 ** (weight - 1) : 0), 0);
  const bits = sum ? log2(sum) + 1 : 0, rest = 2 ** bits - sum;
  if (bits < 1 || bits > MOST_HUFFMAN_BITS || rest & (rest - 1) || weights.length > 255) throw damaged("a Huffman table is malformed");
  const all = [...weights, log2(rest) + 1], symbols = new Uint8Array(2 ** bits), lengths = new Uint8Array(2 ** bits);
  let place = 0;
  for (let weight = 1; weight <= bits; weight++) {
    all.forEach((own, symbol) => {
      if (own !== weight) return;
      const end = place + 2 ** (weight - 1);
      symbols.fill(symbol, place, end);
      lengths.fill(bits + 1 - weight, place, end);
      place = end;
    });
  }
  return { bits, symbols, lengths };
}

// 4.1.1: the description of a distribution, of at most `most` codes.
function readTable(bytes, mostAccuracy, most) {
  let at = 0;
  const take = (count) => {
    let value = 0;
    for (let n = 0; n < count; n++, at++) value += ((bytes[at >> 3] >> (at & 7)) & 1) * 2 ** n;
    return value;
  };
  const accuracy = take(4) + 5, counts = [];
  if (accuracy > mostAccuracy) throw damaged("a distribution is malformed");
  let left = 2 ** accuracy;
  while (left > 0) {
    const bits = log2(left + 1) + 1, low = 2 ** (bits - 1) - 1, few = 2 ** bits - 2 - left;
    let value = take(bits);
    if ((value & low) < few) {
      at--;
      value &= low;
    } else if (value > low) {
      value -= few;
    }
    counts.push(value - 1);
    left -= Math.abs(value - 1);
    if (value === 1) {
      for (let zeros = 3; zeros === 3;) {
        zeros = take(2);
        for (let n = 0; n < zeros; n++) counts.push(0);
        if (counts.length > most) break;
      }
    }
    if (counts.length > most || at > 8 * bytes.length) throw damaged("a distribution is malformed");
  }
  if (left < 0) throw damaged("a distribution is malformed");
  return { table: decodingTable(accuracy, counts), at: Math.ceil(at / 8) };
}

// 4.1.1: symbol, further bits and first next state of each state.
function decodingTable(accuracy, counts) {
  const size = 2 ** accuracy, symbols = new Uint8Array(size), bits = new Uint8Array(size), bases = new Uint16Array(size);
  const next = counts.map((count) => Math.abs(count));
  let high = size, place = 0;
  counts.forEach((count, symbol) => { if (count < 0) symbols[--high] = symbol; });
  counts.forEach((count, symbol) => {
    for (let n = 0; n < count; n++) {
      symbols[place] = symbol;
      do place = (place + (size >> 1) + (size >> 3) + 3) & (size - 1); while (place >= high);
    }
  });
  for (let state = 0; state < size; state++) {
    const number = next[symbols[state]]++;
    bits[state] = accuracy - log2(number);
    bases[state] = number * 2 ** bits[state] - size;
  }
  return { accuracy, symbols, bits, bases };
}

// 3.1.1.3.2
function readSequences(bytes, literals, state) {
  let at = 1, count = bytes[0];
  if (count === undefined) throw damaged("sequences are missing");
  if (count === 255) count = bytes[1] + bytes[2] * 256 + 0x7f00;
  else if (count > 127) count = (count - 128) * 256 + bytes[1];
  at += bytes[0] === 255 ? 2 : bytes[0] > 127 ? 1 : 0;
  if (count === 0) {
    if (at !== bytes.length) throw damaged("a block has another length");
    append(state, literals);
    return;
  }
  const modes = bytes[at++];
  if (modes === undefined || modes & 3) throw damaged("sequences are malformed");
  [6, 4, 2].forEach((shift, kind) => {
    const mode = (modes >> shift) & 3;
    if (mode === 0) {
      state.tables[kind] = decodingTable(DEFAULTS[kind].accuracy, DEFAULTS[kind].counts);
    } else if (mode === 1) {
      if (!(bytes[at] < MOST_CODES[kind])) throw damaged("sequences are malformed");
      state.tables[kind] = { accuracy: 0, symbols: [bytes[at++]], bits: [0], bases: [0] };
    } else if (mode === 2) {
      const found = readTable(bytes.subarray(at), MOST_ACCURACY[kind], MOST_CODES[kind]);
      state.tables[kind] = found.table;
      at += found.at;
    } else if (!state.tables[kind]) {
      throw damaged("a distribution is missing");
    }
  });
  execute(new BackwardBits(bytes.subarray(at)), count, literals, state);
}

function execute(stream, count, literals, state) {
  const { tables, offsets, out } = state, [lengths, distances, matches] = tables;
  let [literal, distance, match] = tables.map(({ accuracy }) => stream.take(accuracy)), used = 0;
  const move = (table, own) => table.bases[own] + stream.take(table.bits[own]);
  for (let n = 0; n < count; n++) {
    const distanceCode = distances.symbols[distance], matchCode = matches.symbols[match], literalCode = lengths.symbols[literal];
    const value = 2 ** distanceCode + stream.take(distanceCode);
    const matched = MATCH_LENGTHS.bases[matchCode] + stream.take(MATCH_LENGTHS.bits[matchCode]);
    const copied = LITERAL_LENGTHS.bases[literalCode] + stream.take(LITERAL_LENGTHS.bits[literalCode]);
    if (n < count - 1) {
      literal = move(lengths, literal);
      match = move(matches, match);
      distance = move(distances, distance);
    }
    if (stream.left < 0) throw damaged("sequences are missing");
    const offset = nextOffset(offsets, value, copied);
    const start = state.length + copied, end = start + matched;
    if (used + copied > literals.length) throw damaged("literals are missing");
    if (offset < 1 || offset > start || end > out.length) throw damaged("a match is out of range");
    for (let at = state.length; at < start; at++) out[at] = literals[used++];
    for (let at = start; at < end; at++) out[at] = out[at - offset];
    state.length = end;
  }
  if (stream.left !== 0) throw damaged("a block has further sequences");
  append(state, literals.subarray(used));
}

// 3.1.1.5
function nextOffset(offsets, value, copied) {
  if (value > 3) {
    offsets.unshift(value - 3);
    offsets.pop();
    return offsets[0];
  }
  const place = value - 1 + (copied === 0 ? 1 : 0), offset = place === 3 ? offsets[0] - 1 : offsets[place];
  offsets.splice(Math.min(place, 2), 1);
  offsets.unshift(offset);
  return offset;
}
