// Decodes what nncodec_hyperprior.decoding decodes, in the same exact numbers: means and scales from integer networks.

import { photoPixels, rowOf } from "../../nnc/photo.js";
import { Tables } from "../../nnc/rans.js";
import { NOT_CODED, stageShape } from "../../nnc/stages.js";

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

  const synthesis = ({ [latents.name]: array }, quality) => {
    const [scale, filter] = [arrays.scale, arrays.deblocking].map((values) => rowOf(values, quality, 101));
    return photoPixels(networks, facts.coarse_channels, array, { scale, filter });
  };
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
    const [frames, , height, width] = stageShape(stages[stage], latents.shape), places = height * width;
    const tables = new Int16Array(frames * own * places), offsets = new Int32Array(tables.length);
    for (let n = 0; n < frames * places; n++) {
      const at = positionOf(n, stages[stage], height, width, means) * means.stride + channels[0];
      const to = Math.floor(n / places) * own * places + (n % places);
      for (let c = 0; c < own; c++) {
        const scale = Math.min(Math.max(scales.data[n * scales.stride + c], 0), SCALES - 1);
        tables[to + c * places] = scale < this.certain ? NOT_CODED : scale;
        offsets[to + c * places] = corrections.data[n * corrections.stride + c] + means.data[at + c];
      }
    }
    return { tables, offsets };
  }

  // Takes the differences of a stage's latents from their first means.
  #add(stage, { shape, data }) {
    const { means, inputs } = this, { channels: [first, end] } = this.stages[stage], own = end - first, all = shape[1];
    const [count, , height, width] = stageShape(this.stages[stage], shape), plane = means.height * means.width;
    const residual = new Float32Array(count * height * width * own), isSeen = this.width + end <= inputs.channels;
    for (let n = 0; n < count * height * width; n++) {
      const place = positionOf(n, this.stages[stage], height, width, means);
      const from = (Math.floor(place / plane) * all + first) * plane + (place % plane);
      for (let c = 0; c < own; c++) {
        residual[n * own + c] = clip(data[from + c * plane] - means.data[place * means.stride + first + c], ACTIVATION_LIMIT);
      }
      if (isSeen) inputs.data.set(residual.subarray(n * own, (n + 1) * own), place * inputs.channels + this.width + first);
    }
    this.residuals.push({ data: residual, count, height, width, channels: own });
  }
}

// The position in a whole grid of position n of a stage, whose array has this height and width.
function positionOf(n, { rows, columns }, height, width, grid) {
  const x = n % width, y = Math.floor(n / width) % height, frame = Math.floor(n / width / height);
  return (frame * grid.height + rows[0] + 2 * y) * grid.width + columns[0] + 2 * x;
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
