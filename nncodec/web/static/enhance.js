// The Enhance tab: one picture, restored or enlarged, beside its input.

import { downloadOf, pictureOf, remove, run, upload } from "./api.js";
import { at, bytes, element, showPictures, takesFiles, working } from "./dom.js";

let file = null;

const take = (chosen) => working("enhance", [], async () => {
  if (!chosen.length) return;
  const before = file;
  file = await upload(chosen[0]);
  at("enhance-name").textContent = `${file.name}, ${bytes(file.bytes)} bytes`;
  if (before) remove(`files/${before.id}`).catch(() => {});
});

async function make(options) {
  if (!file) throw new Error("choose a picture first");
  const asked = { file: file.id, enhancer: at("enhancer").value, strength: Number(at("strength").value) };
  const made = await run("enhance", asked, options);
  if (!made) return;
  const size = ([width, height]) => `${width} × ${height} pixels`;
  at("enhance-empty").hidden = true;
  showPictures("enhance-viewer", {
    samples: [{
      name: made.name,
      why: "",
      note: "",
      width: made.size[0],
      height: made.size[1],
      versions: [
        { key: "input", label: "input", numbers: size(made.input_size), uri: pictureOf(made.input) },
        { key: "result", label: asked.enhancer, numbers: size(made.size), uri: pictureOf(made.result) },
      ],
    }],
    left: "input",
    right: "result",
  });
  at("enhance-links").replaceChildren(element("a", { href: downloadOf(made.result), download: "" }, "Download the result as PNG"));
}

export function startEnhance() {
  takesFiles(at("enhance-drop"), [at("enhance-file")], take);
  at("strength").addEventListener("input", () => { at("strength-shown").value = at("strength").value; });
  at("enhance-form").addEventListener("submit", (event) => {
    event.preventDefault();
    working("enhance", at("enhance-form").querySelectorAll(".primary"), make);
  });
}
