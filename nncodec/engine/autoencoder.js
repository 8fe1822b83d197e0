// Decodes what nncodec.engine.autoencoder decodes: codes are scaled and go through the decoder.

import { toPixels } from "../../nnc/photo.js";
import { plainEntropy } from "../../nnc/stages.js";

export function open({ traits: { latents, size }, arrays: { scale }, networks }) {
  const plain = plainEntropy(latents), [{ name }] = latents;
  function synthesis({ [name]: { shape: [count, channels, height, width], data } }) {
    const places = height * width, codes = new Float32Array(data.length);
    for (let n = 0; n < count * places; n++) {
      const from = Math.floor(n / places) * channels * places + (n % places);
      for (let c = 0; c < channels; c++) codes[n * channels + c] = data[from + c * places] * scale[c];
    }
    const [values] = networks.decoder.run({ data: codes, count, height, width, channels });
    const pixels = toPixels(values);
    // A dense network has all pixels as channels.
    return size.fixed ? { ...pixels, height: size.height, width: size.width, planes: 1 } : pixels;
  }
  return { entropy: () => plain, synthesis };
}
