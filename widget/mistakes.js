// An integrator's mistakes: the browser's console says what to mend, at once. Whoever visits the page cannot.
import { check } from "./request.js";
import { removal } from "./safely.js";
import { LIVE, key, service } from "./tag.js";

export const report = (text) => console.error(`usher: ${text}`);

// What is wrong with a key can mostly be seen. A secret one is sent nowhere.
export function mistakeOf(given) {
  const want = 'the app\'s publishable key, which begins with "pk_"';
  if (!given) return `the tag that loads widget.js has no data-key. Give it ${want}.`;
  if (/^(sk|ak|ik|st)_|^whsec_/.test(given)) {
    return `data-key is a SECRET key, and whoever opens this page can read it. Delete that key now, and give the tag ${want}.`;
  }
  if (!/^pk_[0-9a-f]{32}_[\w-]{43}$/.test(given)) return `data-key is not a whole key. Give the tag ${want}.`;
  return "";
}

const MISTAKES = {
  key: "the service does not know this data-key, or it was deleted. Give the tag one of the app's live publishable keys.",
  origin: /^https?:/.test(location.origin)
    ? `the app's setting origins does not name this page. Add "${location.origin}" to it.`
    : "this page is a file or in a sandbox, and has no origin that an app could name. Serve it over http or https.",
};

// A page cannot read why a call of its is refused, so this is asked at an address that all pages may read.
export async function checkTag() {
  const response = await check(key, removal.signal);
  const { mistake } = await response.json();
  if (mistake) report(MISTAKES[mistake]);
}

const blocked = new Set();

export function onBlocked({ blockedURI, effectiveDirective, disposition }) {
  const origin = [service, LIVE].find((each) => each && `${blockedURI}/`.startsWith(`${each}/`));
  if (!origin || effectiveDirective !== "connect-src" || disposition !== "enforce" || blocked.has(origin)) return;
  blocked.add(origin);
  report(`the page's Content-Security-Policy keeps the widget from its service. Add ${origin} to connect-src.`);
}
