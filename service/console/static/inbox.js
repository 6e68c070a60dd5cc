// The inbox: what is opened, loaded, sent or read, without leaving the page. Each link and form does the same
// where no script runs.

import "./attachments.js";
import { fetchPage, showPage } from "./live.js";
import { announce, extend, keepInPlace, update } from "./parts.js";

const inbox = document.querySelector("[data-inbox]");
const narrow = matchMedia("(max-width: 47.99rem)"); // as in inbox.css
const find = (selector) => document.querySelector(selector);

let lastPlace = 0; // in the list, of the conversation that is open
let listTop = 0; // where the page of the list was left, where only one of both is shown
let opening = null; // the address that is about to be shown
let isLoading = false;
let hasRead = ""; // what was last read, and up to where
const sent = new WeakSet(); // forms that are on their way

const isReading = () => inbox.classList.contains("reading");

// Where the page scrolls, a thread begins at its end, as it does where the thread scrolls by itself.
function goToEnd() {
  const [reply, thread] = [".reply", ".messages"].map(find);
  if (thread) thread.scrollTop = 0;
  if (reply && narrow.matches) reply.scrollIntoView({ block: "end" });
}

// --- what is opened --------------------------------------------------------------------------------

const links = () => [...document.querySelectorAll(".list-pane .rows a")];
const placeOf = (address) => links().findIndex((link) => link.pathname === new URL(address, location).pathname);

// Returns the link of the conversation that is a step from the one that is open, or about to be; where that one
// has left the list, from where it was.
export function conversationAfter(step) {
  const at = placeOf(opening || location.href);
  if (at < 0 && step > 0) return links()[lastPlace];
  return links()[(at < 0 ? lastPlace : at) + step];
}

function notePlace() {
  const at = placeOf(location.href);
  if (at >= 0) lastPlace = at;
}

// Marks the conversation that is open. It keeps its place, also while the list is shown alone, until another is.
function markCurrent() {
  const at = placeOf(location.href);
  links().forEach((link, place) => {
    if (place === at) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  if (at >= 0) keepInPlace(links()[at].closest("[data-key]").dataset.key);
}

// What was searched is here already.
function withoutSearch(address) {
  const url = new URL(address, location);
  const what = url.searchParams.get("search");
  if (what && what === new URLSearchParams(location.search).get("search")) url.searchParams.set("list", "no");
  return url.href;
}

// Opens a page of the inbox here. What cannot be had is left to the browser.
export async function open(address, { isNew = true } = {}) {
  opening = address;
  const fresh = await fetchPage(withoutSearch(address)).catch(() => undefined);
  if (fresh === null || opening !== address) return;
  opening = null;
  if (!fresh || !fresh.querySelector("[data-inbox]")) {
    location.assign(address);
    return;
  }
  if (!isReading()) listTop = scrollY;
  if (isNew) history.pushState(null, "", address);
  markCurrent();
  showPage(fresh);
  markCurrent();
  if (isReading()) goToEnd();
  else if (narrow.matches) scrollTo(0, listTop);
  // What had the focus may be gone, or hidden with the list.
  if (!document.activeElement || !document.activeElement.checkVisibility() || document.activeElement === document.body)
    find("h1").focus({ preventScroll: true });
}

// --- what is loaded --------------------------------------------------------------------------------

async function load(link) {
  if (isLoading) return;
  isLoading = true;
  const name = link.closest("[data-more]").dataset.more;
  const fresh = await fetchPage(link.href).catch(() => null);
  isLoading = false;
  if (fresh && link.isConnected) extend(name, fresh);
}

// What goes on is loaded before its end is reached.
const ahead = new IntersectionObserver(
  (entries) => entries.forEach(({ isIntersecting, target }) => isIntersecting && load(target)),
  { rootMargin: "300px", scrollMargin: "300px" },
);

function watchEnds() {
  ahead.disconnect();
  for (const link of document.querySelectorAll("[data-more] a:not([data-by-hand])")) ahead.observe(link);
}

function onClick(event) {
  const link = event.target.closest(".list-pane .rows a, a.back, [data-more] a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.closest("[data-more]")) load(link);
  else open(link.href);
}

// --- what is sent ----------------------------------------------------------------------------------

// Sends a form. Returns the page that comes of it, undefined if there is none, and null where the form stands
// no more.
async function send(form) {
  if (sent.has(form)) return null;
  sent.add(form);
  const body = new URLSearchParams(new FormData(form));
  const fresh = await fetchPage(form.action, { method: "POST", body, redirect: "follow" }).catch(() => undefined);
  sent.delete(form);
  return form.isConnected ? fresh : null;
}

function complain(form, text) {
  const wrong = form.querySelector(".wrong") || document.createElement("p");
  wrong.className = "wrong";
  wrong.setAttribute("role", "alert");
  wrong.textContent = text;
  form.prepend(wrong);
}

async function onSubmit(event) {
  const form = event.target;
  if (!("inPlace" in form.dataset)) return;
  event.preventDefault();
  const typed = form.elements.body && form.elements.body.value;
  const fresh = await send(form);
  if (fresh === null) return;
  const wrong = fresh && fresh.querySelector("main > .wrong");
  if (!fresh || wrong) {
    complain(form, wrong ? wrong.textContent : "This could not be sent. Look whether you are online, and try again.");
    return;
  }
  form.querySelectorAll(".wrong").forEach((one) => one.remove());
  if (form.matches(".reply")) {
    const next = fresh.querySelector(".reply");
    form.elements.key.value = next.elements.key.value;
    // What was typed since is another reply.
    if (form.elements.body.value === typed) form.elements.body.value = "";
    form.elements.body.dispatchEvent(new Event("input", { bubbles: true }));
    goToEnd();
  }
  update(fresh, true);
  announce(fresh.querySelector("main > .notice").textContent);
  if (form.matches(".reply")) goToEnd();
}

// --- what is read ----------------------------------------------------------------------------------

function isLastSeen() {
  const last = find(".thread > li:last-child");
  if (!last) return false;
  const { top, bottom } = last.getBoundingClientRect();
  const scroller = find(".messages").getBoundingClientRect();
  return bottom > Math.max(scroller.top, 0) && top < Math.min(scroller.bottom, innerHeight);
}

// What is looked at is read, up to what is shown: whatever comes meanwhile is not.
async function read() {
  const form = find("[data-read]");
  if (!form || document.hidden || !isReading() || !isLastSeen()) return;
  const what = `${form.action} ${form.elements.through.value}`;
  if (what === hasRead) return;
  hasRead = what;
  const fresh = await send(form);
  if (!fresh) {
    hasRead = "";
    return;
  }
  update(fresh);
  // Its row may be on a later page by now, of which nothing was told.
  const row = links()[placeOf(location.href)]?.closest("[data-key]");
  if (row) row.classList.remove("unread");
  if (row) row.querySelectorAll(".count").forEach((count) => count.remove());
}

document.addEventListener("click", onClick);
document.addEventListener("submit", onSubmit);
addEventListener("popstate", () => open(location.href, { isNew: false }));
document.addEventListener("console:shown", watchEnds);
document.addEventListener("console:shown", notePlace);
document.addEventListener("console:shown", read);
document.addEventListener("visibilitychange", read);
document.addEventListener("scroll", read, { capture: true, passive: true });
if (isReading()) goToEnd();
watchEnds();
markCurrent();
notePlace();
read();
