// What happens in the widget stays there: no error of its own reaches the page.

// Ends with the widget, when somebody takes it out of the page for good.
export const removal = new AbortController();

export const ignore = () => {};

// Nobody has to wait for what is asked: an error that the page does not look at is not its own.
export const offer = (act) => (given) => {
  const promise = new Promise((resolve) => resolve(act(given)));
  promise.catch(ignore);
  return promise;
};

let complain = ignore;

export function onTrouble(act) {
  complain = act;
}

// Does something as it happens; what goes wrong is said to whoever is there, in words.
export const safely = (act) => (event) => {
  new Promise((resolve) => resolve(act(event))).catch((error) => {
    if (error.code !== "superseded") complain(error);
  });
};
