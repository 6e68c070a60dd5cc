// Sends files, some at once, and each again for which the server has no room.
const AT_ONCE = 2; // as many as a server has room for
const RETRIES = 4;

const waiting = []; // those whose turn comes
let running = 0;

// Waits before another attempt: longer each time, and not as long as everybody else.
export const pause = (attempt) =>
  new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt * (0.5 + Math.random())));

// Sends a file to an address, under an idempotency key. Returns the status of the answer, 0 if there was none,
// and its text, once it is there or `signal` says that nobody waits for it.
export async function send(address, file, { key, onProgress, signal }) {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  running += 1;
  let answer = { status: 0, text: "" };
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    answer = await post(address, file, { key, onProgress, signal });
    if (answer.status !== 503 || attempt > RETRIES) break;
    await pause(attempt);
  }
  running -= 1;
  waiting.shift()?.();
  return answer;
}

// By what tells how far it is, which fetch does not.
function post(address, file, { key, onProgress, signal }) {
  const request = new XMLHttpRequest();
  return new Promise((resolve) => {
    request.open("POST", address);
    request.setRequestHeader("Accept", "application/problem+json");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Idempotency-Key", key);
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name.toWellFormed?.() ?? file.name));
    request.setRequestHeader("X-Form-Token", document.querySelector("input[name=token]").value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded / total);
    request.onloadend = () => resolve({ status: request.status, text: request.responseText });
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
