// The shell's <details> menus: Escape, a click elsewhere and tabbing away close them.

const popups = document.querySelectorAll("details[data-popup]");

for (const popup of popups) {
  popup.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !popup.open) return;
    event.stopPropagation();
    popup.open = false;
    popup.querySelector("summary").focus();
  });
  popup.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !popup.contains(event.relatedTarget)) popup.open = false;
  });
}

document.addEventListener("click", (event) => {
  for (const popup of popups) if (popup.open && !popup.contains(event.target)) popup.open = false;
});
