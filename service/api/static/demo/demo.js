// The page at /demo: it logs people in and out on the two phones, shows what was decided and what the backend
// was told, and is the agent.
"use strict";

const PAUSE = 2000; // milliseconds between two looks into the inbox

async function ask(path, body) {
  const response = await fetch(path, {
    method: body ? "POST" : "GET",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  const said = await response.json();
  if (!response.ok) throw new Error(said.title);
  return said;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

// --- the phones ------------------------------------------------------------------------------------

const ACTS = {
  login: async (usher, { person }) => {
    const { proof } = await ask("/demo/proofs", { person });
    return usher.login({ proof });
  },
  logout: (usher) => usher.logout(),
  clear: (usher) => usher.clearAnonymousUser(),
};

function show(phone, rows) {
  const list = phone.querySelector("dl");
  list.replaceChildren(
    ...rows.flatMap(([term, ...values]) => [element("dt", {}, term), element("dd", {}, ...values)]),
  );
}

function decision(answer) {
  if ("clearAnonymousUser" in answer)
    return [["device", "From now on each login on this phone clears its anonymous user."]];
  const { user, created, resolution } = answer;
  const changed = created ? "a user was created" : resolution.changes.join(", ") || "nothing";
  return [
    ["user", user.anonymous ? "anonymous" : user.name],
    ["rule", element("code", {}, resolution.rule)],
    ["reason", resolution.because],
    ["changed", changed],
  ];
}

async function act(phone, work) {
  const buttons = phone.querySelectorAll("button");
  buttons.forEach((button) => (button.disabled = true));
  try {
    show(phone, decision(await work()));
  } catch (error) {
    show(phone, [["problem", `${error.message}. Reload the page, and try again.`]]);
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

for (const phone of document.querySelectorAll(".phone")) {
  const frame = phone.querySelector("iframe");
  const begin = () => act(phone, () => frame.contentWindow.usher.login());
  frame.addEventListener("load", begin);
  if (frame.contentWindow.usher) begin();
  for (const button of phone.querySelectorAll("button")) {
    const data = button.dataset;
    button.addEventListener("click", () => act(phone, () => ACTS[data.act](frame.contentWindow.usher, data)));
  }
}

// --- the agent -------------------------------------------------------------------------------------

const inbox = document.querySelector(".inbox");
const problem = document.querySelector(".problem");
const threads = new Map(); // the id of a conversation → its element, which keeps what is typed into it

function thread(id) {
  const field = element("input", { autocomplete: "off", maxlength: "20000", required: "" });
  const form = element("form", {}, element("label", {}, "Answer", field), element("button", {}, "Send"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask(`/demo/inbox/${id}`, { body: field.value });
      field.value = "";
      await look();
    } catch {
      problem.textContent = "The answer was not sent. Send it again.";
    }
  });
  const said = element("div");
  const made = { said, card: element("article", {}, said, form), shown: "" };
  threads.set(id, made);
  return made;
}

function line({ author, body, attachments }) {
  const who = author.kind === "agent" ? author.name : author.name || "Somebody";
  return element("p", {}, element("span", { class: "who" }, `${who}: `), body ?? attachments.map(({ name }) => name).join(", "));
}

async function look() {
  try {
    const { data } = await ask("/demo/inbox");
    problem.textContent = "";
    const cards = data.map(({ id, subject, messages }) => {
      const { said, card } = threads.get(id) || thread(id);
      const lines = subject ? [element("p", { class: "small" }, subject)] : [];
      const text = JSON.stringify(messages);
      if (threads.get(id).shown !== text) said.replaceChildren(...lines, ...messages.map(line));
      threads.get(id).shown = text;
      return card;
    });
    const empty = element("p", { class: "hint" }, "Nobody has written yet. Write on one of the phones.");
    const wanted = cards.length ? cards : [empty];
    // Moving a card would take the focus from who types into it.
    if (wanted.some((card, at) => inbox.children[at] !== card)) inbox.replaceChildren(...wanted);
  } catch {
    problem.textContent = "The inbox cannot be reached. Is the server still running?";
  }
}

// --- the backend -----------------------------------------------------------------------------------

const told = document.querySelector(".deliveries");
let toldBefore = "";

function outcome(attempts) {
  const last = attempts[attempts.length - 1];
  if (!last) return "on its way";
  return `${last.status || last.error}, ${last.milliseconds} ms${last.answer ? `, ${last.answer}` : ""}`;
}

async function hear() {
  const { data } = await ask("/demo/deliveries");
  const text = JSON.stringify(data);
  if (text === toldBefore) return;
  toldBefore = text;
  told.replaceChildren(
    ...data.map(({ type, event, attempts }) =>
      element(
        "li",
        {},
        element("code", {}, type),
        element("span", {}, outcome(attempts)),
        element("span", { class: "small" }, event),
      ),
    ),
  );
}

async function watch() {
  // What the inbox says of a server that is away is enough.
  if (!document.hidden) await Promise.all([look(), hear().catch(() => {})]);
  setTimeout(watch, PAUSE);
}

watch();
