/* j and k lead from request to request. They act only while the focus is in the table, so they get in nobody's way. */

const table = document.querySelector(".desk-queue");
table?.addEventListener("keydown", (event) => {
  const step = { j: 1, k: -1 }[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...table.querySelectorAll("tbody th a")];
  const row = document.activeElement.closest("tr");
  const at = links.findIndex((link) => row?.contains(link));
  const next = links[Math.min(Math.max(at + step, 0), links.length - 1)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});
