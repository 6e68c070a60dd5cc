// The support widget. A page embeds it with one tag, and nothing else:
//
//   <script src="https://desk.example.org/widget.js" data-key="pk_…" async></script>
//
// It calls the service that it came from, keeps the token in memory and the device's id in the page's
// storage, and shows all text as text. `make widget` builds it out of these files.
import { checkTag, mistakeOf, onBlocked, report } from "./mistakes.js";
import { look, onOnline, onReturn, onVisible, settleIn, waitNoLonger } from "./news.js";
import { build, parts, speak, toggle, unbuild, unread } from "./panel.js";
import { ignore, offer, removal, safely } from "./safely.js";
import {
  clearAnonymousUser,
  closeChannel,
  drop,
  listenToPages,
  login,
  logout,
  openChannel,
  person,
} from "./session.js";
import { observe, stayNoLonger } from "./staying.js";
import { follow, key, place, script, service } from "./tag.js";

const TAG = Symbol.for("usher-tag");
const FOLLOW = Symbol.for("usher-follow");
const id = `${service} ${place}`;

const usher = {
  login: offer(login),
  logout: offer(logout),
  clearAnonymousUser: offer(clearAnonymousUser),
  remove: offer(remove),
  // How many messages the person who is there has not read; of nobody there are none.
  get unread() {
    return unread();
  },
  [TAG]: id,
  [FOLLOW]: followTag,
};

// A page may run its tag again, as one that swaps its body does: it is the same widget then. Another key or
// profile is another widget, and the former one goes with whoever was logged in.
function isThereAlready() {
  const former = window.usher;
  if (!former || !former.login) return false;
  if (former[TAG] === id || !former.remove) {
    if (former[FOLLOW]) former[FOLLOW](script);
    return true;
  }
  former.remove();
  return false;
}

function begin() {
  openChannel();
  document.addEventListener("securitypolicyviolation", onBlocked, removal);
  Object.defineProperty(window, "usher", { value: Object.freeze(usher), configurable: true });
  if (document.body) safely(start)();
  else document.addEventListener("DOMContentLoaded", safely(start), removal);
  window.dispatchEvent(new Event("usher-ready"));
}

function start() {
  build();
  checkTag().catch(ignore);
  document.addEventListener("visibilitychange", onVisible, removal);
  window.addEventListener("pageshow", safely(onReturn), removal);
  window.addEventListener("online", onOnline, removal);
  listenToPages(safely);
  if ("open" in script.dataset) safely(toggle)();
  else if (person) safely(look)();
  else settleIn();
}

// Speaks as another tag of the same widget says, which the page has run since.
function followTag(other) {
  follow(other);
  if (!parts) return;
  speak();
  observe();
}

// Takes the widget out of the page for good, with all that it shows, holds, listens to and waits for.
function remove() {
  removal.abort();
  stayNoLonger();
  waitNoLonger();
  closeChannel();
  drop();
  unbuild();
  if (window.usher === usher) delete window.usher;
}

const mistake = mistakeOf(key);
if (mistake) report(mistake);
else if (!isThereAlready()) begin();
