// Resampling by Lanczos of three lobes on bytes, with Pillow's whole-number coefficients, rows first.

const LOBES = 3, UNIT = 2 ** 22;
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const lanczos = (x) => (x >= -LOBES && x < LOBES ? sinc(x) * sinc(x / LOBES) : 0);

// For each place of the result the first place that it sees, and the weights from there on.
function weightsOf(size, target) {
  const scale = size / target, wide = Math.max(scale, 1), reach = LOBES * wide;
  return Array.from({ length: target }, (_, place) => {
    const centre = (place + 0.5) * scale, first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const count = Math.min(size, Math.trunc(centre + reach + 0.5)) - first;
    const weights = Array.from({ length: count }, (__, n) => lanczos((n + first - centre + 0.5) / wide));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: weights.map((weight) => Math.round((Math.abs(weight) / sum) * UNIT) * Math.sign(weight)) };
  });
}

// A picture {data, width, height, planes} along one axis: `step` apart lie the places of a line, `lines` gives their beginnings.
function along(data, weights, lines, step, target, targetStep, targetLines) {
  lines.forEach((start, line) => weights.forEach(({ first, weights: own }, place) => {
    let sum = UNIT / 2;
    for (let n = 0, at = start + first * step; n < own.length; n++, at += step) sum += data[at] * own[n];
    target[targetLines[line] + place * targetStep] = Math.floor(sum / UNIT);
  }));
}

export function resampled({ data, width, height, planes }, targetWidth, targetHeight) {
  const rows = (size, line) => Array.from({ length: size * planes }, (_, n) => Math.floor(n / planes) * line * planes + (n % planes));
  let source = data;
  if (width !== targetWidth) {
    const target = new Uint8ClampedArray(targetWidth * height * planes);
    along(source, weightsOf(width, targetWidth), rows(height, width), planes, target, planes, rows(height, targetWidth));
    source = target;
  }
  if (height !== targetHeight) {
    const target = new Uint8ClampedArray(targetWidth * targetHeight * planes);
    const columns = Array.from({ length: targetWidth * planes }, (_, n) => n);
    along(source, weightsOf(height, targetHeight), columns, targetWidth * planes, target, targetWidth * planes, columns);
    source = target;
  }
  return { data: source, width: targetWidth, height: targetHeight, planes };
}
