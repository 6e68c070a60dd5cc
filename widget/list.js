// The list of conversations.
import { element, fill } from "./elements.js";
import { parts, show, titleOf } from "./panel.js";
import { call } from "./session.js";
import { NEW, state } from "./state.js";
import { told, when } from "./texts.js";

export function paintList() {
  const focused = parts.root.activeElement && parts.root.activeElement.dataset.id;
  const rows = state.conversations.map((conversation) =>
    element(
      "li",
      {},
      element(
        "button",
        { class: "row", type: "button", "data-id": conversation.id, onclick: () => show(conversation) },
        element("span", { class: "subject", dir: "auto" }, () => titleOf(conversation)),
        element("span", { class: "small" }, () => when(conversation.updatedAt)),
        conversation.unread ? element("span", { class: "new" }, told("new", { n: conversation.unread })) : null,
        conversation.status === "resolved" ? element("span", { class: "small" }, told("resolved")) : null,
      ),
    ),
  );
  fill(
    parts.content,
    rows.length
      ? element("ul", {}, ...rows)
      : element("p", { class: "hint" }, told("none")),
    state.older ? element("button", { class: "quiet", type: "button", onclick: more }, told("older")) : null,
    element("button", { class: "main", type: "button", onclick: () => show(NEW) }, told("write")),
  );
  if (focused) {
    const row = [...parts.content.querySelectorAll(".row")].find((each) => each.dataset.id === focused);
    if (row) row.focus();
  }
}

async function more() {
  const page = await call("GET", `/v1/conversations?limit=50&cursor=${encodeURIComponent(state.older)}`);
  const known = new Set(state.conversations.map(({ id }) => id));
  state.conversations = [...state.conversations, ...page.data.filter(({ id }) => !known.has(id))];
  state.older = page.nextCursor;
  paintList();
}
