// Files that wait to be sent: chosen, pasted or dropped, and sent when the message is.
import { element, fill, nameOf } from "./elements.js";
import { say } from "./panel.js";
import { send } from "./request.js";
import { call, person } from "./session.js";
import { state } from "./state.js";
import { LARGEST } from "./tag.js";
import { size, text, told } from "./texts.js";

const MOST = 10; // a message has so many at most
const TRIES = 3; // as the service takes few at a time

export const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

const tooLarge = (name) => () => text("tooLarge", { name, size: size(LARGEST) });

// The list of them in a form. `onChange` is told when the message is another.
export function listOf(onChange) {
  const list = element("ul", { class: "files" });
  const input = element("input", {
    id: "files",
    type: "file",
    multiple: true,
    hidden: true,
    onchange: () => {
      add([...input.files]);
      input.value = "";
    },
  });
  const button = element("button", { class: "quiet", type: "button", onclick: () => input.click() }, told("attach"));

  function paint() {
    fill(list, ...state.files.map(row));
  }

  function row(item) {
    const { name } = item.file;
    const remove = element(
      "button",
      {
        class: "quiet",
        type: "button",
        "aria-label": told("remove", { name }),
        onclick() {
          state.files = state.files.filter((each) => each !== item);
          onChange();
          paint();
          button.focus();
        },
      },
      "×",
    );
    item.bar = element("progress", { max: 1, value: item.sent, hidden: true, "aria-label": told("sending", { name }) });
    item.remove = remove;
    return element(
      "li",
      {},
      nameOf(name),
      element("span", { class: "small" }, () => size(item.file.size)),
      item.bar,
      remove,
    );
  }

  // Takes what can be sent, and says of the rest why it cannot.
  function add(files) {
    if (button.disabled) return; // a message is on its way
    const refused = new Map(); // each is said once
    const refuse = (said) => refused.set(said(), said);
    for (const file of files) {
      const { name } = file;
      if (!file.size) refuse(told("emptyFile", { name }));
      else if (file.size > LARGEST) refuse(tooLarge(name));
      else if (state.files.length >= MOST) refuse(told("tooMany", { n: MOST }));
      else state.files = [...state.files, { file, once: newKey(), id: null, sent: 0 }];
    }
    say(...refused.values());
    onChange();
    paint();
  }

  paint();
  return { list, input, button, add, paint };
}

// What of a paste or a drop is files; what office programs copy is text, with a picture of it beside.
export function filesOf({ files, types, items }) {
  const isText = types.includes("text/plain") && (types.includes("text/html") || types.includes("text/rtf"));
  if (isText) return [];
  const entries = [...items].filter(({ kind }) => kind === "file").map((item) => item.webkitGetAsEntry());
  // A folder has no bytes.
  return [...files].filter((_, at) => !(entries[at] && entries[at].isDirectory));
}

// Sends files, one after the other, and returns their ids.
export async function sendFiles(files) {
  for (const item of files) if (!item.id) await sendFile(item);
  return files.map(({ id }) => id);
}

async function sendFile(item) {
  const path = `/v1/attachments?name=${encodeURIComponent(item.file.name)}`;
  const onProgress = (part) => {
    item.sent = item.bar.value = part;
  };
  item.bar.hidden = false;
  for (let tries = TRIES; !item.id; tries -= 1) {
    try {
      const { id } = await call("POST", path, item.file, { once: item.once, ask: send, onProgress });
      item.id = id;
    } catch (error) {
      item.bar.hidden = true;
      onProgress(0);
      if (error.code !== "busy" || tries <= 1) throw Object.assign(error, { file: item.file });
      item.bar.hidden = false;
      await pause(1000 * Math.max(1, error.wait));
    }
  }
}

function pause(milliseconds) {
  const { signal } = person.life;
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", resolve);
  });
}

// What is said of a file that the service refuses, if that is why.
export function refusalOf({ status, code, file }) {
  if (!file) return null;
  const { name } = file;
  if (status === 413) return tooLarge(name);
  if (status === 501 || code === "too-many-waiting") return told("noFiles");
  if (status === 408) return told("slowFile", { name });
  if (status === 422) return told("unfitFile", { name });
  return null;
}

// Has files that the service forgot meanwhile sent anew.
export function sendAnew(files) {
  for (const item of files) Object.assign(item, { id: null, once: newKey(), sent: 0 });
}
