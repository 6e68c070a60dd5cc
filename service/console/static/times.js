// Shows each time as its reader has it: in their zone and language, and what is recent by how long ago it was.
// The exact time is the title of each. Without this, pages say when in UTC.
const MINUTE = 60000; // milliseconds
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// A clock that goes wrong would have what was just written lie ahead.
const { now: served } = document.documentElement.dataset;
const offset = served ? Date.now() - Number(served) : 0;

const languages = navigator.languages;
const exact = new Intl.DateTimeFormat(languages, { dateStyle: "full", timeStyle: "long" });
const plain = new Intl.DateTimeFormat(languages, { dateStyle: "medium", timeStyle: "short" });
const precise = new Intl.DateTimeFormat(languages, { dateStyle: "medium", timeStyle: "medium" });
const ago = new Intl.RelativeTimeFormat(languages, { style: "short", numeric: "auto" });
const { locale } = plain.resolvedOptions();

function inWords(at) {
  const since = at - (Date.now() - offset);
  const [length, unit] = Math.abs(since) < HOUR ? [MINUTE, "minute"] : [HOUR, "hour"];
  if (Math.abs(since) >= DAY) return plain.format(at);
  const count = Math.trunc(since / length);
  return count ? ago.format(count, unit) : ago.format(0, "second");
}

function write(time) {
  const at = new Date(time.dateTime);
  const text = "exact" in time.dataset ? precise.format(at) : inWords(at);
  // What is as it was is left alone, or a screen reader would read it again.
  if (time.textContent === text) return;
  time.textContent = text;
  time.title = exact.format(at);
  time.lang = locale;
}

const writeAll = () => document.querySelectorAll("time").forEach(write);

writeAll();
setInterval(writeAll, MINUTE / 2);
document.addEventListener("console:shown", writeAll);
