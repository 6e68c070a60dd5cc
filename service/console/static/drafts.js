// Keeps what somebody writes to a user, in this browser, until it is sent or they sign out.
//
// It is encrypted with a key that a page holds only while somebody is signed in with the same secret key of the
// app. So what a sign-in that ended leaves behind is nothing that the next person at this computer can read.
const PREFIX = "usher-draft ";
const SIGNED_OUT = "usher-signed-out";
const LONGEST = 7 * 24 * 3600 * 1000; // milliseconds for which a draft is kept

const ignore = () => {};
const mark = document.querySelector('meta[name="usher-drafts"]');
const storage = (() => {
  try {
    return localStorage;
  } catch {
    return null; // it is switched off
  }
})();

let isOver = false; // nothing is written any more
let writing = Promise.resolve(); // one after the other, so that the latest stays

// --- what is kept ------------------------------------------------------------------------------------

const names = () => Object.keys(storage || {}).filter((name) => name.startsWith(PREFIX));
const plain = (text) => atob(text.replaceAll("-", "+").replaceAll("_", "/"));
const bytes = (text) => Uint8Array.from(plain(text), (letter) => letter.charCodeAt(0));
const text = (data) => btoa(Array.from(new Uint8Array(data), (byte) => String.fromCharCode(byte)).join(""));
const nameOf = (form) => `${PREFIX}${mark.dataset.scope} ${form.dataset.draft}`;
const how = (name, iv) => ({ name: "AES-GCM", iv, additionalData: new TextEncoder().encode(name) });

function forgetAll() {
  isOver = true;
  for (const name of names()) storage.removeItem(name);
}

function forgetOld() {
  for (const name of names()) {
    const at = Number(storage.getItem(name).split(".")[0]);
    if (!(at > Date.now() - LONGEST)) storage.removeItem(name);
  }
}

// Browsers encrypt on pages of https and of localhost only, where alone anybody signs in.
async function readKey() {
  const key = mark && storage && crypto.subtle;
  return key ? crypto.subtle.importKey("raw", bytes(mark.dataset.key), "AES-GCM", false, ["encrypt", "decrypt"]) : null;
}

async function write(name, draft) {
  if (!draft.text) {
    storage.removeItem(name);
    return;
  }
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const data = await crypto.subtle.encrypt(how(name, iv), key, new TextEncoder().encode(JSON.stringify(draft)));
  if (!isOver) storage.setItem(name, `${Date.now()}.${text(iv)}.${text(data)}`);
}

async function read(name) {
  const [, iv, data] = (storage.getItem(name) || "").split(".");
  if (!data) return null;
  const found = await crypto.subtle.decrypt(how(name, bytes(iv)), key, bytes(data));
  return JSON.parse(new TextDecoder().decode(found));
}

function keep(name, draft) {
  writing = writing.then(() => isOver || write(name, draft)).catch(ignore);
}

// --- the form ----------------------------------------------------------------------------------------

const adopted = new WeakSet();

// A draft goes with the key of the form that it was written in: a reply that was sent, and whose answer was
// lost, is not written twice if it is sent again as it stands. What is changed is another reply.
async function adopt(form) {
  adopted.add(form);
  const [name, field, its] = [nameOf(form), form.elements.body, form.elements.key];
  const fresh = its.value;
  let former = null;
  field.addEventListener("input", () => {
    if (its.value === former) its.value = fresh;
    keep(name, { text: field.value, key: its.value });
  });
  const draft = await read(name).catch(ignore);
  if (!draft || field.value) return;
  field.value = draft.text;
  its.value = former = draft.key;
}

function adoptAll() {
  for (const form of document.querySelectorAll("form[data-draft]")) if (!adopted.has(form)) adopt(form);
}

// --- the end -----------------------------------------------------------------------------------------

// Whoever signs out leaves this computer: nothing stays, on no page that is open.
function leave() {
  forgetAll();
  for (const field of document.querySelectorAll("form[data-draft] textarea")) field.value = "";
}

function onSignOut(event) {
  if (!event.target.matches("[data-sign-out]")) return;
  leave();
  if (storage) storage.setItem(SIGNED_OUT, String(Date.now()));
}

addEventListener("submit", onSignOut);
addEventListener("storage", (event) => {
  if (event.key !== SIGNED_OUT || !event.newValue) return;
  leave();
  location.replace(new URL("../sign-in", import.meta.url));
});
if (document.querySelector('[data-done="ended"]')) forgetAll();
else if (storage) forgetOld();

const key = await readKey().catch(ignore);
if (key) {
  adoptAll();
  document.addEventListener("console:shown", adoptAll);
}
