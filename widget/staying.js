// Staying in the page, whatever it does to its body.
import { tag } from "./tag.js";

// No element of the page has this name: what compares a page's elements with the next page's cannot take
// the host for one of those.
export const HOST = "usher-widget";
const MOST_RETURNS = 20; // in a second: a page that takes it out each time is not to stand still

const observer = new MutationObserver(stay);
const scrolled = new WeakMap();
let parts = null; // the host, and what it holds
let attend = null; // to what else of the page may have changed
let focused = null;
let returns = [];
let retry = 0;

// Remembers what an element loses that is out of the page for a moment, and has it put back.
export function remain(given, then) {
  parts = given;
  attend = then;
  const { root } = parts;
  root.addEventListener("scroll", ({ target }) => scrolled.set(target, target.scrollTop), true);
  root.addEventListener("focusin", ({ target }) => {
    focused = target;
  });
  root.addEventListener("focusout", () => {
    // It also loses the focus as it is taken out.
    queueMicrotask(() => {
      if (parts.host.isConnected) focused = root.activeElement;
    });
  });
  observe();
}

// Has what was focused count for nothing, once what was shown is gone.
export function forgetFocus() {
  focused = parts.root.activeElement;
}

export function stayNoLonger() {
  observer.disconnect();
  clearTimeout(retry);
  if (parts) parts.host.remove();
}

export function observe() {
  observer.disconnect();
  for (const node of [document, document.documentElement, document.body]) {
    if (node) observer.observe(node, { childList: true, attributeFilter: ["lang"] });
  }
  observer.observe(tag, { attributes: true });
}

// A page that swaps its body (Turbo, pjax, htmx) takes the widget out, and may bring back a copy of the host
// that it kept with a former page, which is empty.
function stay() {
  const { host } = parts;
  for (const each of [...document.getElementsByTagName(HOST)]) if (each !== host) each.remove();
  if (document.body && host.parentNode !== document.body && mayReturn()) {
    document.body.append(host);
    for (const each of parts.root.querySelectorAll(".content, .log")) each.scrollTop = scrolled.get(each) || 0;
    const isFree = !document.activeElement || document.activeElement === document.body;
    if (focused && isFree) focused.focus({ preventScroll: true });
  }
  attend();
  observe();
}

function mayReturn() {
  const now = performance.now();
  returns = [...returns.filter((time) => now - time < 1000), now].slice(-MOST_RETURNS - 1);
  if (returns.length <= MOST_RETURNS) return true;
  clearTimeout(retry);
  retry = setTimeout(stay, 1000);
  return false;
}
