// Asking somebody who is nobody how to reach them.
import { markOf, marks, remember } from "./device.js";
import { element, fill } from "./elements.js";
import { isBlank } from "./form.js";
import { parts, say } from "./panel.js";
import { call, person } from "./session.js";
import { state } from "./state.js";
import { told } from "./texts.js";

// Asks somebody who is nobody, once, beside what they wrote. The draft below stays as it is.
export function askForContact() {
  const { user, verified } = person;
  const slot = parts.content.querySelector(".reach");
  const mark = markOf(user);
  const isNobody = user.anonymous || verified === false;
  if (!isNobody || slot.childElementCount > 1 || marks().includes(mark)) return;
  if (!state.messages.some(({ author }) => author.kind === "user")) return;
  const question = slot.firstChild;
  const fields = [contactField("email", "notEmail"), contactField("phone", "notPhone")];
  let isSending = false;
  const done = (...text) => {
    remember(mark);
    const isInside = slot.contains(parts.root.activeElement);
    form.remove();
    fill(question, ...text);
    if (isInside) parts.content.querySelector("textarea").focus();
  };
  const explain = (errors) => {
    const [first] = fields.filter(({ explain }) => explain(errors));
    if (first) first.input.focus();
    return Boolean(first);
  };
  const send = async (event) => {
    event.preventDefault();
    if (isSending) return;
    say();
    const [email, phone] = fields.map(({ input }) => (isBlank(input.value) ? null : input.value));
    if (!email && !phone) {
      explain([{ pointer: "/email", key: "noContact" }]);
      return;
    }
    isSending = true;
    try {
      await call("PUT", "/v1/me/contact", { email, phone });
      done(told("thanks"));
    } catch (error) {
      if (!explain(error.errors)) throw error;
    } finally {
      isSending = false;
    }
  };
  const dismiss = element("button", { class: "quiet", type: "button", onclick: () => done() }, told("noThanks"));
  const form = element(
    "form",
    {
      novalidate: true,
      "aria-labelledby": "reach",
      onsubmit: send,
      onkeydown(event) {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        done();
      },
    },
    ...fields.flatMap(({ elements }) => elements),
    element("div", {}, dismiss, element("button", { class: "main", type: "submit" }, told("save"))),
  );
  fill(question, told("reach"));
  slot.append(form);
}

// A field with its label, and with what is wrong with it.
function contactField(name, wrong) {
  const type = name === "phone" ? "tel" : name;
  const why = element("p", { id: `why-${name}`, class: "wrong" });
  const input = element("input", {
    id: name,
    inputmode: type,
    autocomplete: type,
    autocapitalize: "off",
    dir: "ltr",
    spellcheck: "false",
    "aria-describedby": why.id,
  });
  const explain = (errors) => {
    const error = errors.find(({ pointer }) => pointer === `/${name}`);
    input.setAttribute("aria-invalid", Boolean(error));
    fill(why, error ? told(error.key || wrong) : null);
    return Boolean(error);
  };
  return { input, elements: [element("label", { for: name }, told(name)), input, why], explain };
}
