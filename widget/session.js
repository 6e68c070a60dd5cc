// Who is logged in. That is one object, `person`: what was asked for somebody who is no longer that object is
// cut off, and an answer that comes all the same is dropped.
import { device } from "./device.js";
import { request, superseded } from "./request.js";
import { ignore, removal } from "./safely.js";
import { key, place } from "./tag.js";

export let person = null; // { token, verified, user, life }
export let failure = null; // { error, given }: why nobody is logged in
let turn = 0; // how often it was asked that somebody else be logged in
let changes = Promise.resolve(); // they run one after the other, so that the last one stands
let pending = null; // the last one, until it is answered

// What is done as people come and go, by those who show it.
export const hooks = {
  left: ignore, // all that is somebody's goes out of the page
  arrived: ignore,
  failed: ignore,
  ended: ignore, // by the service, with whose session it was
};

// Asks as whoever is logged in. A dead session is nobody's: the device is anonymous from then on.
// With `ask` it is asked in another way, as files are.
export async function call(method, path, body, { ask = request, ...options } = {}) {
  const me = person;
  if (!me) throw superseded();
  try {
    const said = await ask(method, path, me.token, body, { ...options, life: me.life.signal });
    if (me !== person) throw superseded();
    return said;
  } catch (error) {
    if (me !== person) throw superseded();
    if (error.status === 401) hooks.ended(me);
    throw error;
  }
}

async function logIn(given) {
  const ask = (id) => request("POST", "/v1/login", key, { ...given, deviceId: id });
  const known = device.get();
  let answer;
  try {
    answer = await ask(known);
  } catch (error) {
    if (!known || error.code !== "unknown-device") throw error;
    device.set();
    answer = await ask();
  }
  device.set(answer.deviceId);
  return answer;
}

// Puts somebody else in the place of whoever is logged in, who is gone before anything is asked.
export function become(given, after) {
  if (removal.signal.aborted) return Promise.reject(superseded());
  const mine = ++turn;
  leave();
  const change = changes.then(async () => {
    await after;
    if (mine !== turn) throw superseded();
    try {
      const answer = await logIn(given);
      if (mine !== turn) {
        request("POST", "/v1/logout", answer.session.token).catch(ignore);
        throw superseded();
      }
      pending = null;
      arrive({ ...answer.session, user: answer.user });
      tell(presence());
      return shown(answer);
    } catch (error) {
      if (mine !== turn) throw superseded();
      pending = null;
      failure = { error, given };
      hooks.failed();
      throw error;
    }
  });
  pending = change;
  changes = change.catch(ignore);
  return change;
}

// What a page is told of a login: all but the two secrets.
function shown({ deviceId, session: { token, ...session }, ...rest }) {
  return { ...rest, session };
}

function leave() {
  if (person) person.life.abort();
  person = failure = null;
  hooks.left();
}

// Has nobody logged in, nor about to be.
export function drop() {
  turn += 1;
  pending = null;
  leave();
}

function arrive({ token, verified, user }) {
  person = { token, verified, user, life: new AbortController() };
  failure = null;
  hooks.left();
  hooks.arrived(person);
}

// Has somebody logged in: whoever is to be, whoever another page of this device has, or its anonymous
// user. A proof that was refused is never answered with an anonymous login.
export async function ensure() {
  const settled = async () => {
    while (pending) await pending.catch(ignore);
  };
  await settled();
  if (!person && !failure) await askPages();
  await settled();
  if (person) return;
  if (failure && isRefusal(failure)) throw failure.error;
  await become(failure ? failure.given : {});
}

export const isRefusal = ({ error }) => /^proof-/.test(error.code) || error.status === 422;

// --- the other pages of this device ------------------------------------------------------------------

// A device has one session. Without this each page would end that of the others when it logs in, and a
// logout in one would leave the former user in the rest.
let channel = null;
let answered = null;

export function openChannel() {
  if (window.BroadcastChannel) channel = new BroadcastChannel(place);
}

export function listenToPages(safely) {
  if (channel) channel.onmessage = safely(hear);
}

export function closeChannel() {
  if (channel) channel.close();
}

// What the other pages are told of whoever is logged in.
const presence = () => ({ token: person.token, verified: person.verified, user: person.user });

function tell(message) {
  if (channel && !removal.signal.aborted) channel.postMessage(message);
}

function askPages() {
  if (!channel) return Promise.resolve();
  return new Promise((resolve) => {
    answered = resolve;
    tell({ ask: true });
    setTimeout(resolve, 100);
  });
}

function hear({ data }) {
  if (data.ask) {
    if (person) tell(presence());
  } else if (data.gone) drop();
  else if (!pending && !(person && person.token === data.token)) {
    const { token, verified, user } = data;
    if (person && user.id && person.user.id === user.id) {
      Object.assign(person, { token, verified });
      // Nothing is told to the former token.
      person.stream.hangUp();
    } else arrive(data);
  }
  if (answered && !data.ask) answered();
}

// --- what a page calls -------------------------------------------------------------------------------

export function login(given = {}) {
  const { userId, email, name, proof } = given || {};
  return become({ userId, email, name, proof });
}

export function logout() {
  const ended = person && request("POST", "/v1/logout", person.token).catch(ignore);
  tell({ gone: true });
  return become({}, ended);
}

export async function clearAnonymousUser(given = {}) {
  const clear = given !== false && (given || {}).clear !== false;
  await ensure();
  return call("POST", "/v1/clearAnonymousUser", { clear });
}
