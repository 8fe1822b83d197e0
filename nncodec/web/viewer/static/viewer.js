// The page: a file that is dropped, picked or named by ?src=, its picture and what it says about itself.

import "./nnc/element.js";
import { animationOf, describe, previewOf } from "./nnc/information.js";

const at = (id) => document.getElementById(id), picture = at("picture");
let name = "", playing = 0;

function begin(title) {
  name = title;
  stop();
  document.title = `${title} – nncodec viewer`;
  at("error").textContent = "";
  at("facts").replaceChildren();
  at("empty").hidden = true;
  for (const id of ["frames", "save", "preview"]) at(id).hidden = true;
  at("frame").value = 0;
  picture.removeAttribute("frame");
  picture.setAttribute("alt", title);
  at("progress").hidden = false;
  at("progress").removeAttribute("value");
}

async function take(file) {
  begin(file.name);
  picture.removeAttribute("src");
  picture.show(new Uint8Array(await file.arrayBuffer()));
}

// --- what the picture reports

picture.addEventListener("open", async () => {
  const { container } = picture, { frames } = container.header;
  at("frames").hidden = frames === 1;
  at("frame").max = frames - 1;
  at("play").hidden = frames === 1;
  at("frame-shown").textContent = `${Number(at("frame").value) + 1} of ${frames}`;
  const lines = await describe(container);
  if (container !== picture.container) return;
  at("facts").replaceChildren(...lines.flatMap(([key, text]) =>
    [["dt", key], ["dd", text]].map(([tag, own]) => Object.assign(document.createElement(tag), { textContent: own }))));
});
picture.addEventListener("progress", ({ detail: { done, total } }) => Object.assign(at("progress"), { max: total, value: done }));
picture.addEventListener("load", () => {
  at("progress").hidden = true;
  picture.hidden = false;
  at("save").hidden = false;
  if (playing) wait();
});
picture.addEventListener("error", ({ detail }) => {
  stop();
  at("progress").hidden = true;
  picture.hidden = true;
  at("error").textContent = `${detail.name}: ${detail.message}`;
  showPreview();
});

// What can be seen of a file that cannot be decoded.
function showPreview() {
  const preview = picture.container && previewOf(picture.container), image = at("preview").querySelector("img");
  at("empty").textContent = "No picture";
  at("empty").hidden = Boolean(preview);
  at("preview").hidden = !preview;
  URL.revokeObjectURL(image.src);
  if (preview) image.src = URL.createObjectURL(preview);
}

// --- frames

function showFrame(number) {
  at("frame").value = number;
  picture.setAttribute("frame", number);
}
function stop() {
  clearTimeout(playing);
  playing = 0;
  at("play").textContent = "Play";
}
// The next frame follows when its time has come, or when it is decoded.
function wait() {
  const { durations } = animationOf(picture.container) ?? { durations: [] }, own = Number(at("frame").value);
  playing = setTimeout(() => showFrame((own + 1) % picture.container.header.frames), durations[own] || 100);
}
at("frame").addEventListener("input", () => {
  stop();
  showFrame(at("frame").value);
});
at("play").addEventListener("click", () => {
  if (playing) {
    stop();
    return;
  }
  at("play").textContent = "Stop";
  wait();
});

// --- files

at("save").addEventListener("click", () => picture.canvas.toBlob((blob) => {
  const download = `${name.replace(/\.nnc$/i, "")}.png`;
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}));
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    at("drop").classList.add("over");
  });
}
addEventListener("dragleave", () => at("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
});
at("pick").addEventListener("change", () => {
  const [file] = at("pick").files;
  at("pick").value = "";
  if (file) take(file);
});
const address = new URLSearchParams(location.search).get("src");
if (address) {
  begin(address.split("/").at(-1));
  picture.setAttribute("src", address);
}
document.documentElement.dataset.ready = "true";
