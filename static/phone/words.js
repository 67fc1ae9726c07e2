/** The words of the scripts. They come with the page, in its language: templates/phone/words.html. */

const language = () => document.documentElement.lang;

/** A sentence by its name, its `{values}` filled in. */
export function say(name, values = {}) {
  const found = document.getElementById("words").content.querySelector(`[data-word="${name}"]`);
  if (!found) throw new Error(`No word: ${name}`);
  const text = found.textContent.trim();
  return text.replace(/\{(\w+)\}/g, (_, value) => values[value]);
}

/** "2 minutes 5 seconds", as the language says it. */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  const parts = [
    [Math.floor(minutes / 60), "hour"],
    [minutes % 60, "minute"],
    [minutes < 60 ? seconds % 60 : 0, "second"],
  ];
  const said = parts.filter(([number]) => number).map(([number, unit]) => amount(number, unit));
  return said.join(" ") || amount(0, "second");
}

function amount(number, unit) {
  const how = { style: "unit", unit, unitDisplay: "long" };
  return new Intl.NumberFormat(language(), how).format(number);
}

export function moment(time) {
  const how = { dateStyle: "medium", timeStyle: "short" };
  return new Intl.DateTimeFormat(language(), how).format(new Date(time));
}

export function countryName(code) {
  return new Intl.DisplayNames(language(), { type: "region" }).of(code) ?? code;
}

/** Spans that CSS sets apart: what is selected and copied is still one number. */
export function groups(digits, size) {
  return (digits.match(new RegExp(`.{1,${size}}`, "g")) ?? []).map((part) => {
    const span = document.createElement("span");
    span.textContent = part;
    return span;
  });
}
