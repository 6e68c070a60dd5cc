// What the widget says, in the language of the page, and how that writes times and numbers.
import ar from "./languages/ar.json";
import de from "./languages/de.json";
import en from "./languages/en.json";
import es from "./languages/es.json";
import fr from "./languages/fr.json";
import ja from "./languages/ja.json";
import pt from "./languages/pt.json";
import { tag } from "./tag.js";

const LANGUAGES = { ar, de, en, es, fr, ja, pt };

let texts = en;
export let locale = "en"; // as it was asked for, so that "en-GB" writes times as in Britain

// The first of these languages that there is: the tag's, the page's, the browser's. Systems write "de_AT" too.
export function chooseLanguage() {
  for (const asked of [tag.dataset.language, document.documentElement.lang, ...(navigator.languages || []), "en"]) {
    const [language] = (asked || "").toLowerCase().split(/[-_]/);
    if (!Object.hasOwn(LANGUAGES, language)) continue;
    texts = LANGUAGES[language];
    try {
      [locale] = Intl.getCanonicalLocales(asked.replace(/_/g, "-"));
    } catch {
      locale = language;
    }
    return;
  }
}

export const direction = () => (texts === ar ? "rtl" : "ltr");

// Returns a text, or the page's own in its place, with what is given in it; `n` is how many there are.
export function text(key, given = {}) {
  const own = tag.dataset[`text${key[0].toUpperCase()}${key.slice(1)}`];
  const one = own || texts[key];
  const form = typeof one === "string" ? one : one[new Intl.PluralRules(locale).select(given.n)];
  return form.replace(/\{(\w+)\}/g, (_, name) => (typeof given[name] === "number" ? number(given[name]) : given[name]));
}

// The same as it is by then, for elements that say it again when the language changes.
export const told = (key, given) => () => text(key, given);

export const number = (value) => new Intl.NumberFormat(locale).format(value);

export function size(bytes) {
  const isSmall = bytes < 1e6;
  return new Intl.NumberFormat(locale, {
    style: "unit",
    unit: isSmall ? "kilobyte" : "megabyte",
    maximumFractionDigits: isSmall ? 0 : 1,
  }).format(isSmall ? Math.ceil(bytes / 1024) : bytes / 1024 ** 2);
}

export const when = (time) =>
  new Date(time).toLocaleString(locale, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });

export const inSeconds = (seconds) => new Intl.RelativeTimeFormat(locale).format(seconds, "second");
