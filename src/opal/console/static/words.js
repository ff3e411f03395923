/** What the modules say, sent with the page; the sentences themselves are in `words/en.toml`. */

const plural = new Intl.PluralRules("en");
const whole = new Intl.NumberFormat("en");

/** @type {Record<string, string>} */
const sentences = JSON.parse(document.getElementById("words")?.textContent ?? "{}");

/**
 * The sentence of that name, its `{gaps}` filled.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function say(name, values = {}) {
  const sentence = sentences[name];
  if (sentence === undefined) throw new Error(`no sentence ${name}`);
  return sentence.replace(/\{(\w+)\}/g, (_, gap) => String(values[gap]));
}

/**
 * `1 photo`, `2,000 photos`.
 * @param {string} name
 * @param {number} count
 * @param {Record<string, string | number>} [values] of the sentence's further gaps
 */
export function counted(name, count, values = {}) {
  return say(`${name}.${plural.select(count)}`, { ...values, count: whole.format(count) });
}

/** @param {number} value */
export function number(value) {
  return whole.format(value);
}

/** @param {number} share */
export function percent(share) {
  return `${Math.floor(share * 100)} %`;
}

/** @param {number} bytes */
export function size(bytes) {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}
