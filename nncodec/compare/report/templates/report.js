"use strict";
{% include "viewer.js" %}

(() => {
  const at = (id) => document.getElementById(id);
  const showSample = showViewer(JSON.parse(at("viewer-data").textContent));
  for (const button of document.querySelectorAll(".show")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      showSample(Number(button.dataset.sample));
      at("viewer").scrollIntoView();
      at("stage").focus({ preventScroll: true });
    });
  }
})();
