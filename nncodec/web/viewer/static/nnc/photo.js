// The synthesis of photo transforms, see nncodec/engine/photo.py.

const STRIDE = 16;

// Pixels {data (Uint8Array), count, height, width, planes} from latents {shape, data}. `scale` is of each channel; there may be
// a `centre` of each, an `order` that says which latent channel is the network's, and a `filter`, see `deblock`.
export function photoPixels(networks, coarseChannels, { shape: [count, channels, height, width], data }, { scale, centre, order, filter }) {
  const places = height * width, detailChannels = channels - coarseChannels;
  const part = (first, size) => {
    const values = new Float32Array(count * places * size);
    for (let frame = 0; frame < count; frame++) {
      for (let c = 0; c < size; c++) {
        const own = first + c, from = (frame * channels + (order ? order[own] : own)) * places, added = centre ? centre[own] : 0;
        for (let n = 0, to = frame * places * size + c; n < places; n++, to += size) values[to] = data[from + n] * scale[own] + added;
      }
    }
    return { data: values, count, height, width, channels: size };
  };
  const detail = detailChannels ? part(coarseChannels, detailChannels) : null, coarse = part(0, coarseChannels);
  const detailed = detail?.data.some(Boolean);
  const [pixels] = detailed ? networks.synthesis_detail.run(coarse, detail) : networks.synthesis.run(coarse);
  if (filter) deblock(pixels, filter);
  return toPixels(pixels, 0.5);
}

// Shrinks steps across lines where blocks of 16 pixels meet, see nncodec/engine/deblocking.py; in place.
export function deblock({ data, stride, channels, count, height, width }, [strength, tolerance]) {
  const squared = tolerance * tolerance;
  const filter = (at, step) => {
    for (let c = 0; c < channels; c++) {
      const [p2, p1, p0, q0, q1, q2] = [-3, -2, -1, 0, 1, 2].map((offset) => data[at + c + offset * step]);
      const before = p0 - p1, after = q1 - q0;
      const activity = (Math.abs(before) + Math.abs(after) + Math.abs(p1 - p2) + Math.abs(q2 - q1)) / 4;
      const unexplained = q0 - p0 - (before + after) / 2;
      const moved = (unexplained * (strength * squared)) / (squared + activity * activity + 1e-12);
      data[at + c - step] += moved;
      data[at + c] -= moved;
    }
  };
  if (!strength) return;
  const rows = count * height, row = width * stride;
  for (let y = 0; y < rows; y++) {
    if (y % height && y % STRIDE === 0) for (let x = 0; x < width; x++) filter(y * row + x * stride, row);
  }
  for (let y = 0; y < rows; y++) {
    for (let x = STRIDE; x < width; x += STRIDE) filter(y * row + x * stride, stride);
  }
}

// Row `number` of an array of so many rows.
export function rowOf(values, number, rows) {
  const size = values.length / rows;
  return values.subarray(number * size, (number + 1) * size);
}

// Values around `offset` below 0..1 as bytes, rounded to the nearest, ties to even.
export function toPixels({ data, stride, channels, count, height, width }, offset = 0) {
  const found = new Uint8ClampedArray(count * height * width * channels);
  for (let n = 0, to = 0; to < found.length; n += stride) {
    for (let c = 0; c < channels; c++) found[to++] = Math.fround(Math.fround(data[n + c] + offset) * 255);
  }
  return { data: found, count, height, width, planes: channels };
}
