// What a page keeps of this device.
import { place } from "./tag.js";

// A page may have no storage; the device is then a new one with each page.
const kept = (name) => ({
  value: undefined,
  get() {
    try {
      return localStorage.getItem(name) || this.value;
    } catch {
      return this.value;
    }
  },
  set(value) {
    this.value = value;
    try {
      if (value) localStorage.setItem(name, value);
      else localStorage.removeItem(name);
    } catch {
      // As above.
    }
  },
});
export const device = kept(place);
const asked = kept(place.replace("usher", "usher-asked"));

// Of whom it was asked how to reach them: numbers that many people share, so that they tell of nobody.
export const marks = () => (asked.get() || "").split(" ").filter(Boolean);
export const markOf = ({ id, userId, email }) =>
  String([...(id || userId || email)].reduce((sum, letter) => (31 * sum + letter.codePointAt(0)) % 997, 7));
export const remember = (mark) => asked.set([mark, ...marks().filter((each) => each !== mark)].slice(0, 9).join(" "));
