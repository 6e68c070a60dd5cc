// The button and the panel: the elements that stay, and what of the panel is shown.
import { closePictures } from "./attachments.js";
import { element, fill, icon, sayAgain } from "./elements.js";
import { refusalOf } from "./files.js";
import { onFiles, paintForm } from "./form.js";
import { paintList } from "./list.js";
import { look } from "./news.js";
import { onTrouble } from "./safely.js";
import { become, ensure, failure, hooks, isRefusal, person } from "./session.js";
import { LIST, NEW, empty, isThread, state } from "./state.js";
import { HOST, forgetFocus, remain } from "./staying.js";
import STYLE from "./style.css" with { type: "text" };
import { tag } from "./tag.js";
import { chooseLanguage, direction, inSeconds, locale, number, text, told, when } from "./texts.js";
import { paintThread } from "./thread.js";

export let parts = null;
let counted = 0; // what the page was told is unread
let spoken = ""; // what was asked for of the language that is spoken

export function build() {
  chooseLanguage();
  const launcher = element(
    "button",
    { class: "launcher", type: "button", "aria-expanded": "false", "aria-label": label, onclick: toggle },
    icon("M4 4h16v12H9l-5 4z"),
    element("span", {}, told("help")),
    element("span", { class: "badge", hidden: true, "aria-hidden": "true" }, badge),
  );
  const back = element("button", { class: "quiet", type: "button", onclick: () => show(LIST) }, told("back"));
  const title = element("h2", { tabindex: "-1" });
  const who = element("p", { class: "who" });
  const close = element("button", { class: "quiet", type: "button", onclick: toggle }, told("close"));
  const notice = element("div", { class: "notice", role: "alert" });
  const content = element("div", { class: "content" });
  const panel = element(
    "section",
    {
      class: "panel",
      role: "dialog",
      "aria-label": told("support"),
      hidden: true,
      onkeydown: onKey,
      onpaste: onFiles,
      ondrop: onFiles,
      ondragover: onFiles,
      ondragleave: onLeave,
    },
    element("header", {}, back, element("div", { class: "heading" }, title, who), close),
    notice,
    content,
  );
  const news = element("p", { class: "unseen", role: "status" }, unreadText);
  const host = document.createElement(HOST);
  const root = host.attachShadow({ mode: "closed" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  const all = element("div", { lang: () => locale, dir: direction }, launcher, news, panel);
  root.append(all);
  parts = { host, root, all, launcher, back, title, who, notice, content, panel };
  document.body.append(host);
  remain(parts, speak);
  forget();
}

// What is left of the panel when the widget is taken out of the page.
export function unbuild() {
  parts = null;
}

export const isOpen = () => Boolean(parts) && !parts.panel.hidden;

export async function toggle() {
  const opens = !isOpen();
  parts.panel.hidden = !opens;
  parts.launcher.setAttribute("aria-expanded", String(opens));
  if (!opens) {
    parts.launcher.focus();
    return;
  }
  parts.title.focus();
  if (person) await look();
  else if (!failure) await ensure();
}

function onLeave(event) {
  if (!parts.panel.contains(event.relatedTarget)) parts.panel.classList.remove("dropping");
}

function onKey(event) {
  if (event.key === "Escape") toggle();
}

// --- what is said ------------------------------------------------------------------------------------

// Speaks the language that the tag, the page or the browser asks for by now.
export function speak() {
  const { language, ...texts } = tag.dataset;
  const asked = JSON.stringify([language, document.documentElement.lang, texts]);
  if (asked === spoken) return;
  spoken = asked;
  chooseLanguage();
  sayAgain(parts.all);
}

export function say(...texts) {
  if (parts) fill(parts.notice, ...texts.map((each) => element("p", {}, each)));
}

const busy = (wait) => () => (wait ? text("busyUntil", { when: inSeconds(wait) }) : text("busy"));

function complain(error) {
  if (failure) return;
  const refusal = refusalOf(error);
  if (refusal) say(refusal);
  else sayWhy(error);
}

function sayWhy(error) {
  if (error.code === "unreachable") say(told("offline"));
  else if (error.status === 429 || error.status === 503) say(busy(error.wait));
  else if (error.status === 404) say(told("gone"));
  else if (error.status === 422) say(told("unfit"));
  else if (error.status !== 401) say(told("broken"));
}

export function count() {
  parts.launcher.querySelector(".badge").hidden = !unread();
  sayAgain(parts.all);
  if (unread() === counted) return;
  counted = unread();
  window.dispatchEvent(new CustomEvent("usher-unread", { detail: { unread: counted } }));
}

export const unread = () => state.conversations.reduce((sum, conversation) => sum + conversation.unread, 0);
const unreadText = () => (unread() ? text("unread", { n: unread() }) : "");
const badge = () => (unread() > 99 ? `${number(99)}+` : number(unread()));
const label = () => (unread() ? text("pair", { a: text("help"), b: unreadText() }) : text("help"));

// --- what is shown -----------------------------------------------------------------------------------

export async function show(next, draft = "", files = []) {
  state.view = next;
  state.files = files;
  state.messages = [];
  say();
  paint();
  const field = parts.content.querySelector("textarea");
  if (field) field.value = draft;
  if (field && next === NEW) field.form.elements[0].focus();
  else parts.title.focus();
  await look();
}

// Takes all that is somebody's out of the page.
function forget() {
  empty();
  if (!parts) return;
  say();
  closePictures();
  paint();
  count();
  forgetFocus();
}

function paint() {
  if (!parts) return;
  const { title, who, back, content } = parts;
  const { view } = state;
  fill(title, isThread(view) ? () => titleOf(view) : told(view === NEW ? "write" : "support"));
  fill(who, person && (person.user.anonymous ? told("notLoggedIn") : nameOf(person.user)));
  back.hidden = !person || view === LIST;
  if (failure) paintFailure();
  else if (!person || (view === LIST && !state.loaded)) {
    fill(content, element("p", { class: "hint" }, told("moment")));
  } else if (view === LIST) paintList();
  else if (view === NEW) paintForm(true);
  else paintThread();
}

export const titleOf = ({ subject, createdAt }) => subject || text("begun", { when: when(createdAt) });
const nameOf = (user) => user.name || user.email || user.userId;

function paintFailure() {
  say();
  const { error, given } = failure;
  const refused = isRefusal(failure);
  const why = refused
    ? told("refused")
    : error.status === 401
      ? told("notSetUp")
      : error.status
        ? busy(error.wait)
        : told("offline");
  const again = () => become(refused ? {} : given);
  fill(
    parts.content,
    element("p", { class: "hint", role: "alert" }, why),
    element(
      "button",
      { class: "main", type: "button", onclick: again },
      told(refused ? "goOn" : "again"),
    ),
  );
}

// An anonymous user comes back as who they were, and goes on where they stood.
function comeBack(former) {
  const field = parts && parts.content.querySelector("textarea");
  const stood = former.user.anonymous ? { view: state.view, draft: field ? field.value : "", files: state.files } : null;
  become({})
    .then(() => {
      if (!stood) say(told("ended"));
      else if (person.user.id === former.user.id) return show(stood.view, stood.draft, stood.files);
    })
    .catch(() => {});
}

Object.assign(hooks, { left: forget, failed: paint, ended: comeBack });
onTrouble(complain);
