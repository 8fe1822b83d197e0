// The Compress tab: chosen pictures, live size, results with the slider, .nnc files, comparison, report.

import { downloadOf, get, pictureOf, post, remove, run, upload } from "./api.js";
import { at, bytes, element, fixed, showPictures, table, takesFiles, working } from "./dom.js";

const LIVE_BYTES = 1_500_000, LIVE_MS = 200;  // of the file; a pause of the slider before the size is asked for
let files = [], results = [];

const pictures = () => files.filter((file) => !file.coded);
const rate = () => document.querySelector("input[name=rate]:checked").value;

function asked() {
  const chosen = { model: at("model").value, effort: Number(at("effort").value) };
  if (rate() === "quality") chosen.quality = Number(at("quality").value);
  if (rate() === "target") chosen.target_size = Math.round(1000 * Number(at("target").value));
  if (rate() === "lossless") chosen.lossless = true;
  return chosen;
}

// --- chosen files

function showFiles() {
  at("files").replaceChildren(...files.map((file) => {
    const gone = element("button", { type: "button" }, "×");
    gone.setAttribute("aria-label", `Remove ${file.name}`);
    gone.addEventListener("click", () => drop([file]));
    return element("li", {}, element("bdi", { title: file.name }, file.name), element("span", {}, `${bytes(file.bytes)} B`), gone);
  }));
  at("clear").hidden = files.length < 2;
}

function drop(gone) {
  files = files.filter((file) => !gone.includes(file));
  for (const file of gone) remove(`files/${file.id}`).catch(() => {});
  showFiles();
  live();
}

async function keep(added) {
  files.push(...added);
  showFiles();
  const coded = added.find((file) => file.coded);
  if (coded) await open(coded);
  else live();
}

const takeFiles = (chosen) => working("compress", [at("run-compress")], async ({ onProgress }) => {
  const added = [], problems = [];
  for (const [number, file] of chosen.entries()) {
    onProgress({ done: number, total: chosen.length });
    try {
      added.push(await upload(file));
    } catch (error) {
      problems.push(`${file.name}: ${error.message}`);
    }
  }
  await keep(added);
  if (problems.length) throw new Error(problems.join("; "));
});

const takeFolder = () => working("compress", [at("run-compress")], async () => {
  await keep((await post("folders", { folder: at("from-folder").value.trim() })).files);
});

// --- the size while the slider moves

let waiting = null, asking = null;
async function live() {
  at("quality-shown").value = at("quality").value;
  const file = pictures()[0];
  clearTimeout(waiting);
  asking?.abort();
  at("live").textContent = "";
  if (rate() !== "quality" || !file || file.bytes > LIVE_BYTES) return;
  const stop = asking = new AbortController();
  waiting = setTimeout(async () => {
    try {
      const result = await run("size", { ...asked(), file: file.id }, { signal: stop.signal });
      if (result && !stop.signal.aborted) at("live").textContent = `${file.name}: ${bytes(result.bytes)} bytes`;
    } catch (error) {
      if (!stop.signal.aborted) at("live").textContent = error.message;
    }
  }, LIVE_MS);
}

// --- results

const HEADS = ["Picture", "Bytes", "bpp", "Ratio", "PSNR, dB", "SSIM", "MS-SSIM", "SSIMULACRA2", "Times, s", "Files"];
const measures = (one) => [
  fixed(one.bpp, 3), fixed(one.ratio_raw, 1), one.psnr_db === null ? "∞" : fixed(one.psnr_db, 2), fixed(one.ssim, 4),
  fixed(one.ms_ssim, 4), fixed(one.ssimulacra2, 1), `${fixed(one.encode_s, 2)} + ${fixed(one.decode_s, 2)}`,
];

function link(id, text, name) {
  const made = element("a", { href: downloadOf(id), download: "" }, text);
  made.setAttribute("aria-label", `Download ${name} as ${text}`);
  return made;
}

function row(result) {
  if (result.error) {
    return [result.name, element("span", { className: "error" }, result.error)];
  }
  const show = element("button", { type: "button", className: "quiet", title: `Show ${result.name}` }, result.name);
  show.addEventListener("click", () => showResult(result));
  const numbers = result.measured ? measures(result.measured) : Array(HEADS.length - 3).fill("");
  const links = element("span", {}, link(result.file, ".nnc", result.name), " ", link(result.picture, "PNG", result.name));
  return [show, bytes(result.bytes), ...numbers, links];
}

function showResult(chosen) {
  const shown = results.filter((result) => !result.error);
  const samples = shown.map((result) => ({
    name: result.name,
    why: "",
    note: [...result.notes, result.lossless ? "stored exactly" : ""].filter(Boolean).join("; "),
    width: result.width,
    height: result.height,
    versions: [
      { key: "original", label: "original", numbers: `${bytes(result.source_bytes)} bytes`, uri: pictureOf(result.source) },
      {
        key: "coded",
        label: result.quality === null ? at("model").value : `quality ${result.quality}`,
        numbers: `${bytes(result.bytes)} bytes${result.measured ? `, PSNR ${fixed(result.measured.psnr_db, 2)} dB` : ""}`,
        uri: pictureOf(result.picture),
      },
    ],
  }));
  const order = [...samples.splice(shown.indexOf(chosen)), ...samples];
  showPictures("compress-viewer", { samples: order, left: "original", right: "coded" });
}

