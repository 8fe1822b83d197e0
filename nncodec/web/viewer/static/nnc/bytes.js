// Bytes: checksums, and numbers in the form of docs/format.md (LEB128).

const TABLE = new Int32Array(256).map((_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

// CRC-32 of zlib; `before` is that of the bytes before these.
export function crc32(bytes, before = 0) {
  let crc = ~before;
  for (let n = 0; n < bytes.length; n++) crc = TABLE[(crc ^ bytes[n]) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}

export const littleEndian = (bytes, at) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

// Numbers to the end of `bytes`; null if one is malformed or there are more than `most`.
export function readNumbers(bytes, most) {
  const numbers = [];
  for (let at = 0; at < bytes.length;) {
    let value = 0;
    for (let place = 0; ; place++) {
      const byte = bytes[at++];
      if (place === 5 || byte === undefined || (byte === 0 && place > 0)) return null;
      value += (byte & 0x7f) * 2 ** (7 * place);
      if (byte < 0x80) break;
    }
    if (numbers.push(value) > most) return null;
  }
  return numbers;
}
