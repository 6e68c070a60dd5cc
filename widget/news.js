// Looking for news: when a stream says so, and else by the clock.
import { device } from "./device.js";
import { paintList } from "./list.js";
import { count, isOpen, parts } from "./panel.js";
import { open } from "./request.js";
import { ignore, safely } from "./safely.js";
import { call, drop, ensure, failure, hooks, person } from "./session.js";
import { LIST, isThread, state } from "./state.js";
import { streamOf } from "./stream.js";
import { LIVE } from "./tag.js";
import { readOn, settle } from "./thread.js";

const OPEN_PAUSE = 5000; // milliseconds between two looks for news while the panel is open
const CLOSED_PAUSE = 30000; // … and while it is not
const RARELY = 12; // how many times as long it is while a stream tells of them

let timer = 0;
let looking = null;
let isStale = false; // a look is to begin that finds what is new by now

// Looks for news now, and again after a while. One look at a time: a second would show messages twice.
export async function look() {
  clearTimeout(timer);
  while (looking) await looking.catch(ignore);
  isStale = false;
  if (!person || !parts) return;
  looking = lookOnce();
  let isFresh = false;
  try {
    await looking;
    isFresh = true;
  } finally {
    looking = null;
    wait(isFresh);
  }
}

async function lookOnce() {
  const shown = state.view;
  if (isOpen() && isThread(shown)) await readOn(shown);
  const page = await call("GET", "/v1/conversations?limit=50");
  const before = JSON.stringify(state.conversations);
  const first = new Set(page.data.map(({ id }) => id));
  const rest = page.nextCursor ? state.conversations.filter(({ id }) => !first.has(id)) : [];
  state.conversations = [...page.data, ...rest];
  if (!rest.length) state.older = page.nextCursor;
  const isNew = !state.loaded || before !== JSON.stringify(state.conversations);
  state.loaded = true;
  count();
  if (state.view === LIST && isNew) paintList();
  if (isThread(shown) && state.view === shown) {
    Object.assign(shown, state.conversations.find(({ id }) => id === shown.id));
    settle();
  }
}

function wait(isFresh) {
  clearTimeout(timer);
  if (!parts) return;
  // What fails in the background is tried again, and nobody is bothered with it.
  const again = () => (document.hidden ? undefined : look().catch(ignore));
  const rarely = isFresh && person && person.stream.isTold ? RARELY : 1;
  timer = setTimeout(again, rarely * (isOpen() ? OPEN_PAUSE : CLOSED_PAUSE));
}

export function waitNoLonger() {
  clearTimeout(timer);
}

// Of much that is new at once, one look finds all.
function refresh() {
  if (isStale) return;
  isStale = true;
  look().catch(ignore);
}

// Has somebody told that something is new, as long as they are logged in and the page is looked at. While
// there is no stream, looks for news come as often as without.
function follow(me) {
  const isWanted = () => LIVE && me === person && !document.hidden;
  me.stream = streamOf({
    credential: () => isWanted() && me.token,
    open: (token, signal) => open(`${LIVE}/v1/stream`, token, signal),
    onNews: () => me === person && refresh(),
    // Whoever is not let in may be logged out: a look tells.
    onRefusal: () => me === person && refresh(),
    onEnd: () => me === person && wait(),
  });
  me.life.signal.addEventListener("abort", () => {
    me.stream.hangUp();
    me.stream.wake();
  });
  me.stream.follow();
}

hooks.arrived = (me) => {
  follow(me);
  safely(look)();
};

export function onVisible() {
  if (!person) return;
  if (document.hidden) person.stream.hangUp();
  else {
    look().catch(ignore);
    onOnline();
  }
}

export function onOnline() {
  if (!person) return;
  person.stream.wake();
  person.stream.follow();
}

// A page that comes back out of the browser's memory has missed who came and went.
export function onReturn(event) {
  if (!event.persisted) return;
  drop();
  settleIn();
}

// Nobody is made for a page that is only looked at; who was here before may have news. A page that logs
// somebody in as it begins has done so by then.
export function settleIn() {
  if (isOpen()) safely(ensure)();
  else if (device.get()) timer = setTimeout(() => person || failure || ensure().catch(ignore), 1000);
}
