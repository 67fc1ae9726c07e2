// Waits until there is something to look at, then sends the form it stands on (or loads the page anew), once.
//
//   <form method="post" data-live="/events/…" data-live-seconds="180">
//
// The stream says only "look"; what is true, the server decides when the form arrives. Where streams do not
// work, the same address is asked every few seconds; where they do, now and then, should a word be lost.

const QUICK = 3000;
const SLOW = 20000;
const PATIENCE = 10000;

for (const place of document.querySelectorAll("[data-live]")) wait(place);

function wait(place) {
  const address = place.dataset.live;
  const end = Date.now() + Number.parseFloat(place.dataset.liveSeconds || "120") * 1000;
  const stream = new EventSource(address);
  const timer = setInterval(tick, QUICK);
  let asked = Date.now();
  let isAsking = false;
  let isOver = false;

  stream.addEventListener("look", look);

  function look() {
    if (isOver) return;
    stop();
    if (place instanceof HTMLFormElement) place.requestSubmit();
    else location.reload();
  }

  function stop() {
    isOver = true;
    clearInterval(timer);
    stream.close();
  }

  function tick() {
    const now = Date.now();
    if (now >= end) return stop();
    if (isAsking || (stream.readyState === EventSource.OPEN && now - asked < SLOW)) return;
    asked = now;
    ask();
  }

  async function ask() {
    isAsking = true;
    try {
      const answer = await fetch(`${address}?now`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (answer.status === 200) look();
      if (answer.status === 404 || answer.status === 410) stop();
    } catch {
      // the network is away: ask again
    } finally {
      isAsking = false;
    }
  }
}
