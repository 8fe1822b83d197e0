// What benchmarks.measuring.browser_latents asks the modules of a viewer, in the page.

import { decodeFrame, openFile } from "./nnc/decoding.js";
import { Grid } from "./nnc/grid.js";
import { findModel } from "./nnc/models.js";
import { Pool } from "./nnc/pool.js";
import { crc32 } from "./nnc/bytes.js";

const pool = new Pool(1);
const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// The checksums of a file's latents, block by block, in hexadecimal digits, and RGBA of its picture in base64.
export async function decoded(path) {
  const container = openFile(new Uint8Array(await (await fetch(path)).arrayBuffer())), { header } = container;
  const entry = await findModel(header.modelId, "codec"), grid = new Grid(header, entry.traits, 1024), checksums = [];
  for (const { index, frames, top, bottom, left, right } of grid.blocks(0)) {
    const own = { index, payload: container.block(index), shape: [frames, bottom - top, right - left], checksum: null };
    const latents = await pool.run({ kind: "block", entry, coder: header.coder, quality: header.quality ?? 0, ...own });
    const crc = entry.traits.latents.reduce((sum, { name }) => crc32(new Uint8Array(latents[name].data.buffer), sum), 0);
    checksums.push(crc & 255, (crc >>> 8) & 255, (crc >>> 16) & 255, crc >>> 24);
  }
  const { data } = await decodeFrame(container, { pool });
  const address = await new Promise((done) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result));
    reader.readAsDataURL(new Blob([data]));
  });
  return [toHex(checksums), address.slice(address.indexOf(",") + 1)];
}
