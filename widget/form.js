// The form in which a message is written.
import { element, fill } from "./elements.js";
import { filesOf, listOf, newKey, sendAnew, sendFiles } from "./files.js";
import { look } from "./news.js";
import { parts, say, show } from "./panel.js";
import { ignore } from "./safely.js";
import { call } from "./session.js";
import { isThread, state } from "./state.js";
import { LARGEST } from "./tag.js";
import { told } from "./texts.js";

// Twice the code points that the service takes, as browsers count UTF-16: the service says what is too long.
const LONGEST_BODY = 2 * 10000;
const LONGEST_SUBJECT = 2 * 255;

export const isBlank = (text) => /^[\s\p{Cc}\p{DI}\u2800]*$/u.test(text);

export function paintForm(isNew) {
  let once = null; // the same text is the same message, however often it is sent
  const isAnother = () => {
    once = null;
  };
  const files = listOf(isAnother);
  const subject = element("input", { id: "subject", maxlength: LONGEST_SUBJECT, autocomplete: "off", dir: "auto" });
  const body = element("textarea", {
    id: "body",
    rows: isNew ? 5 : 2,
    maxlength: LONGEST_BODY,
    required: true,
    dir: "auto",
    oninput: isAnother,
  });
  const button = element("button", { class: "main", type: "submit" }, told("send"));
  const send = async (event) => {
    event.preventDefault();
    if (isBlank(body.value) && !state.files.length) {
      say(told("empty"));
      body.focus();
      return;
    }
    say();
    button.disabled = files.button.disabled = true;
    for (const { remove } of state.files) remove.disabled = true;
    once = once || newKey();
    try {
      await write(subject.value.trim(), body.value, once);
      if (!isNew) body.value = "";
    } finally {
      button.disabled = files.button.disabled = false;
      // What is chosen by now may stand in the form of the thread that was begun here.
      if (form.isConnected) files.paint();
    }
    if (!isNew) body.focus();
  };
  const form = element(
    "form",
    { class: "write", novalidate: true, onsubmit: send },
    ...(isNew ? [element("label", { for: "subject" }, told("subject")), subject] : []),
    element("label", { for: "body" }, told("message")),
    body,
    files.list,
    files.input,
    element("div", { class: "below" }, button, LARGEST ? files.button : null),
  );
  form.take = LARGEST ? files.add : ignore;
  if (isNew) fill(parts.content, form);
  return form;
}

// Writes into the conversation that is shown, or begins one with a subject.
async function write(subject, body, once) {
  const { files, view } = state;
  const attachments = await sendFiles(files);
  let made;
  try {
    made = isThread(view)
      ? await call("POST", `/v1/conversations/${view.id}/messages`, { body, attachments }, { once })
      : await call("POST", "/v1/conversations", { subject, message: body, attachments }, { once });
  } catch (error) {
    if (error.status === 422) sendAnew(files);
    throw error;
  }
  // Whoever went back meanwhile has sent it all the same.
  if (state.files === files) {
    if (!isThread(view)) {
      state.conversations = [made, ...state.conversations.filter(({ id }) => id !== made.id)];
      return show(made);
    }
    state.files = [];
  }
  // What came meanwhile stands before it.
  await look();
}

// Takes files that are pasted or dropped onto the panel, where there is a form for them.
export function onFiles(event) {
  const given = event.clipboardData || event.dataTransfer;
  if (!given.types.includes("Files")) return;
  const form = parts.content.querySelector(".write");
  const files = event.type === "dragover" ? [] : filesOf(given);
  // A file that is dropped beside would be opened in the place of the page.
  if (event.type !== "paste" || files.length) event.preventDefault();
  parts.panel.classList.toggle("dropping", event.type === "dragover" && Boolean(form));
  if (form && files.length) form.take(files);
}
