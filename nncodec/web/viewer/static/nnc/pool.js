// Workers that share the tasks of all pictures of a page.

import { NncError, unpackError } from "./errors.js";

const MOST_WORKERS = 4;

export class Pool {
  constructor(size = Math.min(MOST_WORKERS, navigator.hardwareConcurrency || 1)) {
    Object.assign(this, { size, idle: [], started: 0, waiting: [], running: new Map(), number: 0 });
  }

  // Does a task, see tasks.js, in a worker that is free, and returns its result. A `signal` (AbortSignal) drops it before it begins.
  run(task, signal) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ task, signal, resolve, reject });
      this.#next();
    });
  }

  #next() {
    while (this.waiting.length) {
      if (this.waiting[0].signal?.aborted) {
        const { signal, reject } = this.waiting.shift();
        reject(signal.reason);
        continue;
      }
      const worker = this.idle.pop() ?? this.#start();
      if (!worker) return;
      const { task, resolve, reject } = this.waiting.shift(), id = this.number++;
      this.running.set(id, { worker, resolve, reject });
      worker.postMessage({ id, task });
    }
  }

  #start() {
    if (this.started === this.size) return null;
    this.started++;
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { id, result, error } }) => {
      const { resolve, reject } = this.running.get(id);
      this.running.delete(id);
      this.idle.push(worker);
      if (error) reject(unpackError(error));
      else resolve(result);
      this.#next();
    });
    worker.addEventListener("error", ({ message }) => this.#lose(worker, message));
    return worker;
  }

  // A worker that broke down takes its tasks with it.
  #lose(worker, message) {
    worker.terminate();
    this.started--;
    this.idle = this.idle.filter((one) => one !== worker);
    for (const [id, { worker: own, reject }] of this.running) {
      if (own !== worker) continue;
      this.running.delete(id);
      reject(new NncError(`a worker of this page failed: ${message || "it could not be loaded"}`));
    }
    this.#next();
  }
}
