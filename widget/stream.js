// Follows a stream, which tells only that something is new. It knows nothing of the widget.

const SILENCE = 50000; // milliseconds after which a stream is dead: it says something every 20 seconds
const FIRST_WAIT = 2000; // … before it is asked for again, give or take a half; twice as long
const LONGEST_WAIT = 40000; // … after each failure, up to this

const ignore = () => {};

// Makes what follows a stream while somebody wants it:
//
//   credential()         comes to the credential it is asked for with, or to nothing while nobody wants it
//   open(token, signal)  asks for it, and comes to the response
//   onNews()             something may be new
//   onRefusal()          the credential is none, or no longer
//   onEnd()              it told of news, and does so no more
export function streamOf({ credential, open, onNews, onRefusal, onEnd }) {
  let hangUp = ignore; // ends the stream
  let wake = ignore; // ends the wait before the next one
  let isFollowing = false;
  const stream = { isTold: false, follow, hangUp: () => hangUp(), wake: () => wake() };

  async function follow() {
    if (isFollowing) return;
    isFollowing = true;
    let pause = FIRST_WAIT;
    let token;
    while ((token = await credential())) {
      const begun = Date.now();
      if ((await listen(token).catch(ignore)) === 401) await onRefusal();
      if (stream.isTold) {
        stream.isTold = false;
        onEnd();
      }
      if (Date.now() - begun > SILENCE) pause = FIRST_WAIT;
      if (!(await credential())) break;
      await rest(pause * (0.5 + Math.random()));
      pause = Math.min(2 * pause, LONGEST_WAIT);
    }
    isFollowing = false;
  }

  async function rest(milliseconds) {
    let timer = 0;
    await new Promise((resolve) => {
      wake = resolve;
      timer = setTimeout(resolve, milliseconds);
    });
    clearTimeout(timer);
  }

  // Hears a stream to its end.
  async function listen(token) {
    const control = new AbortController();
    hangUp = () => control.abort();
    let silence = setTimeout(hangUp, SILENCE);
    try {
      const response = await open(token, control.signal);
      if (!response.ok) return response.status;
      const reader = response.body.getReader();
      const text = new TextDecoder();
      let line = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done || control.signal.aborted) return 0;
        clearTimeout(silence);
        silence = setTimeout(hangUp, SILENCE);
        const lines = (line + text.decode(value, { stream: true })).split("\n");
        line = lines.pop();
        // What was new before it began, it does not tell.
        if (!stream.isTold || lines.some((each) => each.startsWith("data:"))) onNews();
        stream.isTold = true;
      }
    } finally {
      clearTimeout(silence);
      control.abort();
    }
  }

  return stream;
}
