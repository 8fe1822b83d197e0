// <nnc-image src="photo.nnc" alt="...">: shows an .nnc file as <img> shows other pictures.
//
// Attributes: src, alt, frame (a number from 0 on). Properties: complete, container (the open file), error.
// Methods: show(bytes) shows a file that is not at an address. Events: load, error (its `detail` is the error), and progress.

import { openFile, decodeFrame } from "./decoding.js";
import { NncError, UnsupportedImage } from "./errors.js";
import { Pool } from "./pool.js";

const MOST_EDGE = 32767;  // of a canvas, in the browsers that allow least
let pool = null;
const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`:host { display: inline-block; } :host([hidden]) { display: none; } p { margin: 0; }
canvas { display: block; max-width: 100%; height: auto; }`);

class NncImage extends HTMLElement {
  static observedAttributes = ["src", "alt", "frame"];

  #canvas = Object.assign(document.createElement("canvas"), { width: 0, height: 0 });
  #note = document.createElement("p");
  #stop = new AbortController();

  constructor() {
    super();
    Object.assign(this, { complete: false, container: null, error: null });
    this.#canvas.setAttribute("role", "img");
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLE];
    root.append(this.#canvas, this.#note);
  }

  attributeChangedCallback(name, before, now) {
    if (name === "alt") this.#canvas.setAttribute("aria-label", now ?? "");
    if (name === "src" && now !== null) this.#load(now);
    if (name === "frame" && before !== now && this.container) this.#decode(this.container);
  }

  // The canvas that holds the picture.
  get canvas() { return this.#canvas; }

  // Shows a file from its bytes (Uint8Array); returns whether that succeeded, as events say it too.
  async show(bytes) {
    this.container = null;
    return this.#attempt(async () => {
      this.container = openFile(bytes);
      return this.container;
    });
  }

  #load(address) {
    this.container = null;
    return this.#attempt(async (signal) => {
      const answer = await fetch(address, { signal }).catch((error) => {
        throw signal.aborted ? error : new NncError(`${address} cannot be loaded`);
      });
      if (!answer.ok) throw new NncError(`${address}: the server answers ${answer.status}`);
      this.container = openFile(new Uint8Array(await answer.arrayBuffer()));
      return this.container;
    });
  }

  #decode(container) { return this.#attempt(async () => container); }

  async #attempt(open) {
    this.#stop.abort();
    const { signal } = (this.#stop = new AbortController());
    Object.assign(this, { complete: false, error: null });
    try {
      const container = await open(signal), last = container.header.frames - 1;
      if (signal.aborted) return false;
      this.dispatchEvent(new CustomEvent("open"));
      const { displayWidth, displayHeight } = container.header;
      if (Math.max(displayWidth, displayHeight) > MOST_EDGE) {
        throw new UnsupportedImage(`browsers draw no pictures of ${displayWidth} x ${displayHeight} pixels; decode it with nncodec`);
      }
      const frame = Math.min(Math.max(Math.trunc(Number(this.getAttribute("frame"))) || 0, 0), last);
      const onProgress = (done, total) => signal.aborted || this.dispatchEvent(new CustomEvent("progress", { detail: { done, total } }));
      const { data, width, height } = await decodeFrame(container, { pool: (pool ??= new Pool()), frame, signal, onProgress });
      if (signal.aborted) return false;
      Object.assign(this.#canvas, { width, height });
      this.#canvas.getContext("2d").putImageData(new ImageData(data, width, height), 0, 0);
      this.#note.textContent = "";
    } catch (error) {
      if (signal.aborted) return false;
      this.error = error instanceof NncError ? error : new NncError(`${error.message}`);
      Object.assign(this.#canvas, { width: 0, height: 0 });
      this.#note.textContent = this.getAttribute("alt") ?? "";
      this.dispatchEvent(new CustomEvent("error", { detail: this.error }));
      return false;
    }
    this.complete = true;
    this.dispatchEvent(new CustomEvent("load"));
    return true;
  }
}

customElements.define("nnc-image", NncImage);
