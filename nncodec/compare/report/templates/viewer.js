// The before/after slider, of the report and of `nncodec ui`; its markup is viewer.html, one in a document.
//
// `data` is {samples: [{name, why, note, width, height, versions: [{key, label, numbers, uri}]}], left, right}: the
// pictures, and the keys of the versions that are shown first. Returns a function that shows a sample by its number.
// Two pictures lie on each other under one transform; the left one is clipped at the divider.
// Positions are in CSS pixels of the stage, `scale` is CSS pixels for each pixel of the picture.
const showViewer = (data) => {
  const at = (id) => document.getElementById(id);
  const stage = at("stage"), divider = at("divider"), range = at("split");
  const choose = { left: at("left"), right: at("right") };
  const images = { left: at("left-image"), right: at("right-image") };
  const MOST_SCALE = 16, STEP = 1.25, MOVE = 40, DIVIDER_STEP = 0.02;
  const state = { sample: 0, split: 0.5, scale: 1, x: 0, y: 0, fitted: true };
  const wanted = { left: data.left, right: data.right };

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const sample = () => data.samples[state.sample];
  const version = (side) => sample().versions.find((version) => version.key === choose[side].value);
  const fitScale = () => Math.min(stage.clientWidth / sample().width, stage.clientHeight / sample().height);
  const placed = (offset, size, room) => (size <= room ? (room - size) / 2 : clamp(offset, room - size, 0));

  function draw() {
    if (!stage.isConnected) return;  // another viewer has taken its place
    const { width, height } = sample();
    if (state.fitted) state.scale = fitScale();
    state.x = placed(state.x, width * state.scale, stage.clientWidth);
    state.y = placed(state.y, height * state.scale, stage.clientHeight);
    const cut = state.split * stage.clientWidth;
    for (const image of Object.values(images)) {
      image.style.transform = `translate(${state.x}px, ${state.y}px) scale(${state.scale})`;
    }
    // In the picture's own pixels, which the transform scales.
    const shown = clamp((cut - state.x) / state.scale, 0, width);
    images.left.style.clipPath = `inset(0 ${width - shown}px 0 0)`;
    divider.style.left = `${cut}px`;
    range.value = String(100 * state.split);
    stage.classList.toggle("magnified", !state.fitted);
    stage.classList.toggle("pixels", state.scale >= 2);
    at("zoom").value = `${Math.round(100 * state.scale)}%`;
  }

  function setSplit(split) {
    state.split = clamp(split, 0, 1);
    draw();
  }

  function zoomTo(scale, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const fit = fitScale();
    const next = clamp(scale, Math.min(fit, 1), Math.max(MOST_SCALE, fit));
    // What is under the pointer stays there.
    state.x = x - ((x - state.x) * next) / state.scale;
    state.y = y - ((y - state.y) * next) / state.scale;
    state.scale = next;
    state.fitted = next === fit;
    draw();
  }

  // Zooming out stops at the whole picture on its way, so that it is easy to come back to.
  function zoomBy(factor, x, y) {
    const fit = fitScale(), next = state.scale * factor;
    const passes = (state.scale - fit) * (next - fit) < 0 || Math.abs(next / fit - 1) < 0.01;
    zoomTo(passes ? fit : next, x, y);
  }

  function fit() {
    state.fitted = true;
    draw();
  }

  function showSide(side) {
    const shown = version(side);
    wanted[side] = shown.key;
    images[side].src = shown.uri;
    images[side].alt = `${sample().name}, ${shown.label}`;
    at(`${side}-tag`).textContent = shown.label;
    at(`${side}-name`).textContent = `${side === "left" ? "Left" : "Right"}: ${shown.label}`;
    at(`${side}-numbers`).textContent = shown.numbers;
  }

  function showSample(number) {
    state.sample = number;
    at("sample").value = String(number);
    const { width, height, versions, note } = sample();
    for (const side of ["left", "right"]) {
      choose[side].replaceChildren(...versions.map((version) => new Option(version.label, version.key)));
      const known = versions.some((version) => version.key === wanted[side]);
      choose[side].value = known ? wanted[side] : versions[side === "left" ? 0 : versions.length - 1].key;
      images[side].width = width;
      images[side].height = height;
      showSide(side);
    }
    at("sample-note").textContent = note;
    // As large as the window allows, without empty borders, and no larger than pixels are worth looking at.
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.maxWidth = `min(${(70 * width) / height}vh, ${MOST_SCALE * width}px)`;
    fit();
  }

  function swap() {
    [choose.left.value, choose.right.value] = [choose.right.value, choose.left.value];
    showSide("left");
    showSide("right");
  }

  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left - stage.clientLeft, event.clientY - box.top - stage.clientTop];
  };

  let drag = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const [x, y] = place(event);
    const moves = state.fitted || divider.contains(event.target) ? "divider" : "picture";
    drag = { moves, x: x - state.x, y: y - state.y };
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("dragging");
    if (moves === "divider") setSplit(x / stage.clientWidth);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = place(event);
    if (drag.moves === "divider") {
      setSplit(x / stage.clientWidth);
    } else {
      state.x = x - drag.x;
      state.y = y - drag.y;
      draw();
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => {
      drag = null;
      stage.classList.remove("dragging");
    });
  }

  // Without the focus the wheel scrolls the page, as everywhere else.
  stage.addEventListener("wheel", (event) => {
    if (document.activeElement !== stage && !event.ctrlKey) return;
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? STEP : 1 / STEP, ...place(event));
  }, { passive: false });

  const pan = (x, y) => {
    state.x += x;
    state.y += y;
    draw();
  };
  const keys = {
    "+": () => zoomBy(STEP),
    "=": () => zoomBy(STEP),
    "-": () => zoomBy(1 / STEP),
    "0": fit,
    "1": () => zoomTo(1),
    "s": swap,
    "[": () => setSplit(state.split - DIVIDER_STEP),
    "]": () => setSplit(state.split + DIVIDER_STEP),
    "ArrowLeft": () => pan(MOVE, 0),
    "ArrowRight": () => pan(-MOVE, 0),
    "ArrowUp": () => pan(0, MOVE),
    "ArrowDown": () => pan(0, -MOVE),
  };
  stage.addEventListener("keydown", (event) => {
    const arrow = event.key.startsWith("Arrow");
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key] || (arrow && state.fitted)) return;
    event.preventDefault();
    keys[event.key]();
  });

  at("sample").replaceChildren(...data.samples.map((sample, number) => new Option(sample.why ? `${sample.name} (${sample.why})` : sample.name, number)));
  at("sample").addEventListener("change", (event) => showSample(Number(event.target.value)));
  for (const side of ["left", "right"]) choose[side].addEventListener("change", () => showSide(side));
  range.addEventListener("input", () => setSplit(range.value / 100));
  at("swap").addEventListener("click", swap);
  at("zoom-in").addEventListener("click", () => zoomBy(STEP));
  at("zoom-out").addEventListener("click", () => zoomBy(1 / STEP));
  at("fit").addEventListener("click", fit);
  at("actual").addEventListener("click", () => zoomTo(1));
  at("viewer").hidden = false;
  new ResizeObserver(draw).observe(stage);
  showSample(0);
  return showSample;
};
