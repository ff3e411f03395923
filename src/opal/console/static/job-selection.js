/** Photos that are picked on the job page, and what is taken of them: a ZIP, a table, their public links. */

import { Problem, call, problemOf } from "./api.js";
import { counted, say } from "./words.js";

/** @import { Item } from "./job-item.js" */

export class Selection {
  /** @type {Set<string>} */
  #picked = new Set();
  /** @type {string} where a range begins */
  #anchor = "";

  /** @param {(ids: Iterable<string>) => void} changed told whose cards look different now */
  constructor(changed) {
    this.changed = changed;
  }

  get size() {
    return this.#picked.size;
  }

  /** @param {Item} item */
  has(item) {
    return this.#picked.has(item.id);
  }

  /**
   * @param {Item} item
   * @param {boolean} on
   * @param {Item[]} range what is shown, where all from the last one up to this are meant
   */
  pick(item, on, range) {
    const from = range.findIndex((each) => each.id === this.#anchor);
    const to = range.indexOf(item);
    const meant = from < 0 || to < 0 ? [item] : range.slice(Math.min(from, to), Math.max(from, to) + 1);
    this.#anchor = item.id;
    this.set(meant, on);
  }

  /**
   * @param {Item[]} items
   * @param {boolean} on
   */
  set(items, on) {
    for (const { id } of items) {
      if (on) this.#picked.add(id);
      else this.#picked.delete(id);
    }
    this.changed(items.map(({ id }) => id));
  }

  clear() {
    const before = [...this.#picked];
    this.#picked.clear();
    this.#anchor = "";
    this.changed(before);
  }
}

/**
 * Places as the API takes them: `1-40,52`.
 * @param {Item[]} items in the job's order
 */
export function placesOf(items) {
  /** @type {[number, number][]} */
  const ranges = [];
  for (const { place } of items) {
    const last = ranges.at(-1);
    if (last && last[1] === place - 1) last[1] = place;
    else ranges.push([place, place]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(",");
}

/**
 * @param {string} job
 * @param {string} what `archive.zip`, `results.csv` or `public-links.txt`
 * @param {Item[]} items none: all of the job
 * @param {string} preset empty: all of them
 */
export function addressOf(job, what, items, preset) {
  const query = [...(items.length ? [`items=${placesOf(items)}`] : []), ...(preset ? [`preset=${encodeURIComponent(preset)}`] : [])];
  return `/v1/jobs/${job}/${what}${query.length ? `?${query.join("&")}` : ""}`;
}

/**
 * Put the public links of these photos on the clipboard.
 * @param {string} address
 * @returns {Promise<string>} how it went, in words. Throws the API's `Problem`.
 */
export async function copyLinks(address) {
  const links = fetchLinks(address);
  // Written with a promise: what is fetched first comes too late for the click that some browsers ask for.
  const text = links.then((found) => new Blob([found.join("\n")], { type: "text/plain" }));
  await navigator.clipboard.write([new ClipboardItem({ "text/plain": text })]).catch(async (error) => {
    await links;
    throw error;
  });
  return counted("job.copied", (await links).length);
}

/** @param {string} address */
async function fetchLinks(address) {
  const answer = await fetch(address).catch(() => {
    throw new Problem(0, "unreachable", say("unreachable"));
  });
  const text = await answer.text();
  if (!answer.ok) throw problemOf(answer.status, text, null);
  return text.split("\n").filter(Boolean);
}

/** Give every job's pictures public links. */
export async function turnLinksOn() {
  await call("PUT", "/v1/public-links", { jobs: "all" });
}
