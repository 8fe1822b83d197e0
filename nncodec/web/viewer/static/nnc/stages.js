// Decodes a block of latents stage by stage. Arrays of latents are {shape: [frames, channels, height, width], data (Int32Array)}.

import { Corrupt, UnsupportedVersion } from "./errors.js";
import { planarReader, sortedReader, storedReader } from "./layouts.js";
import { RansReader } from "./rans.js";
import { decompress } from "./zstd.js";

export const NOT_CODED = -1;
const READERS = {
  stored: storedReader,
  zstd(payload, alphabet) {
    const content = (size, exact) => decompress(payload, size, exact);
    return alphabet.tables ? sortedReader(alphabet, content) : planarReader(alphabet, content);
  },
  rans: (payload, alphabet) => new RansReader(payload, alphabet),
};

// The numbers start, start + step, ... below `size`.
const places = ([start, step], size) => Math.max(0, Math.ceil((size - start) / step));

// The shape of a stage's array. A stage is {latent, channels: [first, end], rows: [start, step], columns: [start, step]}.
export function stageShape({ channels, rows, columns }, [frames, , height, width]) {
  return [frames, channels[1] - channels[0], places(rows, height), places(columns, width)];
}

// Calls `visit(place)` with the place in an array of latents of each value of a stage, in coding order.
export function eachPlace({ channels, rows, columns }, [frames, all, height, width], visit) {
  for (let frame = 0; frame < frames; frame++) {
    for (let channel = channels[0]; channel < channels[1]; channel++) {
      for (let row = rows[0]; row < height; row += rows[1]) {
        const start = ((frame * all + channel) * height + row) * width;
        for (let column = columns[0]; column < width; column += columns[1]) visit(start + column);
      }
    }
  }
}

export const latentShape = ({ channels, stride }, frames, height, width) =>
  [frames, channels, Math.ceil(height / stride), Math.ceil(width / stride)];

// Decodes a block: `entropy` is {tables, stages, beginBlock}, where beginBlock() gives context(stage, known), which returns
// {tables, offsets}: an index for each value of the stage and, or null, a number. Returns arrays by name.
export function decodeBlock(coder, payload, entropy, specs, [frames, height, width]) {
  const known = {}, limits = {};
  let symbols = 0;
  for (const spec of specs) {
    const shape = latentShape(spec, frames, height, width), size = shape.reduce((product, edge) => product * edge);
    known[spec.name] = { shape, data: new Int32Array(size) };
    limits[spec.name] = spec;
    symbols += size;
  }
  const minimum = Math.min(...specs.map((spec) => Math.ceil(spec.minimum / spec.step)));
  const maximum = Math.max(...specs.map((spec) => Math.floor(spec.maximum / spec.step)));
  if (!READERS[coder]) throw new UnsupportedVersion(`the coder '${coder}'`);
  const reader = READERS[coder](payload, { tables: entropy.tables, minimum, maximum, symbols });
  const context = entropy.beginBlock();
  entropy.stages.forEach((stage, number) => {
    const { shape, data } = known[stage.latent];
    if (stageShape(stage, shape).includes(0)) return;
    const { tables, offsets } = context(number, known), spec = limits[stage.latent];
    const values = takeCoded(reader, tables);
    let n = 0;
    eachPlace(stage, shape, (place) => {
      const value = values[n] * spec.step + (offsets ? offsets[n] : 0);
      if (value < spec.minimum || value > spec.maximum) throw new Corrupt(`a latent lies outside ${spec.minimum}..${spec.maximum}`);
      data[place] = value;
      n++;
    });
  });
  reader.finish();
  return known;
}

// A stage's symbols; those that are not coded are 0.
function takeCoded(reader, tables) {
  let coded = 0;
  for (const table of tables) if (table !== NOT_CODED) coded++;
  if (coded === tables.length) return reader.take(tables);
  const symbols = new Int32Array(tables.length);
  if (!coded) return symbols;
  const kept = new Int32Array(coded), where = new Uint32Array(coded);
  for (let place = 0, n = 0; place < tables.length; place++) {
    if (tables[place] === NOT_CODED) continue;
    kept[n] = tables[place];
    where[n++] = place;
  }
  reader.take(kept).forEach((symbol, n) => { symbols[where[n]] = symbol; });
  return symbols;
}

// The entropy model of models without learned probabilities: a stage for each array, with channels kept apart.
export function plainEntropy(specs) {
  const stages = specs.map(({ name, channels }) => ({ latent: name, channels: [0, channels], rows: [0, 1], columns: [0, 1] }));
  const context = (number, known) => {
    const { shape } = known[stages[number].latent], tables = new Int32Array(known[stages[number].latent].data.length);
    const size = shape[2] * shape[3];
    for (let n = 0; n < tables.length; n++) tables[n] = Math.floor(n / size) % shape[1];
    return { tables, offsets: null };
  };
  return { tables: null, stages, beginBlock: () => context };
}
