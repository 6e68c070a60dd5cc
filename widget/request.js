// Asking the service.
import { service } from "./tag.js";

const PATIENCE = 15000; // milliseconds that a request may take

const fetch = window.fetch.bind(window);
// A call tells nothing but what it says, and leads nowhere else.
const PLAIN = { mode: "cors", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" };
const FRESH = { ...PLAIN, cache: "no-store" };

// `code` is that of the problem, or one of ours: `unreachable`, `superseded`.
export class Failure extends Error {
  constructor(code, message, status = 0, wait = 0, errors = []) {
    super(message);
    this.name = "UsherFailure";
    this.code = code;
    this.status = status;
    this.wait = wait;
    this.errors = errors; // what is wrong with which member
  }
}

export const superseded = () => new Failure("superseded", "somebody else was logged in or out meanwhile");

// Asks whether the tag is right; any page may read the answer.
export const check = (key, signal) => fetch(`${service}/widget/check?key=${key}`, { signal, ...PLAIN });

// Asks for a stream.
export const open = (url, token, signal) =>
  fetch(url, { headers: { Authorization: `Bearer ${token}` }, signal, ...FRESH });

// Asks, and returns what is answered. Options: `life`, a signal that cuts it off; `once`, an idempotency key.
export async function request(method, path, credential, body, { life, once } = {}) {
  const control = new AbortController();
  const end = () => control.abort();
  const timer = setTimeout(end, PATIENCE);
  if (life) life.addEventListener("abort", end);
  try {
    const headers = { Authorization: `Bearer ${credential}` };
    if (body) headers["Content-Type"] = "application/json";
    if (once) headers["Idempotency-Key"] = once;
    const response = await fetch(service + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal: control.signal,
      ...FRESH,
      keepalive: path === "/v1/logout",
    });
    const said = response.status === 204 ? null : await response.json();
    if (response.ok) return said;
    throw failureOf(response.status, said, response.headers.get("Retry-After"));
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (life && life.aborted) throw superseded();
    throw unreachable();
  } finally {
    clearTimeout(timer);
    if (life) life.removeEventListener("abort", end);
  }
}

// Fetches a file, in as long as it takes.
export async function fetchFile(method, path, token, _, { life }) {
  try {
    const response = await fetch(service + path, { headers: { Authorization: `Bearer ${token}` }, signal: life, ...FRESH });
    if (response.ok) return await response.blob();
    throw failureOf(response.status, await response.json(), response.headers.get("Retry-After"));
  } catch (error) {
    throw error instanceof Failure ? error : unreachable();
  }
}

// Sends a file, and tells how far it is, from 0 to 1. Of what else can send, nothing tells that.
export function send(method, path, token, file, { life, once, onProgress }) {
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    const end = () => call.abort();
    call.open(method, service + path);
    call.responseType = "json";
    call.setRequestHeader("Authorization", `Bearer ${token}`);
    call.setRequestHeader("Idempotency-Key", once);
    call.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    call.onloadend = () => {
      life.removeEventListener("abort", end);
      const { status, response } = call;
      if (!response) reject(unreachable());
      else if (status < 300) resolve(response);
      else reject(failureOf(status, response, call.getResponseHeader("Retry-After")));
    };
    life.addEventListener("abort", end);
    call.send(file);
  });
}

// What the service refused, by its answer.
export function failureOf(status, said, wait) {
  const member = said.errors && said.errors[0];
  return new Failure(
    member && member.code === "unknown-device" ? member.code : said.code,
    member ? `${member.pointer}: ${member.detail}` : `${said.title} (${said.code}, ${said.requestId})`,
    status,
    Number(wait) || 0,
    said.errors,
  );
}

export const unreachable = () =>
  new Failure("unreachable", `${service} does not answer, or the app's setting origins does not name ${location.origin}`);