function showResults({ results: found, mean, measured }) {
  results = found;
  at("compress-empty").hidden = true;
  const total = (value) => results.reduce((sum, result) => sum + (value(result) ?? 0), 0);
  const times = ["encode_s", "decode_s"].map((key) => fixed(total((result) => result.measured?.[key]), 1));
  const title = `Results: ${bytes(total((result) => result.bytes))} bytes, ${times[0]} s to encode and ${times[1]} s to decode in all`;
  const foot = mean ? [`mean of ${measured}`, bytes(Math.round(mean.bytes)), ...measures(mean), ""] : undefined;
  const right = HEADS.map((_, number) => number > 0 && number < HEADS.length - 1);
  at("compress-table").replaceChildren(table({ title, heads: HEADS, right, rows: results.map(row), foot }));
  const first = results.find((result) => !result.error);
  if (first) showResult(first);
}

async function compress(options) {
  if (!pictures().length && files.length) return open(files[0], options);
  const ids = pictures().map((file) => file.id);
  const result = await run("compress", { ...asked(), files: ids }, options);
  if (!result) return;
  at("facts").replaceChildren();
  at("comparison").replaceChildren();
  showResults(result);
  if (at("compare").checked) await compare(ids, options);
}

// --- .nnc files

async function open(file, options) {
  const opened = await run("open", { file: file.id }, options);
  if (!opened) return;
  at("compress-empty").hidden = true;
  for (const old of ["compress-table", "comparison"]) at(old).replaceChildren();
  const rows = [["checksums", "all match"], ...Object.entries(opened.info).map(([name, value]) => [name.replaceAll("_", " "), flat(value)])];
  at("facts").replaceChildren(table({ title: opened.name, heads: ["Entry", "Value"], rows }));
  if (opened.error) throw new Error(opened.error);
  const picture = { key: "", label: opened.name, numbers: `${bytes(file.bytes)} bytes`, uri: pictureOf(opened.picture) };
  showPictures("compress-viewer", { samples: [{ name: opened.name, why: "", note: "", width: opened.width, height: opened.height, versions: [picture] }], left: "", right: "" });
}

function flat(value) {
  if (Array.isArray(value)) return value.join(" × ");
  return value && typeof value === "object" ? Object.entries(value).map(([key, one]) => `${key} ${one}`).join(", ") : String(value);
}

// --- comparison

const study = (ids) => ({
  files: ids,
  model: at("model").value,
  quality: Number(at("quality").value),
  by: at("by").value,
  timings: at("timings").checked,
  codecs: [...document.querySelectorAll("#codecs input:checked")].map((box) => box.value),
});

async function compare(ids, options) {
  const result = await run("compare", study(ids), options);
  if (!result) return;
  const plots = result.plots.map(({ title, light, dark }) => {
    const source = element("source", { srcset: pictureOf(dark), media: "(prefers-color-scheme: dark)" });
    const picture = element("picture", {}, source, element("img", { src: pictureOf(light), alt: title }));
    return element("figure", { className: "plot" }, picture);
  });
  const tables = result.tables.map((one) => (one.rows.length > 12 ? element("details", {}, element("summary", {}, one.title), table(one)) : table(one)));
  at("comparison").replaceChildren(element("h2", {}, "Comparison"), ...tables, ...plots);
}

const report = () => working("compress", [at("report"), at("run-compress")], async (options) => {
  at("report-link").textContent = "";
  const made = await run("report", study(pictures().map((file) => file.id)), options);
  if (!made) return;
  const page = element("a", { href: `/api/files/${made.page}/report`, target: "_blank" }, "Open the report");
  const archive = element("a", { href: downloadOf(made.archive), download: "" }, "download it with its plots and tables");
  at("report-link").replaceChildren(page, ", or ", archive, ".");
});

async function save() {
  at("saved").textContent = "";
  const done = results.filter((result) => !result.error).map((result) => result.file);
  await working("compress", [at("save")], async () => {
    if (!done.length) throw new Error("compress a picture first");
    const { written, problems } = await post("save", { folder: at("output").value.trim() || "compressed", files: done });
    at("saved").textContent = written.length ? `Saved ${written.length === 1 ? written[0] : `${written.length} files`}.` : "";
    if (problems.length) throw new Error(problems.join("; "));
  });
}

export function startCompress({ codecs }) {
  at("codecs").replaceChildren(...Object.entries(codecs).map(([name, label]) =>
    element("label", {}, element("input", { type: "checkbox", value: name, checked: true }), ` ${label}`)));
  takesFiles(at("drop"), [at("pick-files"), at("pick-folder")], takeFiles);
  at("take-folder").addEventListener("click", takeFolder);
  at("clear").addEventListener("click", () => drop(files));
  at("compare").addEventListener("change", () => { at("compare-options").hidden = !at("compare").checked; });
  at("quality").addEventListener("input", live);
  for (const id of ["model", "effort"]) at(id).addEventListener("change", live);
  for (const radio of document.querySelectorAll("input[name=rate]")) radio.addEventListener("change", live);
  at("compress-form").addEventListener("submit", (event) => {
    event.preventDefault();
    working("compress", [at("run-compress"), at("report")], compress);
  });
  at("report").addEventListener("click", report);
  at("save").addEventListener("click", save);
}
