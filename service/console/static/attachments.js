// Files that go with a message: chosen, pasted or dropped, and sent at once, each with its progress. They are
// named by the message when that is sent, and can be taken away before.
//
// The tray of a conversation is one element for as long as the page is there: who looks at another conversation
// meanwhile finds it again, and what is on its way goes on.

import { pause, send } from "./uploads.js";

const MOST = 10; // files of a message, as the server has it
const RETRIES = 4; // of a picture for which the server had no room
const REASONS = {
  0: "It could not be sent. Look whether you are online.",
  401: "You are signed out.",
  404: "The conversation is gone.",
  408: "It came too slowly.",
  413: "It is too large.",
  503: "There is no room at the moment. Try again.",
};

const trays = new Map(); // the id of a conversation → its tray
const keys = new WeakMap(); // a tray → the key of the reply that is being sent with it

const listOf = (tray) => tray.querySelector(".files");
const tell = (tray, text) => (tray.querySelector("[role=status]").textContent = text);
const currentTray = () => document.querySelector(".reply [data-tray]");

function sizeOf(count) {
  const [unit, name] = count >= 1048576 ? [1048576, "MB"] : count >= 1024 ? [1024, "KB"] : [1, "bytes"];
  return `${(count / unit).toFixed(1).replace(".0", "")} ${name}`;
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// --- what is chosen ----------------------------------------------------------------------------------

function refusalOf(tray, file) {
  const largest = Number(tray.dataset.largest);
  if (!file.size) return "It is empty, or a folder.";
  if (file.size > largest) return `It is too large: a file has at most ${sizeOf(largest)}.`;
  if (tray.querySelectorAll(".files li:not(.refused)").length >= MOST) return `A message has at most ${MOST} files.`;
  return "";
}

function add(tray, files) {
  for (const file of files) {
    const why = refusalOf(tray, file);
    const row = element("li", {}, element("bdi", { textContent: file.name }), " ", element("span", { className: "quiet", textContent: sizeOf(file.size) }));
    const remove = element("button", { type: "button", className: "small", textContent: "Remove" });
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    row.append(remove);
    listOf(tray).append(row);
    const upload = { tray, file, row, key: crypto.randomUUID(), stop: new AbortController() };
    remove.addEventListener("click", () => takeAway(upload));
    if (why) refuse(upload, why);
    else begin(upload);
  }
  noteNeeds(tray);
}

function takeAway(upload) {
  upload.stop.abort();
  const next = upload.row.nextElementSibling || upload.row.previousElementSibling;
  upload.row.remove();
  (next || upload.tray).querySelector("button, input[type=file]").focus();
  tell(upload.tray, `${upload.file.name} was removed.`);
  noteNeeds(upload.tray);
}

function refuse(upload, why) {
  upload.row.classList.add("refused");
  upload.row.querySelectorAll("progress, .why, .again").forEach((one) => one.remove());
  upload.row.append(element("span", { className: "why", textContent: why }));
  tell(upload.tray, `${upload.file.name}: ${why}`);
}

// A message needs a text, or a file.
function noteNeeds(tray) {
  const form = tray.closest("form");
  if (form) form.querySelector("textarea").required = !tray.querySelector("li:not(.refused)");
}

// --- what is sent ------------------------------------------------------------------------------------

async function begin(upload) {
  const { tray, file, row, key, stop } = upload;
  const progress = element("progress", { max: 1, value: 0 });
  progress.setAttribute("aria-label", `Sending ${file.name}`);
  row.append(progress);
  const onProgress = (part) => (progress.value = part);
  const { status, text } = await send(tray.dataset.upload, file, { key, onProgress, signal: stop.signal });
  if (stop.signal.aborted) return;
  if (status === 200 || status === 201) finish(upload, JSON.parse(text));
  else fail(upload, status, text);
}

function finish({ tray, file, row }, { id, size }) {
  row.querySelector("progress").remove();
  row.querySelector(".quiet").textContent = sizeOf(size);
  row.append(element("input", { type: "hidden", name: "attachments", value: id }));
  tell(tray, `${file.name} is attached.`);
  goOn(tray);
}

function fail(upload, status, text) {
  let said = "";
  try {
    const problem = JSON.parse(text);
    said = problem.errors ? problem.errors[0].detail : problem.detail;
  } catch {
    // Something between here and the server answered.
  }
  refuse(upload, said || REASONS[status] || "It was not taken.");
  const again = element("button", { type: "button", className: "small again", textContent: "Try again" });
  again.setAttribute("aria-label", `Try ${upload.file.name} again`);
  again.addEventListener("click", () => {
    upload.row.classList.remove("refused");
    upload.row.querySelectorAll(".why, .again").forEach((one) => one.remove());
    begin(upload);
    noteNeeds(upload.tray);
  });
  upload.row.append(again);
  noteNeeds(upload.tray);
  goOn(upload.tray);
}

// A message that was to be sent while files were on their way is sent once all are there; where one is not, its
// reason has to be read first.
function goOn(tray) {
  if (!("waits" in tray.dataset) || tray.querySelector("progress")) return;
  delete tray.dataset.waits;
  const form = tray.closest("form");
  if (form && !tray.querySelector(".refused")) form.requestSubmit();
}

function onSubmit(event) {
  const tray = event.target.querySelector("[data-tray]");
  if (!tray) return;
  if (tray.querySelector("progress")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    tray.dataset.waits = "";
    tell(tray, "It is sent as soon as its files are there.");
  } else keys.set(tray, { form: event.target, key: event.target.elements.key.value, rows: [...listOf(tray).children] });
}

// --- what is shown -----------------------------------------------------------------------------------

// Once a reply was sent, its form has another key, and its files are in the thread.
function emptyIfSent(tray) {
  const sent = keys.get(tray);
  const form = tray.closest("form");
  if (!sent || !form || form.elements.key.value === sent.key) return;
  sent.rows.forEach((row) => row.remove());
  keys.delete(tray);
  noteNeeds(tray);
}

function adopt() {
  const shown = currentTray();
  if (!shown) return;
  const kept = trays.get(shown.dataset.tray) || shown;
  trays.set(shown.dataset.tray, kept);
  if (kept !== shown) shown.replaceWith(kept);
  kept.querySelector(".choose").hidden = false;
  emptyIfSent(kept);
  noteNeeds(kept);
}

// Of many pictures at once some find no room at the server.
async function onError({ target }) {
  const attempt = Number(target.dataset?.attempt || 0) + 1;
  if (target.tagName !== "IMG" || attempt > RETRIES) return;
  target.dataset.attempt = attempt;
  await pause(attempt);
  target.src = target.getAttribute("src");
}

const hasFiles = (transfer) => transfer && [...transfer.types].includes("Files");

function onDrag(event) {
  if (!hasFiles(event.dataTransfer) || !currentTray()) return;
  // Else the browser would leave the page for the file.
  event.preventDefault();
  document.body.classList.toggle("dropping", event.type !== "dragleave" || Boolean(event.relatedTarget));
}

function onDrop(event) {
  onDrag(event);
  document.body.classList.remove("dropping");
  if (hasFiles(event.dataTransfer) && currentTray()) add(currentTray(), event.dataTransfer.files);
}

function onPaste(event) {
  const files = event.target.closest?.(".reply") && event.clipboardData.files;
  // Of a table, programs offer a picture too.
  if (!files || !files.length || event.clipboardData.types.includes("text/plain")) return;
  event.preventDefault();
  add(currentTray(), files);
}

function onChange({ target }) {
  const tray = target.type === "file" && target.closest("[data-tray]");
  if (!tray) return;
  add(tray, target.files);
  target.value = "";
}

document.addEventListener("submit", onSubmit, { capture: true });
document.addEventListener("change", onChange);
document.addEventListener("paste", onPaste);
document.addEventListener("dragover", onDrag);
document.addEventListener("dragleave", onDrag);
document.addEventListener("drop", onDrop);
document.addEventListener("error", onError, { capture: true });
document.addEventListener("console:shown", adopt);
addEventListener("beforeunload", (event) => document.querySelector("[data-tray] progress") && event.preventDefault());
adopt();
