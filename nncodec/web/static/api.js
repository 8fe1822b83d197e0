// Asks the server. Every failure is an Error whose message is one line for the user.

const POLL_MS = 150;

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`/api/${path}`, options);
  } catch {
    throw new Error("the server does not answer; is 'nncodec ui' still running?");
  }
  if (answer.status === 403) throw new Error(await answer.text());
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

export const get = (path) => ask(path);
export const post = (path, asked = {}) =>
  ask(path, { method: "POST", body: JSON.stringify(asked), headers: { "content-type": "application/json" } });
export const remove = (path) => ask(path, { method: "DELETE" });
export const upload = (file) => ask(`files?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
export const pictureOf = (id) => `/api/files/${id}/picture`;
export const downloadOf = (id) => `/api/files/${id}/download`;

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Runs a job to its end and returns its result; null if it was cancelled. `signal` (an AbortSignal) cancels it.
export async function run(kind, asked, { onProgress = () => {}, signal } = {}) {
  let job = await post(`jobs/${kind}`, asked);
  let told = false;
  while (job.state === "waiting" || job.state === "running") {
    if (signal?.aborted && !told) {
      told = true;
      await remove(`jobs/${job.id}`);
    }
    await pause(POLL_MS);
    job = await get(`jobs/${job.id}`);
    onProgress(job);
  }
  if (job.state === "failed") throw new Error(job.error);
  return job.state === "done" ? job.result : null;
}
