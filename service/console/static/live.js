// Shows what is new by itself, on the pages that embed this: the list of conversations, and each of them.
//
// The page is fetched anew, and of it the parts that differ are put into this one (see parts.js). When to
// fetch it, a stream tells, which says only that something is new; where there is none, the clock does.

import { dropParts, showPage as putPage, update } from "./parts.js";

const MARK = 'meta[name="usher-live"]';
const { url, page: begun, ticket: first } = document.querySelector(MARK).dataset;
let page = begun; // where this page is fetched anew

const PAUSE = 5000; // milliseconds between two looks for news
const LONG_PAUSE = 20000; // … while a stream tells of them, but not of what others have read
const LEAST_PAUSE = 1000; // … at least: a busy desk has news all the time
const SILENCE = 50000; // … after which a stream is dead: it says something every 20 seconds
const FIRST_WAIT = 2000; // … before it is asked for a stream again, give or take a half; twice as long
const LONGEST_WAIT = 40000; // … after each failure, up to this
const TICKET_AGE = 120000; // … after which another ticket is fetched before it is used

const ignore = () => {};

// --- looking for news ------------------------------------------------------------------------------

let ticket = { text: first, at: Date.now() };
let timer = 0;
let isTold = false; // by a stream, when something is new
let isOver = false;
let running = null; // the look for news that runs
let queued = null; // the one that begins after it
let soon = 0; // the timer of the next one, if a stream told of news
let lookedAt = 0;
let changes = 0; // how often another page was shown, or something sent and answered with a page

// Fetches a page of the console, and its ticket. Returns null once nobody is signed in. Throws the status of
// what is no such page.
export async function fetchPage(address, options = {}) {
  const response = await fetch(address, { cache: "no-store", redirect: "error", ...options });
  const { status } = response;
  if (status === 401) {
    end(status);
    return null;
  }
  if (!response.ok && status !== 422) throw Object.assign(new Error(String(status)), { status });
  if (options.method) changes += 1;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  ticket = { text: fresh.querySelector(MARK).dataset.ticket, at: Date.now() };
  return fresh;
}

// Shows another page in place of this one.
export function showPage(fresh) {
  changes += 1;
  ({ page } = fresh.querySelector(MARK).dataset);
  putPage(fresh);
}

async function lookOnce() {
  if (isOver) return;
  const before = changes;
  const fresh = await fetchPage(page).catch((error) => {
    if (error.status !== 404 || before !== changes) throw error;
    end(error.status);
  });
  // What was asked before something was sent may not hold it, and would take it away again.
  if (before !== changes) lookSoon();
  else if (fresh) update(fresh);
}

// Looks for news now, and again after a while. Of much that is new at once, one look finds all.
export function look() {
  if (!queued)
    queued = Promise.resolve(running).then(async () => {
      running = queued;
      queued = null;
      lookedAt = Date.now();
      clearTimeout(timer);
      // What fails is tried again, and nobody is bothered with it.
      const isFresh = await lookOnce().then(() => true, () => false);
      running = null;
      wait(isFresh);
    });
  return queued;
}

function lookSoon() {
  if (soon) return;
  const begin = () => {
    soon = 0;
    look();
  };
  soon = setTimeout(begin, Math.max(0, lookedAt + LEAST_PAUSE - Date.now()));
}

function wait(isFresh) {
  clearTimeout(timer);
  const again = () => document.hidden || look();
  if (!isOver) timer = setTimeout(again, isTold && isFresh ? LONG_PAUSE : PAUSE);
}

// Nobody is signed in any more, or the conversation is gone: nor is it to be seen here. What somebody was
// writing is theirs, and is not taken from them.
function end(status) {
  if (isOver) return;
  isOver = true;
  hangUp();
  wake();
  const field = document.querySelector("textarea");
  if (status === 404 || !field || !field.value.trim()) {
    location.replace(page);
    return;
  }
  dropParts();
  const notice = document.createElement("div");
  notice.className = "wrong";
  notice.setAttribute("role", "alert");
  notice.textContent = "You are signed out. Copy what you have written. It is also kept for whoever signs in with the same key: ";
  const link = document.createElement("a");
  link.href = page;
  link.textContent = "Sign in again";
  notice.append(link);
  document.querySelector("main").prepend(notice);
}

// --- the stream ------------------------------------------------------------------------------------

let hangUp = ignore; // ends the stream
let wake = ignore; // ends a wait

async function follow() {
  let pause = FIRST_WAIT;
  while (!isOver) {
    if (document.hidden) await new Promise((resolve) => (wake = resolve));
    const begun = Date.now();
    await listen().catch(ignore);
    if (isTold) {
      isTold = false;
      wait();
    }
    if (document.hidden) continue;
    if (Date.now() - begun > SILENCE) pause = FIRST_WAIT;
    const rest = pause * (0.5 + Math.random());
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, rest);
    });
    pause = Math.min(2 * pause, LONGEST_WAIT);
  }
}

async function listen() {
  if (Date.now() - ticket.at > TICKET_AGE) await look();
  if (isOver || document.hidden) return;
  const control = new AbortController();
  hangUp = () => control.abort();
  let silence = setTimeout(hangUp, SILENCE);
  try {
    const response = await fetch(`${url}/v1/stream`, {
      headers: { Authorization: `Bearer ${ticket.text}` },
      signal: control.signal,
      mode: "cors",
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      referrerPolicy: "no-referrer",
    });
    if (!response.ok) {
      // Whoever is not let in may be signed out: a look tells, and brings another ticket.
      if (response.status === 401) await look();
      return;
    }
    const reader = response.body.getReader();
    const text = new TextDecoder();
    let line = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(hangUp, SILENCE);
      const lines = (line + text.decode(value, { stream: true })).split("\n");
      line = lines.pop();
      // What was new before it began, it does not tell.
      if (!isTold || lines.some((each) => each.startsWith("data:"))) lookSoon();
      isTold = true;
    }
  } finally {
    clearTimeout(silence);
    control.abort();
  }
}

// Nobody looks at a page that is hidden, so nothing is asked for it.
function onVisible() {
  if (document.hidden) hangUp();
  else {
    look();
    wake();
  }
}

document.addEventListener("visibilitychange", onVisible);
addEventListener("online", () => wake());
wait();
if (url) follow();
