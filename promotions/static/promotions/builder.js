// The promotion builder: rows that are added, parts that a kind of award does not have, and the
// panel that evaluates the form as it stands. All of it works on the server; this saves clicks.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const rows of document.querySelectorAll("[data-rows]")) {
    rows.querySelector("[data-add-row]").addEventListener("click", () => addRow(rows));
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-gone]")) {
      event.target.closest("[data-row]").style.opacity = event.target.checked ? 0.4 : 1;
    }
  });
  const kind = document.querySelector("#id_award__kind");
  if (kind) {
    kind.addEventListener("change", () => showParts(kind));
    showParts(kind);
  }
  for (const button of document.querySelectorAll("[data-ask]")) {
    button.addEventListener("click", () => ask(button));
  }
});

function addRow(rows) {
  const count = rows.querySelector("input[type=hidden]");
  const html = rows.querySelector("template").innerHTML.replaceAll("__place__", count.value);
  rows.querySelector("[data-list]").insertAdjacentHTML("beforeend", html);
  count.value = Number(count.value) + 1;
}

const PARTS = {
  FIXED: ["type", "points"],
  PER_AMOUNT: ["type", "points", "per", "rounding", "scope"],
  MULTIPLIER: ["type", "factor", "rounding", "scope"],
  PER_ITEM: ["type", "points"],
  BANDED: ["type", "bands", "rounding"],
  VOUCHER: ["voucher_type", "quantity"],
  TICKET: ["sweepstake", "quantity"],
};

function showParts(kind) {
  const all = new Set(Object.values(PARTS).flat());
  for (const part of all) {
    const field = document.querySelector(`[name^="award__${part}"]`);
    const line = field && field.closest(".field-line, .form-row, [class*='field-award__']");
    if (line) line.hidden = !PARTS[kind.value].includes(part);
  }
}

async function ask(button) {
  const into = document.querySelector(button.dataset.into);
  into.textContent = "…";
  try {
    const answer = await fetch(button.dataset.ask, {
      method: "POST",
      body: new FormData(button.form),
    });
    into.innerHTML = await answer.text();
  } catch {
    into.textContent = "The server does not answer.";
  }
  // The answer stands below the panel, where the bar of buttons may lie over it.
  into.scrollIntoView({ block: "center", behavior: "smooth" });
}
