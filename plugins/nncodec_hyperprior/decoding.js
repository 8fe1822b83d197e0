// Decodes what nncodec_hyperprior.decoding decodes, in the same exact numbers: means and scales from integer networks.

import { photoPixels, rowOf } from "../../nnc/photo.js";
import { Tables } from "../../nnc/rans.js";
import { eachPlace, NOT_CODED, stageShape } from "../../nnc/stages.js";

const ACTIVATION_LIMIT = 511, HYPER_STEPS = 4, SCALES = 64, QUALITY_STEP = 5;
const PHASES = [[0, 0], [1, 1], [0, 1], [1, 0]];
const clip = (value, limit) => Math.min(Math.max(value, -limit), limit);

export function open({ traits, facts, arrays, networks }) {
  const { groups, certain, detail_quality: detailQuality } = facts;
  const tables = new Tables(arrays.frequencies, facts.columns, facts.minimum, facts.precision);
  const [hyper, latents] = traits.latents, ends = groups.map((_, group) => groups.slice(0, group + 1).reduce((sum, size) => sum + size));
  const stages = [{ latent: hyper.name, channels: [0, hyper.channels], rows: [0, 1], columns: [0, 1] }];
  ends.forEach((end, group) => PHASES.forEach(([row, column]) => {
    stages.push({ latent: latents.name, channels: [end - groups[group], end], rows: [row, 2], columns: [column, 2] });
  }));

  function entropy(quality) {
    const anchor = Math.floor((quality + QUALITY_STEP / 2) / QUALITY_STEP);
    const firstNotCoded = 1 + PHASES.length * (quality >= detailQuality ? groups.length : groups.length - 1);
    const planes = rowOf(arrays.planes, quality, 101);
    const [choice, offset] = [arrays.hyper_choice, arrays.hyper_offset].map((values) => rowOf(values, anchor, 21));
    return {
      tables,
      stages,
      beginBlock() {
        let block = null;
        return (stage, known) => {
          if (stage === 0) return ofChannels(known[hyper.name].shape, choice, offset);
          if (stage >= firstNotCoded) {
            const size = stageShape(stages[stage], known[latents.name].shape).reduce((product, edge) => product * edge);
            return { tables: new Int16Array(size).fill(NOT_CODED), offsets: null };
          }
          block ??= new Block(networks, stages, certain, planes, known[hyper.name]);
          return block.context(stage, known[latents.name]);
        };
      },
    };
  }

  const synthesis = ({ [latents.name]: array }, quality) =>
    photoPixels(networks, facts.coarse_channels, array, rowOf(arrays.scale, quality, 101), null, null);
  return { entropy, synthesis };
}

function ofChannels(shape, choice, offset) {
  const size = shape[2] * shape[3], count = shape[0] * shape[1] * size, channel = (n) => Math.floor(n / size) % shape[1];
  return {
    tables: Int16Array.from({ length: count }, (_, n) => choice[channel(n)]),
    offsets: Int32Array.from({ length: count }, (_, n) => offset[channel(n)]),
  };
}

// One partly decoded block; what networks take and give has its channels last.
class Block {
  constructor(networks, stages, certain, planes, { shape: [count, channels, height, width], data }) {
    Object.assign(this, { networks, stages, certain, added: 1, residuals: [], start: null, group: -1 });
    const places = height * width, size = channels + planes.length, inputs = new Float32Array(count * places * size);
    for (let n = 0; n < count * places; n++) {
      const from = Math.floor(n / places) * channels * places + (n % places);
      for (let c = 0; c < channels; c++) inputs[n * size + c] = clip(data[from + c * places] * HYPER_STEPS, ACTIVATION_LIMIT);
      inputs.set(planes, n * size + channels);
    }
    const [features, means] = networks.hyper_decoder.run({ data: inputs, count, height, width, channels: size });
    this.means = { ...means, data: means.data.slice() };
    // Input of the groups: the hyper-decoder's features, then the residuals of all groups but the last.
    this.width = features.channels;
    const all = this.width + stages.at(-1).channels[0], positions = count * means.height * means.width;
    this.inputs = { ...features, channels: all, data: new Float32Array(positions * all) };
    for (let n = 0; n < positions; n++) {
      const at = n * features.stride;
      this.inputs.data.set(features.data.subarray(at, at + this.width), n * this.inputs.channels);
    }
  }

