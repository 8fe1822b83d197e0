// A thread that does tasks: answers each message {id, task} with {id, result} or {id, error}.

import { runTask } from "./tasks.js";

// Arrays go to the page without a copy.
function buffersOf(value, found = new Set()) {
  if (ArrayBuffer.isView(value)) found.add(value.buffer);
  else if (value && typeof value === "object") Object.values(value).forEach((one) => buffersOf(one, found));
  return found;
}

addEventListener("message", async ({ data: { id, task } }) => {
  const answer = await runTask(task);
  postMessage({ id, ...answer }, [...buffersOf(answer)]);
});
