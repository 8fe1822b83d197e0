// Blocks and tiles of a picture for a model, and the windows around tiles, see nncodec/coding/grid.py. Areas are
// {top, bottom, left, right} in pixels.

import { Corrupt } from "./errors.js";
import { checkLimit } from "./limits.js";

const SMALLEST_TILE_LIMIT = 2 ** 20;

export class Grid {
  // `tileEdge` in pixels; `traits` of a codec as models/index.json has them, or null for an exact picture.
  constructor(header, traits, tileEdge) {
    const fixed = !traits || traits.size.fixed;
    Object.assign(this, { header, tileEdge, fixed, multiple: fixed ? 1 : traits.size.multiple, halo: fixed ? 0 : traits.size.halo });
    this.divisible = Boolean(traits?.divisible);
    this.height = Math.ceil(header.height / this.multiple) * this.multiple;
    this.width = Math.ceil(header.width / this.multiple) * this.multiple;
  }

  // The blocks of a group of frames in file order: areas with their `index` in the file and their number of `frames`.
  blocks(group) {
    const { framesPerBlock, frames, blockEdge, grid: [, rows, columns] } = this.header, found = [];
    const span = (place, size) => (blockEdge ? [place * blockEdge, Math.min((place + 1) * blockEdge, size)] : [0, size]);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const [top, bottom] = span(row, this.height), [left, right] = span(column, this.width);
        const own = Math.min(framesPerBlock, frames - group * framesPerBlock);
        found.push({ index: (group * rows + row) * columns + column, frames: own, top, bottom, left, right });
      }
    }
    return found;
  }

  // The tiles of the picture, each with its `window`.
  tiles() {
    const rows = this.#pieces(this.height), columns = this.#pieces(this.width);
    return rows.flatMap(([top, bottom]) => columns.map(([left, right]) => ({
      top, bottom, left, right,
      window: {
        top: Math.max(0, top - this.halo), bottom: Math.min(this.height, bottom + this.halo),
        left: Math.max(0, left - this.halo), right: Math.min(this.width, right + this.halo),
      },
    })));
  }

  // Checks what decoding costs.
  checkCost(pixelWeight = 1) {
    const [first] = this.blocks(0), { frames } = this.header;
    checkLimit("block_pixels", first.frames * (first.bottom - first.top) * (first.right - first.left) * pixelWeight);
    if (this.fixed) return;
    const seen = (size, [start, end]) => Math.min(size, end + this.halo) - Math.max(0, start - this.halo);
    const computed = (size) => this.#pieces(size).reduce((sum, piece) => sum + seen(size, piece), 0);
    const pixels = computed(this.height) * computed(this.width);
    if (pixels > SMALLEST_TILE_LIMIT) checkLimit("computed_pixels", Math.max(this.height * this.width, pixels) * frames);
  }

  #pieces(size) {
    if (!this.divisible) return [[0, size]];
    const units = size / this.multiple, count = Math.ceil(size / Math.max(this.tileEdge, this.multiple));
    const at = (n) => Math.round((n * units) / count) * this.multiple;
    return Array.from({ length: count }, (_, n) => [at(n), at(n + 1)]);
  }
}

// Refuses a header that its model cannot have written.
export function checkFits({ mode, quality, width, height, displayWidth, displayHeight, blockEdge }, { name, traits }) {
  const { size } = traits, refuse = (text) => { throw new Corrupt(`${name} ${text}, but the header says otherwise`); };
  if (!traits.modes.includes(mode) && !traits.modes.includes("RGB")) refuse("codes grey pictures only");
  if ((quality !== null) !== traits.qualities) refuse(`${traits.qualities ? "has" : "has no"} qualities`);
  if (size.fixed && (width !== size.width || height !== size.height)) refuse(`codes ${size.width} x ${size.height} pixels`);
  if (blockEdge && !traits.divisible) throw new Corrupt(`its picture is divided into blocks, and ${name} needs it whole`);
  if (blockEdge && !size.fixed && blockEdge % size.multiple) throw new Corrupt("its blocks do not fit the model's latents");
  if (blockEdge && !size.fixed && blockEdge < size.halo) throw new Corrupt("its blocks are smaller than the model's halo");
  if (displayWidth !== width || displayHeight !== height) {
    checkLimit("resampled_edge", Math.max(width, height, displayWidth, displayHeight));
  }
}
