// Tells the other agents who look at a conversation that this one does too, and shows who they are.
const PAUSE = 5000; // milliseconds between two times that we are heard of; see desk/looking.py
const WRITING = 15000; // … for which somebody writes still who has stopped

const { value: token } = document.querySelector('input[name="token"]');
let there = null; // where we said that we look
let timer = 0;
let wroteAt = -WRITING;

const send = (said) => new URLSearchParams({ token, ...said });

function leave() {
  if (there) navigator.sendBeacon(there, send({ leaves: "1" }));
  there = null;
}

async function ask(place) {
  const writes = isWriting() ? "1" : "";
  const response = await fetch(there, { method: "POST", body: send({ writes }), redirect: "error" });
  if (response.status === 401) there = null; // whoever is signed out is asked no more
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-looking]");
  if (place.isConnected && place.innerHTML !== fresh.innerHTML) place.innerHTML = fresh.innerHTML;
}

// Nobody looks at a page that is hidden.
async function tell() {
  clearTimeout(timer);
  const place = document.querySelector("[data-looking]");
  const now = place && !document.hidden ? place.dataset.looking : null;
  if (there !== now) leave();
  there = now;
  if (!there) return;
  await ask(place).catch(() => {}); // what fails is tried again
  clearTimeout(timer);
  if (there) timer = setTimeout(tell, PAUSE);
}

const isWriting = () => performance.now() - wroteAt < WRITING;

function onInput({ target }) {
  if (!target.matches("form[data-draft] textarea")) return;
  const before = isWriting();
  wroteAt = target.value ? performance.now() : -WRITING;
  if (isWriting() !== before) tell();
}

function onShown() {
  const place = document.querySelector("[data-looking]");
  if ((place ? place.dataset.looking : null) !== there) tell();
}

document.addEventListener("input", onInput);
document.addEventListener("console:shown", onShown);
document.addEventListener("visibilitychange", tell);
addEventListener("pagehide", leave);
tell();
