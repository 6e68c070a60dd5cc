// Puts what is new of a page into the one that is shown: the parts that are marked with data-live take the
// place of those that differ, and in lists the rows. So what is being written, the focus and the place on
// the page stay. Whatever was put in, "console:shown" is told to the document.

const main = document.querySelector("main");
const news = document.querySelector("[data-news]");
const before = new WeakMap(); // a part or a row → what it was as the server wrote it
const extended = new WeakSet(); // lists that hold more than one page
const partsOf = (root) => [...root.querySelectorAll("[data-live]")];
const partOf = (root, name) => root.querySelector(`[data-live="${name}"]`);
const rowsOf = (part) => [...part.children].filter((row) => row.dataset.key);
const focusable = (part) => [...part.querySelectorAll("a, button, input, summary")];

// Notes what parts are as the server wrote them, of which these are copies.
function note(root, written = root) {
  partsOf(written).forEach((part) => {
    const copy = partOf(root, part.dataset.live);
    before.set(copy, part.outerHTML);
    rowsOf(part).forEach((row, at) => before.set(rowsOf(copy)[at], row.outerHTML));
  });
}

// Tells whoever does not see it.
export function announce(text) {
  news.textContent = text;
}

// --- lists -----------------------------------------------------------------------------------------

// Makes what is shown of what was fetched; what is open, and where the focus is, stays.
function made(fresh, old) {
  const part = document.importNode(fresh, true);
  before.set(part, fresh.outerHTML);
  if (!old) return part;
  const details = part.querySelectorAll("details");
  old.querySelectorAll("details").forEach((each, at) => {
    if (details[at]) details[at].open = each.open;
  });
  return part;
}

function focusAsIn(part, at) {
  const next = at < 0 ? null : focusable(part)[at];
  if (next) next.focus({ preventScroll: true });
}

let staying = ""; // the key of the row that stays in its place
const hasMore = (root, name) => Boolean(root.querySelector(`[data-more="${name}"] a`));

// Takes the rows away that are gone, and returns those that stay though they are not in this page: a list that
// was extended holds more than one, and of another it is not told here what became of it. Where nothing shows
// how the two follow, it has one page again. What is shown beside it may be on a later page by now.
function takeAway(list, fresh, isWhole) {
  const rows = rowsOf(fresh);
  const keys = new Set(rows.map((row) => row.dataset.key));
  const others = rowsOf(list).filter((row) => !keys.has(row.dataset.key));
  if (isWhole || others.length === rowsOf(list).length) extended.delete(list);
  const edge = (list.dataset.grows === "up" ? rows[0] : rows.at(-1)).dataset.place;
  const isStaying = ({ dataset }) => dataset.key === staying && !isWhole;
  const stays = (row) => isStaying(row) || (extended.has(list) && row.dataset.place < edge);
  for (const row of others) if (!stays(row)) row.remove();
  return new Set(others.filter(stays));
}

// Has the row of what is shown beside the list stay where it is, also as something is written there: somebody goes
// on from there.
export function keepInPlace(key) {
  staying = key;
}

// Returns the rows in the order in which they are to stand. Only one in which something was written moves: what is
// read would else go from under whoever goes on to the next.
function inOrder(list, fresh) {
  const rows = rowsOf(fresh);
  const ranks = new Map(rows.map((row, rank) => [row.dataset.key, rank]));
  const order = rowsOf(list)
    .filter(({ dataset: { key, at } }) => ranks.has(key) && (key === staying || rows[ranks.get(key)].dataset.at === at))
    .map((row) => ranks.get(row.dataset.key));
  const isThere = new Set(order);
  for (const rank of rows.keys()) {
    if (isThere.has(rank)) continue;
    const next = order.findIndex((other) => other > rank);
    order.splice(next < 0 ? order.length : next, 0, rank);
  }
  return order.map((rank) => rows[rank]);
}

// Brings the rows of a list in step, and touches none that is as it was. Returns how many are new.
function bringInStep(list, fresh, isWhole) {
  const beyond = takeAway(list, fresh, isWhole);
  const rows = inOrder(list, fresh);
  const isPassed = (row) => beyond.has(row) && (list.dataset.grows === "up" || row.dataset.key === staying);
  const there = new Map(rowsOf(list).map((row) => [row.dataset.key, row]));
  let place = list.firstElementChild;
  let count = 0;
  for (const row of rows) {
    while (isPassed(place)) place = place.nextElementSibling;
    const old = there.get(row.dataset.key);
    const isSame = old && before.get(old) === row.outerHTML;
    const shown = isSame ? old : made(row, old);
    const at = old && !isSame ? focusable(old).indexOf(document.activeElement) : -1;
    if (shown === place) place = place.nextElementSibling;
    else list.insertBefore(shown, place);
    if (!old) count += 1;
    else if (!isSame) {
      if (old === place) place = place.nextElementSibling;
      old.remove();
      focusAsIn(shown, at);
    }
  }
  return count;
}

