// The errors of nncodec: the same names and sentences as in nncodec/errors.py.

export class NncError extends Error {
  constructor(detail) {
    super(detail);
    this.name = this.constructor.name;
  }
}

export class FormatError extends NncError {}

export class NotNnc extends FormatError {
  constructor() { super("not an .nnc file (it does not begin with 8E 4E 4E 43)"); }
}

export class UnsupportedVersion extends FormatError {
  constructor(found) { super(`this file uses ${found}, which this version of nncodec does not know; upgrade nncodec-image`); }
}

export class Truncated extends FormatError {
  constructor(part) { super(`the file ends inside its ${part}; it is incomplete, download or copy it again`); }
}

export class Corrupt extends FormatError {
  constructor(detail) { super(`the file is damaged (${detail}); download or copy it again`); }
}

export class LimitExceeded extends FormatError {
  constructor(quantity, value, limit) {
    const advice = "if you trust it, decode it with nncodec and raise the limit";
    super(`the file asks for ${value} ${quantity}, over the limit of ${limit}; ${advice}`);
  }
}

export class ModelError extends NncError {}

export class UnknownModel extends ModelError {
  constructor(wanted, installed) {
    super(`no installed model is '${wanted}'; installed: ${installed}; make this viewer again where the model is installed`);
  }
}

export class BackendMismatch extends ModelError {
  constructor(block, model) {
    super(`block ${block} is not damaged, but ${model} decodes it to other latents than it was made from: this browser computes `
      + "other probabilities than the machine that encoded it");
  }
}

// What Python decodes and this page does not.
export class UnsupportedImage extends NncError {}

const CLASSES = {
  NncError, FormatError, NotNnc, UnsupportedVersion, Truncated, Corrupt, LimitExceeded, ModelError, UnknownModel, BackendMismatch,
  UnsupportedImage,
};

// An error as a message between threads, and back.
export const packError = ({ name, message }) => ({ name, message });
export function unpackError({ name, message }) {
  const made = Object.create((CLASSES[name] ?? NncError).prototype);
  return Object.assign(made, { name: CLASSES[name] ? name : "NncError", message });
}
