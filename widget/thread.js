// One conversation.
import { attached } from "./attachments.js";
import { askForContact } from "./contact.js";
import { element, fill } from "./elements.js";
import { paintForm } from "./form.js";
import { parts } from "./panel.js";
import { call } from "./session.js";
import { state } from "./state.js";
import { text, told, when } from "./texts.js";

export function paintThread() {
  const log = element("div", { class: "log", role: "log", tabindex: "0", "aria-label": told("messages") });
  const hint = element("p", { class: "hint" }, told("reopens"));
  const reach = element("div", { class: "reach" }, element("p", { id: "reach", role: "status" }));
  fill(parts.content, log, hint, reach, paintForm(false));
  settle();
  append(state.messages);
}

export function settle() {
  parts.content.querySelector(".hint").hidden = state.view.status !== "resolved";
}

function append(added) {
  const log = parts.content.querySelector(".log");
  if (!log) return;
  for (const { author, body, attachments, createdAt } of added) {
    const isUser = author.kind === "user";
    log.append(
      element(
        "div",
        { class: `message ${isUser ? "user" : "agent"}` },
        element(
          "p",
          { class: "small" },
          element("bdi", {}, isUser ? told("you") : author.name || told("support")),
          () => text("pair", { a: "", b: when(createdAt) }),
        ),
        body && element("p", { class: "body", dir: "auto" }, body),
        ...attachments.map(attached),
      ),
    );
  }
  if (!added.length) return;
  askForContact();
  log.scrollTop = log.scrollHeight;
}

// Reads on where the messages that are shown end.
export async function readOn(shown) {
  const path = `/v1/conversations/${shown.id}`;
  const { messages } = state;
  const last = messages.length ? messages[messages.length - 1].id : null;
  let cursor = null;
  let isNews = false;
  do {
    const from = last ? `&after=${last}` : "";
    const page = await call(
      "GET",
      `${path}/messages?limit=100${from}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
    );
    if (state.view !== shown) return;
    const known = new Set(state.messages.map(({ id }) => id));
    const added = page.data.filter(({ id }) => !known.has(id));
    state.messages = [...state.messages, ...added];
    append(added);
    isNews = isNews || added.some(({ author }) => author.kind === "agent");
    cursor = page.nextCursor;
  } while (cursor);
  if (isNews && !document.hidden) await call("POST", `${path}/read`);
}
