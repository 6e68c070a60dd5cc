// The support widget. A page embeds it with one tag, and nothing else:
//
//   <script src="https://desk.example.org/widget.js" data-key="pk_…" async></script>
//
// It calls the service that it came from, keeps the token in memory and the device's id in the page's
// storage, and shows all text as text. Whoever is logged in is one object, `person`: what was asked for
// somebody who is no longer that object is cut off, and an answer that comes all the same is dropped.
(() => {
  "use strict";

  const script = document.currentScript;
  if (!script || (window.usher && window.usher.login)) return;

  const service = new URL(script.src).origin;
  const key = script.dataset.key || "";
  // Tells devices apart that share an origin, as the two phones of the demo do.
  const place = `usher:${key}${script.dataset.profile ? `:${script.dataset.profile}` : ""}`;
  const fetch = window.fetch.bind(window);

  const PATIENCE = 15000; // milliseconds that a request may take
  const OPEN_PAUSE = 5000; // … between two looks for news while the panel is open
  const CLOSED_PAUSE = 30000; // … and while it is not
  // Twice the code points that the service takes, as browsers count UTF-16: the service says what is too long.
  const LONGEST_BODY = 2 * 10000;
  const LONGEST_SUBJECT = 2 * 255;
  const BLANK = /^[\s\p{Cc}\p{DI}\u2800]*$/u;

  // --- asking the service ------------------------------------------------------------------------

  // `code` is that of the problem, or one of ours: `unreachable`, `superseded`.
  class Failure extends Error {
    constructor(code, message, status = 0, wait = 0) {
      super(message);
      this.name = "UsherFailure";
      this.code = code;
      this.status = status;
      this.wait = wait;
    }
  }

  const superseded = () => new Failure("superseded", "somebody else was logged in or out meanwhile");

  async function request(method, path, credential, body, life, once) {
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
        mode: "cors",
        credentials: "omit",
        cache: "no-store",
        redirect: "error",
        referrerPolicy: "no-referrer",
        keepalive: path === "/v1/logout",
      });
      const said = response.status === 204 ? null : await response.json();
      if (response.ok) return said;
      const member = said.errors && said.errors[0];
      throw new Failure(
        member && member.code === "unknown-device" ? member.code : said.code,
        member ? `${member.pointer}: ${member.detail}` : `${said.title} (${said.code}, ${said.requestId})`,
        response.status,
        Number(response.headers.get("Retry-After")) || 0,
      );
    } catch (error) {
      if (error instanceof Failure) throw error;
      if (life && life.aborted) throw superseded();
      throw new Failure(
        "unreachable",
        `${service} does not answer, or the app's setting origins does not name ${location.origin}`,
      );
    } finally {
      clearTimeout(timer);
      if (life) life.removeEventListener("abort", end);
    }
  }

  // Asks as whoever is logged in. A dead session is nobody's: the device is anonymous from then on.
  async function call(method, path, body, once) {
    const me = person;
    if (!me) throw superseded();
    try {
      const said = await request(method, path, me.token, body, me.life.signal, once);
      if (me !== person) throw superseded();
      return said;
    } catch (error) {
      if (me !== person) throw superseded();
      if (error.status === 401) comeBack(me);
      throw error;
    }
  }

  // --- the device ----------------------------------------------------------------------------------

  // A page may have no storage; the device is then a new one with each page.
  const device = {
    id: undefined,
    get() {
      try {
        return localStorage.getItem(place) || this.id;
      } catch {
        return this.id;
      }
    },
    set(id) {
      this.id = id;
      try {
        if (id) localStorage.setItem(place, id);
        else localStorage.removeItem(place);
      } catch {
        // As above.
      }
    },
  };

  // --- who is logged in ----------------------------------------------------------------------------

  let person = null; // { token, user, life }
  let turn = 0; // how often it was asked that somebody else be logged in
  let changes = Promise.resolve(); // they run one after the other, so that the last one stands
  let pending = null; // the last one, until it is answered
  let failure = null; // { error, given }: why nobody is logged in

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
  function become(given, after) {
    const mine = ++turn;
    leave();
    const change = changes.then(async () => {
      await after;
      if (mine !== turn) throw superseded();
      try {
        const answer = await logIn(given);
        if (mine !== turn) {
          request("POST", "/v1/logout", answer.session.token).catch(() => {});
          throw superseded();
        }
        pending = null;
        arrive(answer.session.token, answer.user);
        tell({ token: person.token, user: person.user });
        return shown(answer);
      } catch (error) {
        if (mine !== turn) throw superseded();
        pending = null;
        failure = { error, given };
        paint();
        throw error;
      }
    });
    pending = change;
    changes = change.catch(() => {});
    return change;
  }

  // What a page is told of a login: all but the two secrets.
  function shown({ deviceId, session: { token, ...session }, ...rest }) {
    return { ...rest, session };
  }

  function leave() {
    if (person) person.life.abort();
    person = failure = null;
    forget();
  }

  function arrive(token, user) {
    person = { token, user, life: new AbortController() };
    failure = null;
    forget();
    safely(look)();
  }

  // Has somebody logged in: whoever is to be, whoever another page of this device has, or its anonymous
  // user. A proof that was refused is never answered with an anonymous login.
  async function ensure() {
    const settled = async () => {
      while (pending) await pending.catch(ignore);
    };
    await settled();
    if (!person && !failure) await ask();
    await settled();
    if (person) return;
    if (failure && isRefusal(failure)) throw failure.error;
    await become(failure ? failure.given : {});
  }

  const isRefusal = ({ error }) => /^proof-/.test(error.code) || error.status === 422;

  // An anonymous user comes back as who they were, and goes on where they stood.
  function comeBack(former) {
    const stood = former.user.anonymous ? { view, draft: draft() } : null;
    become({})
      .then(() => {
        if (!stood) say("You are logged out. Log in again to see your conversations.");
        else if (person.user.id === former.user.id) return show(stood.view, stood.draft);
      })
      .catch(ignore);
  }

  // --- the other pages of this device ----------------------------------------------------------------

  // A device has one session. Without this each page would end that of the others when it logs in, and a
  // logout in one would leave the former user in the rest.
  const channel = window.BroadcastChannel ? new BroadcastChannel(place) : null;
  let answered = null;

  function tell(message) {
    if (channel) channel.postMessage(message);
  }

  function ask() {
    if (!channel) return Promise.resolve();
    return new Promise((resolve) => {
      answered = resolve;
      tell({ ask: true });
      setTimeout(resolve, 100);
    });
  }

  function hear({ data }) {
    if (data.ask) {
      if (person) tell({ token: person.token, user: person.user });
    } else if (data.gone) {
      turn += 1;
      pending = null;
      leave();
      paint();
    } else if (!pending && !(person && person.token === data.token)) {
      if (person && data.user.id && person.user.id === data.user.id) person.token = data.token;
      else arrive(data.token, data.user);
    }
    if (answered && !data.ask) answered();
  }

  // --- what a page calls -----------------------------------------------------------------------------

  function login(given = {}) {
    const { userId, email, name, proof } = given || {};
    return become({ userId, email, name, proof });
  }

  function logout() {
    const ended = person && request("POST", "/v1/logout", person.token).catch(ignore);
    tell({ gone: true });
    return become({}, ended);
  }

  async function clearAnonymousUser(given = {}) {
    const clear = given !== false && (given || {}).clear !== false;
    await ensure();
    return call("POST", "/v1/clearAnonymousUser", { clear });
  }

  // Nobody has to wait for what is asked: an error that the page does not look at is not its own.
  const offer = (act) => (given) => {
    const promise = new Promise((resolve) => resolve(act(given)));
    promise.catch(ignore);
    return promise;
  };

  const ignore = () => {};

  // What happens in the widget stays there.
  const safely = (act) => (event) => {
    new Promise((resolve) => resolve(act(event))).catch((error) => {
      if (error.code !== "superseded") complain(error);
    });
  };

  // --- what is seen ----------------------------------------------------------------------------------

  const LIST = "list";
  const NEW = "new";
  let view = LIST; // or a conversation
  let loaded = false;
  let conversations = []; // the newest first
  let older = null; // where the next page of them begins
  let messages = [];
  let parts = null; // the elements that stay

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) {
      if (attribute.startsWith("on")) made.addEventListener(attribute.slice(2), safely(value));
      else if (value === true) made.setAttribute(attribute, "");
      else if (value !== false && value != null) made.setAttribute(attribute, value);
    }
    made.append(...children.filter((child) => child != null));
    return made;
  }

  function icon(path) {
    const make = (name, attributes) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
      return made;
    };
    const made = make("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
    made.append(make("path", { d: path }));
    return made;
  }

  const when = (time) =>
    new Date(time).toLocaleString([], { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });

  const titleOf = (conversation) => conversation.subject || `Begun ${when(conversation.createdAt)}`;

  function build() {
    const launcher = element(
      "button",
      { class: "launcher", type: "button", "aria-expanded": "false", onclick: toggle },
      icon("M4 4h16v12H9l-5 4z"),
      element("span", {}, "Help"),
      element("span", { class: "badge", hidden: true, "aria-hidden": "true" }),
    );
    const back = element("button", { class: "quiet", type: "button", onclick: () => show(LIST) }, "Back");
    const title = element("h2", { tabindex: "-1" });
    const who = element("p", { class: "who" });
    const close = element("button", { class: "quiet", type: "button", onclick: toggle }, "Close");
    const notice = element("div", { class: "notice", role: "alert" });
    const content = element("div", { class: "content" });
    const panel = element(
      "section",
      { class: "panel", role: "dialog", "aria-label": "Support", hidden: true, onkeydown: onKey },
      element("header", {}, back, element("div", { class: "heading" }, title, who), close),
      notice,
      content,
    );
    const news = element("p", { class: "unseen", role: "status" });
    parts = { launcher, back, title, who, notice, content, panel, news };

    const host = document.createElement("div");
    const root = host.attachShadow({ mode: "closed" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(launcher, news, panel);
    parts.root = root;
    document.body.append(host);
    forget();
  }

  const isOpen = () => Boolean(parts) && !parts.panel.hidden;

  async function toggle() {
    const opens = !isOpen();
    parts.panel.hidden = !opens;
    parts.launcher.setAttribute("aria-expanded", String(opens));
    if (!opens) {
      parts.launcher.focus();
      return;
    }
    paint();
    parts.title.focus();
    if (person) await look();
    else if (!failure) await ensure();
  }

  function onKey(event) {
    if (event.key === "Escape") toggle();
  }

  // Takes all that is somebody's out of the page.
  function forget() {
    view = LIST;
    conversations = messages = [];
    older = null;
    loaded = false;
    if (!parts) return;
    say();
    paint();
    count();
  }

  function draft() {
    const field = parts && parts.content.querySelector("textarea");
    return field ? field.value : "";
  }

  function say(text) {
    if (parts) parts.notice.replaceChildren(...(text ? [element("p", {}, text)] : []));
  }

  function complain(error) {
    if (failure) return;
    const wait = error.wait ? `in ${error.wait} seconds` : "in a moment";
    if (error.code === "unreachable") say("Support cannot be reached. Check your connection, then try again.");
    else if (error.status === 429 || error.status === 503) say(`Support is busy. Try again ${wait}.`);
    else if (error.status === 404) say("This conversation is no longer here. Go back to see the others.");
    else if (error.status === 422) say("This text cannot be sent. Change or shorten it, then send it again.");
    else if (error.status !== 401) say("Something went wrong. Close the panel, open it, and try again.");
  }

  function paint() {
    if (!parts) return;
    const { title, who, back, content } = parts;
    const isThread = view !== LIST && view !== NEW;
    title.textContent = isThread ? titleOf(view) : view === NEW ? "Write to us" : "Support";
    who.textContent = !person ? "" : person.user.anonymous ? "Not logged in" : nameOf(person.user);
    back.hidden = !person || view === LIST;
    if (failure) paintFailure();
    else if (!person || (view === LIST && !loaded)) content.replaceChildren(element("p", { class: "hint" }, "One moment…"));
    else if (view === LIST) paintList();
    else if (view === NEW) paintForm(true);
    else paintThread();
  }

  const nameOf = (user) => user.name || user.email || user.userId;

  function paintFailure() {
    say();
    const { error, given } = failure;
    const refused = isRefusal(failure);
    const why = refused
      ? "You could not be logged in. Reload the page and log in again, or go on without."
      : error.status === 401
        ? "Support is not set up on this page. Tell whoever runs it that its key is not valid."
        : error.status
          ? `Support is busy. Try again ${error.wait ? `in ${error.wait} seconds` : "in a moment"}.`
          : "Support cannot be reached. Check your connection, then try again.";
    const again = () => become(refused ? {} : given);
    parts.content.replaceChildren(
      element("p", { class: "hint", role: "alert" }, why),
      element(
        "button",
        { class: "main", type: "button", onclick: again },
        refused ? "Go on without logging in" : "Try again",
      ),
    );
  }

  function paintList() {
    const focused = parts.root.activeElement && parts.root.activeElement.dataset.id;
    const rows = conversations.map((conversation) =>
      element(
        "li",
        {},
        element(
          "button",
          { class: "row", type: "button", "data-id": conversation.id, onclick: () => show(conversation) },
          element("span", { class: "subject", dir: "auto" }, titleOf(conversation)),
          element("span", { class: "small" }, when(conversation.updatedAt)),
          conversation.unread ? element("span", { class: "new" }, `${conversation.unread} new`) : null,
          conversation.status === "resolved" ? element("span", { class: "small" }, "Resolved") : null,
        ),
      ),
    );
    parts.content.replaceChildren(
      rows.length
        ? element("ul", {}, ...rows)
        : element("p", { class: "hint" }, "No conversations yet. Write to us, and the answer appears here."),
      older ? element("button", { class: "quiet", type: "button", onclick: more }, "Show older") : "",
      element("button", { class: "main", type: "button", onclick: () => show(NEW) }, "Write to us"),
    );
    if (focused) {
      const row = [...parts.content.querySelectorAll(".row")].find((each) => each.dataset.id === focused);
      if (row) row.focus();
    }
  }

  function paintForm(isNew) {
    let once = null; // the same text is the same message, however often it is sent
    const subject = element("input", { id: "subject", maxlength: LONGEST_SUBJECT, autocomplete: "off" });
    const body = element("textarea", {
      id: "body",
      rows: isNew ? 5 : 2,
      maxlength: LONGEST_BODY,
      required: true,
      oninput: () => {
        once = null;
      },
    });
    const button = element("button", { class: "main", type: "submit" }, "Send");
    const send = async (event) => {
      event.preventDefault();
      if (BLANK.test(body.value)) {
        say("Write a message first.");
        body.focus();
        return;
      }
      say();
      button.disabled = true;
      once = once || crypto.getRandomValues(new Uint32Array(4)).join("-");
      try {
        if (isNew) await begin(subject.value.trim(), body.value, once);
        else await write(body.value, once);
        if (!isNew) body.value = "";
      } finally {
        button.disabled = false;
      }
      if (!isNew) body.focus();
    };
    const form = element(
      "form",
      { novalidate: true, onsubmit: send },
      ...(isNew ? [element("label", { for: "subject" }, "Subject (if you like)"), subject] : []),
      element("label", { for: "body" }, "Message"),
      body,
      button,
    );
    if (isNew) parts.content.replaceChildren(form);
    return form;
  }

  function paintThread() {
    const log = element("div", { class: "log", role: "log", tabindex: "0", "aria-label": "Messages" });
    const hint = element("p", { class: "hint" }, "This is resolved. A new message opens it again.");
    parts.content.replaceChildren(log, hint, paintForm(false));
    settle();
    append(messages);
  }

  function settle() {
    parts.content.querySelector(".hint").hidden = view.status !== "resolved";
  }

  function append(added) {
    const log = parts.content.querySelector(".log");
    if (!log) return;
    for (const { author, body, createdAt } of added) {
      const isUser = author.kind === "user";
      log.append(
        element(
          "div",
          { class: `message ${isUser ? "user" : "agent"}` },
          element(
            "p",
            { class: "small" },
            element("bdi", {}, isUser ? "You" : author.name || "Support"),
            `, ${when(createdAt)}`,
          ),
          element("p", { class: "body", dir: "auto" }, body),
        ),
      );
    }
    if (added.length) log.scrollTop = log.scrollHeight;
  }

  function count() {
    const unread = conversations.reduce((sum, conversation) => sum + conversation.unread, 0);
    const badge = parts.launcher.querySelector(".badge");
    const text = unread ? `${unread} unread ${unread === 1 ? "message" : "messages"}` : "";
    badge.hidden = !unread;
    badge.textContent = unread > 99 ? "99+" : String(unread || "");
    parts.launcher.setAttribute("aria-label", text ? `Help, ${text}` : "Help");
    if (parts.news.textContent !== text) parts.news.textContent = text;
  }

  // --- what a person does ----------------------------------------------------------------------------

  async function show(next, text = "") {
    view = next;
    messages = [];
    say();
    paint();
    const field = parts.content.querySelector("textarea");
    if (field) field.value = text;
    if (field && view === NEW) field.form.elements[0].focus();
    else parts.title.focus();
    await look();
  }

  async function begin(subject, message, once) {
    const begun = await call("POST", "/v1/conversations", subject ? { subject, message } : { message }, once);
    conversations = [begun, ...conversations.filter(({ id }) => id !== begun.id)];
    await show(begun);
  }

  async function write(body, once) {
    await call("POST", `/v1/conversations/${view.id}/messages`, { body }, once);
    // What came meanwhile stands before it.
    await look();
  }

  async function more() {
    const page = await call("GET", `/v1/conversations?limit=50&cursor=${encodeURIComponent(older)}`);
    const known = new Set(conversations.map(({ id }) => id));
    conversations = [...conversations, ...page.data.filter(({ id }) => !known.has(id))];
    older = page.nextCursor;
    paintList();
  }

  // --- news ------------------------------------------------------------------------------------------

  let timer = 0;
  let looking = null;

  // Looks for news now, and again after a while. One look at a time: a second would show messages twice.
  async function look() {
    clearTimeout(timer);
    while (looking) await looking.catch(ignore);
    if (!person || !parts) return;
    looking = lookOnce();
    try {
      await looking;
    } finally {
      looking = null;
      wait();
    }
  }

  async function lookOnce() {
    const shown = view;
    const isThread = shown !== LIST && shown !== NEW;
    if (isOpen() && isThread) await readOn(shown);
    const page = await call("GET", "/v1/conversations?limit=50");
    const before = JSON.stringify(conversations);
    const first = new Set(page.data.map(({ id }) => id));
    const rest = page.nextCursor ? conversations.filter(({ id }) => !first.has(id)) : [];
    conversations = [...page.data, ...rest];
    if (!rest.length) older = page.nextCursor;
    const isNew = !loaded || before !== JSON.stringify(conversations);
    loaded = true;
    count();
    if (view === LIST && isNew) paintList();
    if (isThread && view === shown) {
      Object.assign(shown, conversations.find(({ id }) => id === shown.id));
      settle();
    }
  }

  async function readOn(shown) {
    const path = `/v1/conversations/${shown.id}`;
    const last = messages.length ? messages[messages.length - 1].id : null;
    let cursor = null;
    let isNews = false;
    do {
      const from = last ? `&after=${last}` : "";
      const page = await call(
        "GET",
        `${path}/messages?limit=100${from}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
      );
      if (view !== shown) return;
      const known = new Set(messages.map(({ id }) => id));
      const added = page.data.filter(({ id }) => !known.has(id));
      messages = [...messages, ...added];
      append(added);
      isNews = isNews || added.some(({ author }) => author.kind === "agent");
      cursor = page.nextCursor;
    } while (cursor);
    if (isNews && !document.hidden) await call("POST", `${path}/read`);
  }

  function wait() {
    clearTimeout(timer);
    // What fails in the background is tried again, and nobody is bothered with it.
    const again = () => (document.hidden ? undefined : look().catch(ignore));
    timer = setTimeout(again, isOpen() ? OPEN_PAUSE : CLOSED_PAUSE);
  }

  function onVisible() {
    if (!document.hidden && person) look().catch(ignore);
  }

  // A page that comes back out of the browser's memory has missed who came and went.
  function onReturn(event) {
    if (!event.persisted) return;
    turn += 1;
    pending = null;
    leave();
    settleIn();
  }

  // Nobody is made for a page that is only looked at; who was here before may have news. A page that logs
  // somebody in as it begins has done so by then.
  function settleIn() {
    if (isOpen()) safely(ensure)();
    else if (device.get()) setTimeout(() => person || failure || ensure().catch(ignore), 1000);
  }

  // --- beginning -------------------------------------------------------------------------------------

  const STYLE = `
    :host { all: initial !important; position: fixed !important; z-index: 2147483647 !important;
      inset: auto 0 0 auto !important; color-scheme: light dark !important;
      font: 15px/1.45 system-ui, sans-serif !important; color: var(--ink) !important;
      --ink: #1a1d21; --faint: #565d66; --paper: #fff; --shade: #f1f3f5; --line: #8a929b;
      --accent: #1d5fbf; --on-accent: #fff; --alarm: #a3211b; }
    @media print { :host { display: none !important; } }
    @media (prefers-color-scheme: dark) { :host {
      --ink: #eceef0; --faint: #b0b7bf; --paper: #1b1e22; --shade: #2a2e34; --line: #767f89;
      --accent: #8ab8ff; --on-accent: #10213a; --alarm: #ffaaa3; } }
    * { box-sizing: border-box; margin: 0; font: inherit; color: inherit; }
    [hidden] { display: none !important; }
    button { cursor: pointer; border: 1px solid transparent; border-radius: 8px; padding: 8px 12px;
      min-height: 40px; background: none; text-align: start; }
    button:disabled { opacity: .6; cursor: default; }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    h2:focus-visible { outline: none; }
    h2, .subject, .main, label { font-weight: 600; }
    .small, .who { font-size: 13px; color: var(--faint); }
    .launcher, .main { background: var(--accent); color: var(--on-accent); border-color: transparent; }
    .launcher { position: fixed; right: 16px; bottom: 16px; display: flex; gap: 8px; align-items: center;
      border-radius: 24px; min-height: 48px; padding: 8px 18px; font-weight: 600;
      box-shadow: 0 2px 8px #0004; }
    svg { width: 20px; height: 20px; fill: currentColor; }
    .badge, .new { background: var(--alarm); color: var(--paper); border-radius: 10px; padding: 0 7px;
      font-size: 13px; font-weight: 600; }
    .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    .panel { position: fixed; right: 16px; bottom: 80px; width: 360px; height: 540px;
      max-height: calc(100vh - 96px); display: flex; flex-direction: column; overflow: hidden;
      background: var(--paper); border: 1px solid var(--line); border-radius: 12px;
      box-shadow: 0 4px 24px #0003; }
    header { display: flex; gap: 4px; align-items: center; padding: 8px; border-bottom: 1px solid var(--shade); }
    .heading { flex: 1; min-width: 0; padding: 0 8px; }
    h2, .who { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
    .quiet { color: var(--accent); }
    .notice { color: var(--alarm); padding: 0 16px; }
    .notice p { padding: 8px 0; }
    .content { flex: 1; min-height: 0; overflow-y: auto; display: flex; flex-direction: column; gap: 8px;
      padding: 12px 16px; }
    .content > .main, .content > .quiet { align-self: flex-start; }
    .hint { color: var(--faint); padding: 4px 0; }
    ul { list-style: none; padding: 0; }
    .row { width: 100%; display: flex; flex-wrap: wrap; gap: 0 8px; align-items: center; padding: 8px; }
    .row:hover { background: var(--shade); }
    .subject { flex-basis: 100%; overflow-wrap: anywhere; }
    .log { flex: 1; min-height: 80px; overflow-y: auto; display: flex; flex-direction: column; gap: 8px; }
    .message { max-width: 88%; align-self: flex-start; padding: 6px 12px; border-radius: 12px;
      background: var(--shade); }
    .message.user { align-self: flex-end; background: none; border: 1px solid var(--line); }
    .body { white-space: pre-wrap; overflow-wrap: anywhere; }
    form { display: flex; flex-direction: column; gap: 4px; }
    input, textarea { width: 100%; padding: 8px; border: 1px solid var(--line); border-radius: 8px;
      background: var(--paper); resize: vertical; font-size: 16px; }
    form .main { align-self: flex-end; margin-top: 4px; }
    @media (max-width: 480px) { .panel { inset: 0; width: auto; height: auto; max-height: none; border: 0;
      border-radius: 0; } .launcher[aria-expanded="true"] { display: none; } }
  `;

  function start() {
    build();
    document.addEventListener("visibilitychange", onVisible);
    window.addEventListener("pageshow", safely(onReturn));
    if (channel) channel.onmessage = safely(hear);
    if ("open" in script.dataset) safely(toggle)();
    else if (person) safely(look)();
    else settleIn();
  }

  const usher = { login: offer(login), logout: offer(logout), clearAnonymousUser: offer(clearAnonymousUser) };
  Object.defineProperty(window, "usher", { value: Object.freeze(usher), configurable: true });
  if (document.body) safely(start)();
  else document.addEventListener("DOMContentLoaded", safely(start));
  window.dispatchEvent(new Event("usher-ready"));
})();