// Adds another page to a list, and leads to the one after it.
export function extend(name, fresh) {
  const [list, next] = [main, fresh].map((root) => partOf(root, name));
  const [link, further] = [main, fresh].map((root) => root.querySelector(`[data-more="${name}"]`));
  if (!list || !next || !link) return;
  const there = new Set(rowsOf(list).map((row) => row.dataset.key));
  const rows = rowsOf(next).filter((row) => !there.has(row.dataset.key));
  extended.add(list);
  keepingPlaces(() => {
    const shown = rows.map((row) => made(row));
    if (list.dataset.grows === "up") list.prepend(...shown);
    else list.append(...shown);
    link.replaceWith(document.importNode(further, true));
  });
}

// --- parts -----------------------------------------------------------------------------------------

function replace(old, fresh) {
  const part = made(fresh, old);
  rowsOf(part).forEach((row, at) => before.set(row, rowsOf(fresh)[at].outerHTML));
  const at = focusable(old).indexOf(document.activeElement);
  old.replaceWith(part);
  focusAsIn(part, at);
}

// Whoever is about to press a button presses what they saw, unless they have just pressed it. And a list of
// several pages goes on at its own end.
let hasPressed = false;
const isHeld = (part) =>
  (!hasPressed && "held" in part.dataset && part.matches(":hover, :focus-within")) ||
  ("more" in part.dataset && extended.has(partOf(main, part.dataset.more)));

function swap(fresh) {
  let text = "";
  for (const part of partsOf(main)) {
    const name = part.dataset.live;
    const next = partOf(fresh, name);
    if (!next || before.get(part) === next.outerHTML || isHeld(part)) continue;
    const isList = rowsOf(part).length && rowsOf(next).length;
    const html = next.outerHTML;
    const count = isList ? bringInStep(part, next, !hasMore(fresh, name)) : rowsOf(next).length;
    if (isList) before.set(part, html);
    else replace(part, next);
    if (name === "thread" && count) text = count === 1 ? "1 new message" : `${count} new messages`;
    if (name === "list") text = "The conversations have changed";
  }
  if (text) announce(text);
}

// What is looked at or written in stays where it is, also as something is put above it; what is at its
// beginning, or a thread at its end, stays there.
function fixedIn(scroller) {
  const isPage = scroller === document.scrollingElement;
  const box = isPage ? { top: 0, bottom: innerHeight } : scroller.getBoundingClientRect();
  const isSeen = (element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return bottom > box.top && top < box.bottom;
  };
  const focus = document.activeElement;
  const isFocused = scroller.contains(focus) && main.contains(focus) && isSeen(focus);
  const rows = scroller.scrollTop ? [...scroller.querySelectorAll("main [data-key]")] : [];
  const fixed = isFocused ? focus : rows.find(isSeen);
  return { scroller, fixed, top: fixed && fixed.getBoundingClientRect().top };
}

function keepingPlaces(change) {
  const scrollers = [document.scrollingElement, ...main.querySelectorAll("[data-scrolls]")];
  const places = scrollers.map(fixedIn);
  change();
  for (const { scroller, fixed, top } of places)
    if (fixed && fixed.isConnected) scroller.scrollTop += fixed.getBoundingClientRect().top - top;
  document.dispatchEvent(new CustomEvent("console:shown"));
}

// Shows what is new of the same page; ``isOwn`` if that is what somebody has done here.
export function update(fresh, isOwn = false) {
  hasPressed = isOwn;
  keepingPlaces(() => swap(fresh));
  hasPressed = false;
}

// Shows another page of the inbox in place of this one: its list is brought in step, all else is made anew.
export function showPage(fresh) {
  const [pane, next] = [main, fresh].map((root) => root.querySelector("[data-pane]"));
  const shown = document.importNode(next, true);
  note(shown, next);
  document.title = fresh.title;
  keepingPlaces(() => {
    main.querySelectorAll(":scope > .notice, :scope > .wrong").forEach((one) => one.remove());
    main.querySelector("[data-inbox]").className = fresh.querySelector("[data-inbox]").className;
    pane.replaceWith(shown);
    swap(fresh);
  });
}

// Takes away all that may change.
export function dropParts() {
  for (const part of partsOf(main)) part.remove();
}

note(main);
