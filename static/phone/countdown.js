/** Time left, in words and as a thin bar; spoken at a minute, at twenty seconds and at the end. */

import { duration, say } from "./words.js";
import { onLeave, speak } from "./screens.js";

const SPOKEN = [60, 20];

/**
 * Run the clock in `root`'s `[data-clock]`; `over` is called once at the end. It stops by itself when another
 * screen comes.
 */
export function countDown(root, seconds, { words = "time_left", over = () => {} } = {}) {
  const place = root.querySelector("[data-clock]");
  const text = place.querySelector("[data-clock-words]");
  const bar = place.querySelector("progress");
  const end = Date.now() + seconds * 1000;
  let before = Infinity;
  if (bar) bar.max = Math.max(1, seconds);

  function tick() {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    if (bar) bar.value = left;
    text.textContent = say(words, { time: duration(left) });
    place.classList.toggle("clock--short", left <= SPOKEN[0]);
    if (SPOKEN.some((mark) => before > mark && left <= mark && before !== Infinity)) {
      speak(text.textContent);
    }
    before = left;
    if (left > 0) return;
    clearInterval(timer);
    over();
  }

  const timer = setInterval(tick, 1000);
  onLeave(() => clearInterval(timer));
  place.hidden = false;
  tick();
  return () => clearInterval(timer);
}
