// The inbox by single keys, which are taken where nobody types, and not together with others. Whoever speaks to
// the computer may switch them off (WCAG 2.1.4).

import { conversationAfter, open } from "./inbox.js";

const OFF = "usher-console-keys-off";
const find = (selector) => document.querySelector(selector);
const dialog = find("[data-keys]");
const wanted = dialog.querySelector("input");

function go(step) {
  const link = conversationAfter(step);
  if (!link) return;
  link.scrollIntoView({ block: "nearest" });
  open(link.href);
}

const focus = (selector) => {
  const field = find(selector);
  if (field) field.focus();
};

const settle = () => {
  const form = find("[data-settle]");
  if (form) form.requestSubmit();
};

const KEYS = {
  j: () => go(1),
  k: () => go(-1),
  r: () => focus(".reply textarea"),
  e: settle,
  "/": () => focus("[data-search]"),
  "?": () => dialog.showModal(),
};

function onKey(event) {
  const { target, key } = event;
  if (event.isComposing || event.altKey || event.defaultPrevented) return;
  const isField = target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (isField && key === "Escape") target.blur();
  if (target.matches(".reply textarea") && key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    target.form.requestSubmit();
  }
  const isPlain = !isField && !event.ctrlKey && !event.metaKey && !event.repeat && !dialog.open;
  if (!isPlain || !Object.hasOwn(KEYS, key) || !wanted.checked) return;
  event.preventDefault();
  KEYS[key]();
}

// A browser may keep nothing of us; then they are on.
function kept(change) {
  try {
    if (change) change(localStorage);
    return localStorage.getItem(OFF) !== "1";
  } catch {
    return wanted.checked;
  }
}

wanted.checked = kept();
wanted.addEventListener("change", () =>
  kept((storage) => (wanted.checked ? storage.removeItem(OFF) : storage.setItem(OFF, "1"))),
);
for (const button of document.querySelectorAll("[data-show-keys]")) {
  button.hidden = false;
  button.addEventListener("click", () => dialog.showModal());
}
document.addEventListener("keydown", onKey);
