// Elements, all of whose text is text. What is given as a function is said again when the language changes.
import { safely } from "./safely.js";

const sayings = new WeakMap(); // an element or a text → what writes anew what it says

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (attribute.startsWith("on")) made.addEventListener(attribute.slice(2), safely(value));
    else if (typeof value === "function") keepSaying(made, () => made.setAttribute(attribute, value()));
    else if (value === true) made.setAttribute(attribute, "");
    else if (value !== false && value != null) made.setAttribute(attribute, value);
  }
  made.append(...children.filter((child) => child != null).map(nodeOf));
  return made;
}

// A file's name stands where the text around it begins, and is written in its own direction.
export const nameOf = (name, more = "") => element("span", { class: `name ${more}` }, element("bdi", {}, name));

// Puts these in the place of what an element holds.
export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child != null).map(nodeOf));
}

function nodeOf(child) {
  if (typeof child !== "function") return child;
  const node = document.createTextNode("");
  keepSaying(node, () => {
    const text = child();
    // What is read aloud as it changes is not to be read again.
    if (node.data !== text) node.data = text;
  });
  return node;
}

function keepSaying(node, say) {
  const before = sayings.get(node);
  sayings.set(node, before ? () => (before(), say()) : say);
  say();
}

// Writes anew what is said in an element.
export function sayAgain(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.currentNode; node; node = walker.nextNode()) {
    const say = sayings.get(node);
    if (say) say();
  }
}

export function icon(path) {
  const make = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    return made;
  };
  const made = make("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  made.append(make("path", { d: path }));
  return made;
}
