// Says that a file is too large before it is sent, and shows how far one is that is read. Without this, the server
// says so, and a link leads to the page as it is by then.
const EVERY = 2000; // milliseconds

for (const input of document.querySelectorAll("[data-most]")) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    const { most, tooLarge } = input.dataset;
    input.setCustomValidity(file && file.size > Number(most) ? tooLarge : "");
    input.reportValidity();
  });
}

// Whoever is about to press a button does not have it taken away.
const isInUse = () => document.activeElement?.closest("form, details");

if (document.querySelector("[data-under-way]")) {
  setInterval(() => {
    if (!document.hidden && !isInUse()) location.replace(location.pathname);
  }, EVERY);
}
