// A form is sent once: the second click of a double click would abort the first one's answer, and with it the
// cookie of the login. After a while, or when the page is shown again, it may be sent anew.
const AGAIN_AFTER = 8000;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if ("sent" in form.dataset) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "";
  setTimeout(() => delete form.dataset.sent, AGAIN_AFTER);
});

window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
