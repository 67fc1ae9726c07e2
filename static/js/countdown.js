// Tells how long something is still valid, in words and as a bar; speaks at 60 s, at 20 s and at the end.

const ANNOUNCED = [60, 20];

for (const box of document.querySelectorAll("[data-countdown]")) start(box);

function start(box) {
  const words = box.querySelector("[data-words]");
  const bar = box.querySelector("progress");
  const voice = box.querySelector("[data-voice]");
  const given = Number.parseFloat(box.dataset.secondsLeft);
  const left = Number.isNaN(given) ? Number.parseInt(box.dataset.expires, 10) - box.dataset.now : given;
  if (Number.isNaN(left)) return;
  const end = Date.now() + left * 1000; // a span of time: the two clocks may differ
  let before = Infinity;

  function tick() {
    const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    bar.value = seconds;
    if (seconds === 0) return finish();
    words.textContent = sentence(seconds);
    box.classList.toggle("countdown--short", seconds <= ANNOUNCED[0]);
    if (ANNOUNCED.some((mark) => before > mark && seconds <= mark && before !== Infinity)) {
      voice.textContent = sentence(seconds);
    }
    before = seconds;
  }

  function finish() {
    clearInterval(timer);
    box.classList.remove("countdown--short");
    box.classList.add("countdown--over");
    words.textContent = box.dataset.over;
    voice.textContent = box.dataset.over;
    box.dispatchEvent(new CustomEvent("countdown:over", { bubbles: true }));
  }

  function sentence(seconds) {
    const minutes = Math.floor(seconds / 60);
    const parts = [minutes && amount(minutes, "minute"), seconds % 60 && amount(seconds % 60, "second")];
    return box.dataset.left.replace("{time}", parts.filter(Boolean).join(" "));
  }

  bar.max = Math.max(bar.max, left);
  bar.hidden = false;
  const timer = setInterval(tick, 1000);
  tick();
}

function amount(number, unit) {
  const language = document.documentElement.lang;
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(number);
}
