// Small helpers: elements, tables, numbers, files dropped or chosen, work with progress, the slider.

export const at = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// `rows` are lists of texts or elements; `right` says which columns are numbers.
export function table({ title, heads, right, rows, foot }) {
  const kind = (number) => (right?.[number] ? "right" : number === 0 ? "name" : "");
  // The last cell of a row that is too short takes the rest of its width.
  const line = (cells) => element("tr", {}, ...cells.map((cell, n) => element("td", {
    className: n > 0 && n === cells.length - 1 && cells.length < heads.length ? "" : kind(n),
    colSpan: n === cells.length - 1 ? heads.length - n : 1,
    title: typeof cell === "string" && n === 0 ? cell : "",
  }, cell)));
  const made = element("table", {},
    element("caption", {}, title),
    element("thead", {}, element("tr", {}, ...heads.map((head, n) => element("th", { scope: "col", className: kind(n) }, head)))),
    element("tbody", {}, ...rows.map(line)));
  if (foot) made.append(element("tfoot", {}, line(foot)));
  const region = element("div", { className: "scroll", tabIndex: 0 }, made);
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", title);
  return region;
}

export const bytes = (number) => number.toLocaleString("en");
export const fixed = (number, places) => (number === null || number === undefined ? "–" : number.toFixed(places));

// Of a folder, hidden files and texts are left out; the browser knows no type of .nnc files.
const mayBePicture = ({ name, type }) => !name.startsWith(".") && (!type || type.startsWith("image/"));

// Calls `take` with the files that are dropped on an element or chosen with inputs.
export function takesFiles(area, inputs, take) {
  for (const kind of ["dragenter", "dragover"]) {
    area.addEventListener(kind, (event) => {
      event.preventDefault();
      area.classList.add("over");
    });
  }
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
  for (const input of inputs) {
    input.addEventListener("change", () => {
      const chosen = [...input.files];
      input.value = "";
      take(input.webkitdirectory ? chosen.filter(mayBePicture) : chosen);
    });
  }
}

// Runs `work(options)` with a bar and a button that cancels, and shows its error.
export async function working(name, buttons, work) {
  const box = at(`${name}-work`), bar = box.querySelector("progress"), cancel = box.querySelector("button");
  const stop = new AbortController();
  const onProgress = ({ done, total }) => {
    if (total) Object.assign(bar, { max: total, value: done });
    else bar.removeAttribute("value");
  };
  const abort = () => stop.abort();
  bar.removeAttribute("value");
  cancel.addEventListener("click", abort);
  box.hidden = false;
  for (const button of buttons) button.disabled = true;
  at(`${name}-error`).textContent = "";
  try {
    await work({ onProgress, signal: stop.signal });
  } catch (error) {
    at(`${name}-error`).textContent = error.message;
  } finally {
    box.hidden = true;
    cancel.removeEventListener("click", abort);
    for (const button of buttons) button.disabled = false;
  }
}

// The slider exists once in the document; each tab keeps what it shows there.
const shown = new Map();
export function showPictures(slot, data) {
  shown.set(slot, data);
  at("viewer")?.remove();
  if (!data) return;
  at(slot).append(at("viewer-template").content.cloneNode(true));
  showViewer(data);
}
export const showAgain = (slot) => showPictures(slot, shown.get(slot));
