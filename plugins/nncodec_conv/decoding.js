// Decodes what nncodec_conv.decoding decodes: the photo network with contexts from decoded integers (contexts.py).

import { photoPixels, rowOf } from "../../nnc/photo.js";
import { Tables } from "../../nnc/rans.js";
import { eachPlace, stageShape } from "../../nnc/stages.js";

const LEVELS = 10, COARSEST = 16, QUALITY_STEP = 5, QUALITIES = 21, MAGNITUDE_CAP = 15;

export function open({ traits: { latents: [{ name }] }, facts, arrays, networks }) {
  const { groups } = facts, tables = new Tables(arrays.frequencies, facts.columns, facts.minimum, facts.precision);
  const bounds = groups.reduce((ends, size) => [...ends, ends.at(-1) + size], [0]), smooth = smoothStages();
  const stages = smooth.map(({ rows, columns }) => ({ latent: name, channels: [0, bounds[1]], rows, columns }));
  for (let group = 1; group < groups.length; group++) {
    stages.push({ latent: name, channels: bounds.slice(group, group + 2), rows: [0, 1], columns: [0, 1] });
  }

  function entropy(quality) {
    const anchor = Math.floor((quality + QUALITY_STEP / 2) / QUALITY_STEP);
    const choice = rowOf(arrays.choice, anchor, QUALITIES), thresholds = rowOf(arrays.thresholds, anchor, QUALITIES);
    const context = (number, { [name]: array }) => {
      const stage = stages[number], shape = stageShape(stage, array.shape), size = shape[2] * shape[3];
      const found = new Int16Array(shape[0] * shape[1] * size), offsets = number < smooth.length ? new Int32Array(found.length) : null;
      const group = Math.max(0, number - smooth.length + 1), own = rowOf(thresholds, group, groups.length);
      const activity = offsets ? null : activityOf(bounds, group, array);
      let n = 0;
      eachPlace(stage, array.shape, (place) => {
        let level = LEVELS;
        if (!offsets) {
          level = levelOf(own, activity[Math.floor(n / (shape[1] * size)) * size + (n % size)]);
        } else if (smooth[number].neighbours.length) {
          const { mean, spread } = around(array, place, smooth[number].neighbours);
          offsets[n] = mean;
          level = levelOf(own, spread);
        }
        const channel = stage.channels[0] + (Math.floor(n / size) % shape[1]);
        found[n++] = choice[channel * (LEVELS + 1) + level];
      });
      return { tables: found, offsets };
    };
    return { tables, stages, beginBlock: () => context };
  }

  function synthesis({ [name]: array }, quality) {
    const [scale, centre] = [arrays.scale, arrays.centre].map((values) => rowOf(values, quality, 101));
    return photoPixels(networks, facts.coarse_channels, array, { scale, centre, order: arrays.order });
  }
  return { entropy, synthesis };
}

// How many thresholds are at most `value`; they ascend.
function levelOf(thresholds, value) {
  let level = 0;
  while (level < thresholds.length && thresholds[level] <= value) level++;
  return level;
}

// Rows, columns and offsets of neighbours of each stage of the smooth channels, coarse to fine.
function smoothStages() {
  const stages = [{ rows: [0, COARSEST], columns: [0, COARSEST], neighbours: [] }];
  for (let step = COARSEST; step > 1; step /= 2) {
    const half = step / 2, old = [0, step], added = [half, step];
    const diagonal = [[-half, -half], [-half, half], [half, -half], [half, half]];
    const straight = [[-half, 0], [half, 0], [0, -half], [0, half]];
    stages.push({ rows: added, columns: added, neighbours: diagonal });
    stages.push({ rows: old, columns: added, neighbours: straight }, { rows: added, columns: old, neighbours: straight });
  }
  return stages;
}

// The rounded mean and the spread of the neighbours inside the picture; there is at least one.
function around({ shape: [, , height, width], data }, place, neighbours) {
  const x = place % width, y = Math.floor(place / width) % height;
  let total = 0, count = 0, high = -Infinity, low = Infinity;
  for (const [dy, dx] of neighbours) {
    if (y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width) continue;
    const value = data[place + dy * width + dx];
    total += value;
    count++;
    high = Math.max(high, value);
    low = Math.min(low, value);
  }
  return { mean: Math.floor((total + (count >> 1)) / count), spread: high - low };
}

// The activity of the decoded channels around each position, (frames, height, width).
function activityOf(bounds, group, { shape: [frames, channels, height, width], data }) {
  const size = height * width, found = new Int32Array(frames * size), recent = bounds[Math.max(1, group - 2)];
  const clamp = (value, most) => Math.min(Math.max(value, 0), most);
  for (let frame = 0; frame < frames; frame++) {
    const totals = new Int32Array(size);
    for (let channel = 0; channel < bounds[group]; channel++) {
      const start = (frame * channels + channel) * size, times = channel >= recent ? 2 : 1;
      for (let n = 0; n < size; n++) {
        if (channel >= bounds[1]) {
          totals[n] += times * Math.min(Math.abs(data[start + n]), MAGNITUDE_CAP);
          continue;
        }
        let high = -Infinity, low = Infinity;
        const x = n % width, y = Math.floor(n / width);
        for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++) {
          for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++) {
            const value = data[start + row * width + column];
            high = Math.max(high, value);
            low = Math.min(low, value);
          }
        }
        totals[n] += Math.min((high - low) >> 1, MAGNITUDE_CAP);
      }
    }
    for (let n = 0; n < size; n++) {
      const x = n % width, y = Math.floor(n / width);
      let sum = 6 * totals[n];
      for (const dy of [-1, 0, 1]) {
        for (const dx of [-1, 0, 1]) sum += totals[clamp(y + dy, height - 1) * width + clamp(x + dx, width - 1)];
      }
      found[frame * size + n] = sum;
    }
  }
  return found;
}
