// The Train tab. The server holds the state: a page that is opened again shows the training as it is.

import { get, pause, post } from "./api.js";
import { chart } from "./chart.js";
import { at, element, table } from "./dom.js";
import { openTab, showInstalled } from "./main.js";

const POLL_MS = 500;
const CHARTS = [["Loss", "loss"], ["Rate, bits per pixel", "rate_bpp"], ["PSNR, dB", "psnr_db"]];
const STATES = { running: "Training", stopping: "Stopping", done: "Done", stopped: "Stopped", failed: "Failed" };
let installed, started = {}, samples = "", following = false;

const trainsEnhancer = () => {
  const base = at("pretrained").checked && installed.models.find((model) => model.name === at("base").value);
  const architecture = base ? base.architecture : at("architecture").value;
  return installed.trainable.find((one) => one.name === architecture)?.kind === "enhancer";
};

function showFields() {
  at("base").disabled = !at("pretrained").checked;
  at("architecture").disabled = at("pretrained").checked;
  const enhancer = trainsEnhancer();
  for (const field of document.querySelectorAll(".enhancer-only")) field.hidden = !enhancer;
  for (const field of document.querySelectorAll(".codec-only")) field.hidden = enhancer;
}

function asked() {
  const settings = { sample_epochs: "1" };
  for (const line of at("settings").value.split("\n")) {
    const [name, ...value] = line.split("=");
    if (name.trim()) settings[name.trim()] = value.join("=").trim().replace(/^"(.*)"$/, "$1");
  }
  for (const field of document.querySelectorAll("[data-setting]")) {
    if (field.value && !field.closest("label").hidden) settings[field.dataset.setting] = field.value;
  }
  if (at("length").value) settings[at("length-kind").value] = at("length").value;
  return {
    data: at("data").value.trim(),
    low: trainsEnhancer() ? at("low").value.trim() : "",
    architecture: at("architecture").value,
    base: at("pretrained").checked ? at("base").value : "",
    name: at("name").value.trim(),
    output: at("train-output").value.trim(),
    settings,
    resume: at("resume").checked,
  };
}

const time = (seconds) => {
  const whole = Math.round(seconds), rest = String(whole % 60).padStart(2, "0");
  return whole < 3600 ? `${Math.floor(whole / 60)}:${rest}` : `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:${rest}`;
};

function show(told) {
  const runs = ["running", "stopping"].includes(told.state), idle = told.state === "idle";
  at("train-empty").hidden = !idle;
  at("training").hidden = idle;
  at("start-training").hidden = runs;
  at("stop-training").hidden = !runs;
  at("stop-training").disabled = told.state === "stopping";
  at("resume-training").hidden = !["stopped", "failed"].includes(told.state);
  at("install").hidden = told.state !== "done" || Boolean(told.installed);
  at("try").hidden = !told.installed;
  if (idle) return;
  started = told.asked;
  at("train-state").textContent = `${STATES[told.state]}: ${told.asked.name}`;
  at("train-phase").textContent = runs ? told.phase : told.installed ? `installed as ${told.installed}` : told.message;
  at("train-progress").value = told.state === "done" ? 1 : told.progress;
  const left = runs && told.left_s !== null ? `, ${time(told.left_s)} left` : "";
  at("train-numbers").textContent = `step ${told.step}, ${time(told.elapsed_s)} of training${left}; writes ${told.output}`;
  at("curves").replaceChildren(...CHARTS.map(([title, key]) => chart(title, key, told.curves)).filter(Boolean));
  at("samples").hidden = !told.samples;
  if (told.samples && told.samples !== samples) {
    samples = told.samples;
    at("samples").querySelector("img").src = `/api/training/samples?${encodeURIComponent(samples)}`;
  }
  at("train-notes").replaceChildren(...told.notes.map((note) => element("li", {}, note)));
}

// Shows the training until it ends.
async function follow() {
  if (following) return;
  following = true;
  try {
    for (;;) {
      const told = await get("training");
      show(told);
      if (!["running", "stopping"].includes(told.state)) break;
      await pause(POLL_MS);
    }
  } catch (error) {
    at("train-error").textContent = error.message;
  } finally {
    following = false;
  }
}

async function act(action, body) {
  at("train-error").textContent = "";
  try {
    show(await post(`training/${action}`, body));
    await follow();
  } catch (error) {
    at("train-error").textContent = error.message;
  }
}

async function listSettings() {
  try {
    const { settings } = await get(`settings/${encodeURIComponent(at("architecture").value)}`);
    const rows = settings.map(({ name, default: value, help }) => [name, value === null ? "" : String(value), help]);
    at("all-settings").replaceChildren(table({ title: `Settings of ${at("architecture").value}`, heads: ["Name", "Default", "Meaning"], rows }));
  } catch (error) {
    at("train-error").textContent = error.message;
  }
}

export function startTrain(told) {
  installed = told;
  at("architecture").replaceChildren(...told.trainable.map(({ name }) => element("option", {}, name)));
  if (told.trainable.some(({ name }) => name === "hyperprior")) at("architecture").value = "hyperprior";
  for (const id of ["pretrained", "base", "architecture"]) at(id).addEventListener("change", showFields);
  showFields();
  at("train-form").addEventListener("submit", (event) => {
    event.preventDefault();
    act("start", asked());
  });
  at("stop-training").addEventListener("click", () => act("stop"));
  at("resume-training").addEventListener("click", () => act("start", { ...started, resume: true }));
  at("install").addEventListener("click", () => act("install"));
  at("try").addEventListener("click", async () => {
    const { installed: name } = await get("training");
    installed = await showInstalled(name);
    const kind = installed.models.find((model) => model.name === name)?.kind;
    openTab(kind === "enhancer" ? "enhance" : "compress", true);
  });
  at("list-settings").addEventListener("click", listSettings);
  follow();
}
