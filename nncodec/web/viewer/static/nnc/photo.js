// The synthesis of photo transforms, see nncodec/engine/photo.py.

// Pixels {data (Uint8Array), count, height, width, planes} from latents {shape, data}: `scale` and `centre` (or null) are of each
// channel, and `order` (or null) says which latent channel is the network's.
export function photoPixels(networks, coarseChannels, { shape: [count, channels, height, width], data }, scale, centre, order) {
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
  return toPixels(pixels, 0.5);
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