  // Table indices and means, in sixteenths, of a stage.
  context(stage, latents) {
    while (this.added < stage) this.#add(this.added++, latents);
    const { networks, stages, means } = this, { channels, rows, columns } = stages[stage];
    const group = Math.floor((stage - 1) / PHASES.length), phase = (stage - 1) % PHASES.length, own = channels[1] - channels[0];
    if (this.group !== group) {
      this.group = group;
      const [sums] = networks[`context_${group}`].run(firstChannels(this.inputs, this.width + channels[0]));
      this.start = { ...sums, data: sums.data.slice() };
      this.residuals = [];
    }
    const start = everySecond(this.start, rows[0], columns[0]);
    const [corrections, scales] = networks[`context_${group}_${phase}`].run(start, ...this.residuals);
    const shape = stageShape(stages[stage], latents.shape), places = shape[2] * shape[3];
    const tables = new Int16Array(shape[0] * own * places), offsets = new Int32Array(tables.length);
    for (let frame = 0, n = 0; frame < shape[0]; frame++) {
      for (let y = 0; y < shape[2]; y++) {
        for (let x = 0; x < shape[3]; x++, n++) {
          const at = ((frame * means.height + rows[0] + 2 * y) * means.width + columns[0] + 2 * x) * means.stride + channels[0];
          const to = frame * own * places + y * shape[3] + x;
          for (let c = 0; c < own; c++) {
            const scale = Math.min(Math.max(scales.data[n * scales.stride + c], 0), SCALES - 1);
            tables[to + c * places] = scale < this.certain ? NOT_CODED : scale;
            offsets[to + c * places] = corrections.data[n * corrections.stride + c] + means.data[at + c];
          }
        }
      }
    }
    return { tables, offsets };
  }

  // Differences of a stage's latents from their first means.
  #residual(stage, { shape, data }) {
    const { means } = this, { channels, rows, columns } = this.stages[stage], own = channels[1] - channels[0];
    const [count, , height, width] = stageShape(this.stages[stage], shape), places = height * width;
    const found = new Float32Array(count * places * own);
    let n = 0;
    eachPlace(this.stages[stage], shape, (place) => {
      const frame = Math.floor(n / (own * places)), c = Math.floor(n / places) % own, y = Math.floor((n % places) / width), x = n % width;
      const mean = means.data[((frame * means.height + rows[0] + 2 * y) * means.width + columns[0] + 2 * x) * means.stride + channels[0] + c];
      found[(frame * places + y * width + x) * own + c] = clip(data[place] - mean, ACTIVATION_LIMIT);
      n++;
    });
    return { data: found, count, height, width, channels: own };
  }

  #add(stage, latents) {
    const residual = this.#residual(stage, latents), { channels, rows, columns } = this.stages[stage], { inputs } = this;
    this.residuals.push(residual);
    if (this.width + channels[1] > inputs.channels) return;
    for (let n = 0; n < residual.count * residual.height * residual.width; n++) {
      const x = n % residual.width, y = Math.floor(n / residual.width) % residual.height, frame = Math.floor(n / residual.width / residual.height);
      const place = (frame * inputs.height + rows[0] + 2 * y) * inputs.width + columns[0] + 2 * x;
      inputs.data.set(residual.data.subarray(n * residual.channels, (n + 1) * residual.channels), place * inputs.channels + this.width + channels[0]);
    }
  }
}

function firstChannels({ data, channels, count, height, width }, kept) {
  const places = count * height * width, found = new Float32Array(places * kept);
  for (let n = 0; n < places; n++) found.set(data.subarray(n * channels, n * channels + kept), n * kept);
  return { data: found, count, height, width, channels: kept };
}

function everySecond({ data, channels, stride, count, height, width }, top, left) {
  const shape = { count, height: Math.ceil((height - top) / 2), width: Math.ceil((width - left) / 2), channels };
  const found = new Float32Array(count * shape.height * shape.width * channels);
  for (let frame = 0, n = 0; frame < count; frame++) {
    for (let y = top; y < height; y += 2) {
      for (let x = left; x < width; x += 2, n++) {
        const at = ((frame * height + y) * width + x) * stride;
        found.set(data.subarray(at, at + channels), n * channels);
      }
    }
  }
  return { data: found, ...shape };
}
