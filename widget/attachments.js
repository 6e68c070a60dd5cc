// Files that came with messages: a picture is shown small and opens large, the rest is fetched to be kept.
// They are drawn, so that the page's policy need not allow pictures from anywhere.
import { element, nameOf } from "./elements.js";
import { parts } from "./panel.js";
import { fetchFile } from "./request.js";
import { safely } from "./safely.js";
import { call } from "./session.js";
import { size, told } from "./texts.js";

const PICTURE = /^image\/(png|jpeg|gif|webp|avif|bmp)$/;
const SMALL = { width: 480, height: 320 }; // of what is drawn, which is shown at half of it
const LARGE = { width: 4096, height: 4096 };
const KEPT = 60000; // milliseconds that a browser has to take a file over
const PAUSE = 2000; // … before a picture is asked for again, as the service sends few at a time
const TRIES = 5;

let turn = Promise.resolve(); // pictures come one after the other

export function attached(attachment) {
  return PICTURE.test(attachment.type) ? picture(attachment) : fileOf(attachment);
}

const bytesOf = ({ id }) => call("GET", `/v1/attachments/${id}`, null, { ask: fetchFile });

function fileOf(attachment) {
  const { name } = attachment;
  return element(
    "button",
    { class: "row file", type: "button", "aria-label": told("download", { name }), onclick: () => keep(attachment) },
    nameOf(name),
    element("span", { class: "small" }, () => size(attachment.size)),
  );
}

// Hands a file over to the browser's downloads.
async function keep(attachment) {
  const url = URL.createObjectURL(await bytesOf(attachment));
  element("a", { href: url, download: attachment.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT);
}

function picture(attachment) {
  const { name } = attachment;
  const canvas = element("canvas", { width: 1, height: 1, "aria-hidden": "true" });
  const button = element(
    "button",
    { class: "picture", type: "button", "aria-label": told("open", { name }), onclick: () => open(attachment) },
    canvas,
    nameOf(name, "small"),
  );
  whenSeen(button, () => {
    // One that a browser cannot draw is a file as any other.
    const shown = () => load(attachment, canvas).catch(({ status }) => {
        if (status === undefined) button.replaceWith(fileOf(attachment));
      });
    turn = turn.then(() => (button.isConnected ? shown() : null));
  });
  return button;
}

// Draws a picture, as soon as the service has a moment for it.
async function load(attachment, canvas) {
  for (let tries = TRIES; tries; tries -= 1) {
    try {
      return await draw(await bytesOf(attachment), canvas, SMALL);
    } catch (error) {
      if (error.status !== 503) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

function whenSeen(part, act) {
  const observer = new IntersectionObserver(([{ isIntersecting }]) => {
    if (!isIntersecting) return;
    observer.disconnect();
    act();
  });
  observer.observe(part);
}

async function draw(bytes, canvas, most) {
  const image = await createImageBitmap(bytes);
  const scale = Math.min(1, most.width / image.width, most.height / image.height);
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
}

async function open(attachment) {
  const { name } = attachment;
  const canvas = element("canvas", { width: 1, height: 1, role: "img", "aria-label": name });
  const close = element("button", { class: "quiet", type: "button", onclick: () => dialog.close() }, told("close"));
  const dialog = element(
    "dialog",
    { class: "large", "aria-label": name, onclose: () => dialog.remove() },
    element(
      "header",
      {},
      nameOf(name, "heading"),
      element("button", { class: "quiet", type: "button", onclick: () => keep(attachment) }, told("save")),
      close,
    ),
    canvas,
  );
  parts.all.append(dialog);
  dialog.showModal();
  safely(async () => {
    try {
      await draw(await bytesOf(attachment), canvas, LARGE);
    } catch (error) {
      dialog.close();
      throw error;
    }
  })();
}

// Closes what is open of somebody who goes.
export function closePictures() {
  for (const dialog of parts.all.querySelectorAll("dialog")) dialog.remove();
}
