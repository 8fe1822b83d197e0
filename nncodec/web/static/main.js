// Starts the page: tabs, what is installed, and the three tabs' own modules.

import { get } from "./api.js";
import { startCompress } from "./compress.js";
import { at, element, showAgain } from "./dom.js";
import { startEnhance } from "./enhance.js";
import { startTrain } from "./train.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

export function openTab(name, focus = false) {
  for (const tab of tabs) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    at(tab.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  if (name !== "train") showAgain(`${name}-viewer`);
  history.replaceState(null, "", `#${name}`);
}

for (const [number, tab] of tabs.entries()) {
  tab.addEventListener("click", () => openTab(tab.id.slice(4)));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) openTab(tabs[(number + step + tabs.length) % tabs.length].id.slice(4), true);
  });
}

// Suggests the folders below what is typed.
async function suggestFolders(event) {
  const typed = event.target.value, parent = typed.includes("/") ? typed.slice(0, typed.lastIndexOf("/")) : "";
  try {
    const { folders } = await get(`folders?in=${encodeURIComponent(parent)}`);
    at("folders").replaceChildren(...folders.map((folder) => element("option", { value: folder })));
  } catch {
    at("folders").replaceChildren();  // the folder does not exist (yet)
  }
}
for (const input of document.querySelectorAll("input[list=folders]")) {
  input.addEventListener("focus", suggestFolders);
  input.addEventListener("input", suggestFolders);
}

// Fills the lists of models; keeps what was chosen.
export async function showInstalled(choose) {
  const installed = await get("start");
  const option = ({ name, aliases, about }) => element("option", { value: name, title: about }, aliases.length ? `${name} (${aliases.join(", ")})` : name);
  const factorOption = (model) => {
    const factor = model.aliases.map((alias) => /^x(\d+)$/.exec(alias)?.[1]).find(Boolean);
    const does = factor ? `${factor} times larger: ` : model.aliases.includes("restore") ? "restored in its own size: " : "";
    return element("option", { value: model.name, title: model.about }, does + model.name);
  };
  for (const [id, kinds] of [["model", ["codec", "lossless"]], ["enhancer", ["enhancer"]], ["base", ["codec", "enhancer", "lossless"]]]) {
    const before = at(id).value;
    const listed = installed.models.filter((model) => kinds.includes(model.kind));
    at(id).replaceChildren(...listed.map(id === "enhancer" ? factorOption : option));
    const wanted = [choose, before, ...listed.filter((model) => model.aliases.some((alias) => installed.defaults.includes(alias))).map((model) => model.name)];
    const found = wanted.find((name) => name && listed.some((model) => model.name === name));
    if (found) at(id).value = found;
  }
  return installed;
}

try {
  const installed = await showInstalled();
  at("root").textContent = installed.folder;
  for (const label of document.querySelectorAll("label")) {
    if (label.textContent.includes("{root}")) label.textContent = label.textContent.replace("{root}", installed.folder);
  }
  startCompress(installed);
  startEnhance(installed);
  startTrain(installed);
  const wanted = location.hash.slice(1);
  if (["enhance", "train"].includes(wanted)) openTab(wanted);
  document.documentElement.dataset.ready = "true";
} catch (error) {
  at("compress-error").textContent = error.message;
}
