// The latents of a frame, block by block: a block is decoded when the first window needs it, and forgotten after the last.

import { littleEndian } from "./bytes.js";
import { CHUNK } from "./container.js";

const overlap = (one, other) => one.top < other.bottom && other.top < one.bottom && one.left < other.right && other.left < one.right;

export class FrameLatents {
  // `run(task)` does a task; each of `windows` is cut once.
  constructor(container, frame, entry, grid, windows, run) {
    const { header } = container, checksums = container.chunk(CHUNK.LATENT_CHECKSUMS);
    Object.assign(this, { container, entry, run, group: Math.floor(frame / header.framesPerBlock), blocks: new Map() });
    this.place = frame - this.group * header.framesPerBlock;
    this.checksums = checksums?.length === 4 * container.blocks.length ? checksums : null;
    for (const area of grid.blocks(this.group)) {
      this.blocks.set(area.index, { area, uses: windows.filter((window) => overlap(area, window)).length, latents: null });
    }
  }

  // The latents of a window by name, {shape: [1, channels, height, width], data}.
  async cut(window) {
    const touched = [...this.blocks.values()].filter(({ area }) => overlap(area, window));
    const decoded = await Promise.all(touched.map((block) => (block.latents ??= this.#decode(block.area))));
    const found = {};
    for (const { name, channels, stride } of this.entry.traits.latents) {
      const [top, bottom, left, right] = ["top", "bottom", "left", "right"].map((edge) => window[edge] / stride);
      const height = Math.ceil(bottom) - top, width = Math.ceil(right) - left, data = new Int32Array(channels * height * width);
      decoded.forEach((latents, n) => this.#copy(latents[name], touched[n].area, stride, data, { top, left, height, width }));
      found[name] = { shape: [1, channels, height, width], data };
    }
    for (const block of touched) if (--block.uses === 0) block.latents = null;
    return found;
  }

  #decode({ index, frames, top, bottom, left, right }) {
    const { container, entry, checksums } = this, { coder, quality } = container.header;
    const shape = [frames, bottom - top, right - left], checksum = checksums && littleEndian(checksums, 4 * index);
    return this.run({ kind: "block", entry, index, coder, payload: container.block(index), quality: quality ?? 0, shape, checksum });
  }

  // Copies what a block has of a window, both in latents.
  #copy({ shape: [, channels, rows, columns], data }, area, stride, target, { top, left, height, width }) {
    const blockTop = area.top / stride, blockLeft = area.left / stride;
    const firstRow = Math.max(top, blockTop), endRow = Math.min(top + height, blockTop + rows);
    const first = Math.max(left, blockLeft), end = Math.min(left + width, blockLeft + columns);
    for (let channel = 0; channel < channels; channel++) {
      for (let row = firstRow; row < endRow; row++) {
        const from = ((this.place * channels + channel) * rows + row - blockTop) * columns - blockLeft;
        target.set(data.subarray(from + first, from + end), (channel * height + row - top) * width + first - left);
      }
    }
  }
}
