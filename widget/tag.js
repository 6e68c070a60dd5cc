// The tag that embeds the widget, and what it says.

// A module does not know its tag, nor does what a page's optimizer runs: it is then the last one that fits.
const known = document.currentScript;
const tags = () => document.querySelectorAll('script[data-key][src*="/widget.js"]');
export const script = known && known.src ? known : [...tags()].pop();

// The one that was run last: it says how the widget speaks.
export let tag = script;
export function follow(other) {
  tag = other;
}

const { key: given, profile } = script ? script.dataset : {};
export const key = given;
export const service = script ? new URL(script.src).origin : "";
export const LARGEST = ATTACHMENT_BYTES; // how many bytes a file may have; 0 where there are none to be
export const LIVE = LIVE_URL; // where streams are, or "", as the service writes it here
// Tells devices apart that share an origin, as the two phones of the demo do.
export const place = `usher:${key}${profile ? `:${profile}` : ""}`;
